/**
 * A stream of octets that is read only while somebody asks for it.
 *
 * @module
 */

/** Whom a body tells; none from inside its methods. */
export interface PulledBodyEvents {
  data(bytes: Uint8Array): void
  ended(): void
  /** It broke off before its end, or was shorter or longer than it was said to be. */
  broke(): void
}

/** Reads one chunk after the other; at most one more is told after {@link PulledBody.pause}. */
export class PulledBody {
  readonly #stream: ReadableStream<Uint8Array> | null
  readonly #events: PulledBodyEvents
  /** Octets that are still to come; NaN: nobody has said how many. */
  #left: number
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  #isWanted = false
  /** A read is under way, which goes on with the next as long as it is wanted. */
  #isReading = false

  /** @param length octets that it was said to have; NaN: nobody has said it */
  constructor(stream: ReadableStream<Uint8Array> | null, events: PulledBodyEvents, length = NaN) {
    this.#stream = stream
    this.#events = events
    this.#left = length
  }

  /** Begins, or goes on. */
  start(): void {
    this.#isWanted = true
    if (this.#isReading) return
    this.#isReading = true
    void this.#read()
  }

  pause(): void {
    this.#isWanted = false
  }

  /** The rest is not wanted: what was not begun stays with whoever has it. */
  discard(): void {
    this.#isWanted = false
    // A stream that broke off has nothing to cancel.
    void this.#reader?.cancel().catch(() => undefined)
  }

  async #read(): Promise<void> {
    this.#reader ??= this.#stream?.getReader()
    let end: 'ended' | 'broke' | undefined
    try {
      while (this.#isWanted && end === undefined) end = await this.#next()
    } catch {
      end = 'broke'
    }
    this.#isReading = false
    if (end !== undefined) this.#events[end]()
  }

  async #next(): Promise<'ended' | 'broke' | undefined> {
    const { done, value } = (await this.#reader?.read()) ?? { done: true, value: undefined }
    if (done) return this.#left > 0 ? 'broke' : 'ended'
    this.#left -= value.length
    if (this.#left < 0) return 'broke'
    this.#events.data(value)
    return undefined
  }
}
