/**
 * What was sent of a request body under the first credit of a claim, kept until the application may
 * have got any of it: a connector that could send nothing gives the request back, and it is offered
 * again, whole.
 *
 * Bytes are kept by reference, at most {@link FIRST_CREDIT_BYTES} of them, and count as buffered.
 *
 * @see spec/PROTOCOL.md, "What is kept"
 * @module
 */
import type { HeaderList } from '../wire/frame-types.ts'
import { FIRST_CREDIT_BYTES } from '../wire/limits.ts'

/** The beginning of one request body, over all its attempts. */
export class KeptBody {
  /** In order; those before {@link #next} were sent in the current attempt. */
  readonly #parts: Uint8Array[] = []
  #next = 0
  /** How much of the next part was sent in the current attempt. */
  #offset = 0
  #bytes = 0
  #isWhole = true
  #end: { readonly trailers: HeaderList | undefined } | undefined

  /** Bytes held. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether all that was ever sent of this body is held. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  /** Whether some of it must still be sent in the current attempt, before anything new. */
  get hasMore(): boolean {
    return this.#next < this.#parts.length
  }

  /** What the body ended with; `undefined`: it has not ended. */
  get end(): { readonly trailers: HeaderList | undefined } | undefined {
    return this.#end
  }

  /** `bytes` were sent for the first time. */
  keep(bytes: Uint8Array): void {
    if (!this.#isWhole) return
    this.#parts.push(bytes)
    this.#next += 1
    this.#bytes += bytes.length
    if (this.#bytes > FIRST_CREDIT_BYTES) this.release()
  }

  /** The body is complete. */
  complete(trailers: HeaderList | undefined): void {
    this.#end = { trailers }
  }

  /** The application may have got some of it: what was sent cannot be sent again. */
  release(): void {
    this.#isWhole = false
    for (const part of this.#parts.splice(0, this.#next)) this.#bytes -= part.length
    this.#next = 0
  }

  /** A new attempt begins. */
  rewind(): void {
    this.#next = 0
    this.#offset = 0
  }

  /** The next bytes to be sent again, `most` at most. */
  take(most: number): Uint8Array {
    const part = this.#parts[this.#next]!
    const offset = this.#offset
    const rest = part.length - offset
    if (rest > most) {
      this.#offset += most
      return part.subarray(offset, offset + most)
    }
    this.#offset = 0
    this.#next += 1
    if (!this.#isWhole) this.release()
    return offset === 0 ? part : part.subarray(offset)
  }
}
