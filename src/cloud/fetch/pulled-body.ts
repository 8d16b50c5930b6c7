/**
 * A stream of octets that is read only while somebody asks for it.
 *
 * @module
 */

/** Whom a body tells; none from inside its methods. */
export interface PulledBodyEvents {
  data(bytes: Uint8Array): void
  ended(): void
  /** It broke off before its end. */
  broke(): void
}

/** Reads one chunk after the other; at most one more is told after {@link PulledBody.pause}. */
export class PulledBody {
  readonly #stream: ReadableStream<Uint8Array> | null
  readonly #events: PulledBodyEvents
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  #isWanted = false
  /** A read is under way, which goes on with the next as long as it is wanted. */
  #isReading = false

  constructor(stream: ReadableStream<Uint8Array> | null, events: PulledBodyEvents) {
    this.#stream = stream
    this.#events = events
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
    let end
    try {
      while (this.#isWanted && end === undefined) end = await this.#next()
    } catch {
      end = 'broke' as const
    }
    this.#isReading = false
    if (end !== undefined) this.#events[end]()
  }

  async #next(): Promise<'ended' | undefined> {
    const { done, value } = (await this.#reader?.read()) ?? { done: true, value: undefined }
    if (done) return 'ended'
    this.#events.data(value)
    return undefined
  }
}
