/**
 * Frames over one direction of an HTTP call: what the plain binding's two ends have in common.
 *
 * Byte credit is not on this wire. The writer grants its local sender what the stream takes; the
 * reader lets go of the stream's readability while its local receiver has no room. So the slowest
 * hop sets the pace through TCP itself.
 *
 * @see spec/PROTOCOL.md, "The plain binding"
 * @module
 */
import type { Readable, Writable } from 'node:stream'
import {
  encodeReset,
  encodeFrame,
  encodeResponseHead,
  encodeTrailers,
  FrameFlag,
  frameHeader,
  FrameReader,
  FrameType,
  MAX_DATA_BYTES,
  PeerViolation,
  type Exchange,
  type FrameSink,
  type HeaderList,
  type NotSentCause,
  type ResetCode,
  type ResponseHead,
} from '../../protocol/index.ts'

/** The HTTP field of an exchange's token: `…/body` returns it, `…/response` must show it. */
export const EXCHANGE_TOKEN_HEADER = 'app-proxy-exchange'
/**
 * What a sender may have on its way before the stream took any of it; also a pull's credit over
 * this binding.
 */
export const PLAIN_CREDIT_BYTES = 128 * 1024
/**
 * A receiver's window. Twice what one read of a socket can bring, twice over: see {@link
 * ExchangeReader}.
 */
export const PLAIN_WINDOW_BYTES = 256 * 1024

/** Writes frames of one exchange; everything said in one turn of the event loop leaves together. */
export class ExchangeWriter {
  readonly #stream: Writable
  readonly #credit: (bytes: number) => void
  /** The last DATA of this turn, kept back in case END follows. */
  #held: Uint8Array | undefined
  #corked = false
  #unreturned = 0

  /** @param credit told what the stream took of the DATA it was given */
  constructor(stream: Writable, credit: (bytes: number) => void) {
    this.#stream = stream
    this.#credit = credit
    stream.on('drain', () => this.#return())
  }

  data(bytes: Uint8Array, end: boolean): void {
    this.#cork()
    if (end && bytes.length === 0 && this.#held !== undefined) return this.#writeHeld(FrameFlag.END)
    this.#writeHeld(0)
    this.#held = bytes
    if (end) this.#writeHeld(FrameFlag.END)
  }

  response(head: ResponseHead, end: boolean): void {
    this.frame(FrameType.RESPONSE, encodeResponseHead(head), end ? FrameFlag.END : 0)
  }

  informational(head: ResponseHead): void {
    this.frame(FrameType.INFORMATIONAL, encodeResponseHead(head))
  }

  trailers(fields: HeaderList): void {
    this.frame(FrameType.TRAILERS, encodeTrailers(fields), FrameFlag.END)
  }

  /** `cause`: with NOT_SENT alone. */
  code(
    type: typeof FrameType.STOP | typeof FrameType.RESET,
    code: ResetCode,
    cause?: NotSentCause,
  ): void {
    this.frame(type, encodeReset({ code, cause }))
  }

  frame(type: FrameType, payload?: Uint8Array, flags = 0): void {
    this.#cork()
    this.#writeHeld(0)
    this.#stream.write(encodeFrame(type, flags, 0, payload))
  }

  /** Nothing follows. */
  end(): void {
    this.#writeHeld(0)
    this.#stream.end()
  }

  #writeHeld(flags: number): void {
    const bytes = this.#held
    if (bytes === undefined) return
    this.#held = undefined
    this.#unreturned += bytes.length
    // What a stream reads after a pause can be more than a frame holds.
    let rest = bytes
    for (; rest.length > MAX_DATA_BYTES; rest = rest.subarray(MAX_DATA_BYTES)) {
      this.#stream.write(frameHeader(FrameType.DATA, 0, 0, MAX_DATA_BYTES))
      this.#stream.write(rest.subarray(0, MAX_DATA_BYTES))
    }
    this.#stream.write(frameHeader(FrameType.DATA, flags, 0, rest.length))
    if (rest.length > 0) this.#stream.write(rest)
  }

  #cork(): void {
    if (this.#corked) return
    this.#corked = true
    this.#stream.cork()
    queueMicrotask(this.#flush)
  }

  readonly #flush = (): void => {
    this.#corked = false
    this.#writeHeld(0)
    this.#stream.uncork()
    if (!this.#stream.writableNeedDrain) this.#return()
  }

  #return(): void {
    const bytes = this.#unreturned
    this.#unreturned = 0
    if (bytes > 0) this.#credit(bytes)
  }
}

/**
 * Reads frames of one exchange off a stream and pauses it while the exchange has no room for
 * another read.
 */
export class ExchangeReader {
  readonly #stream: Readable
  readonly #exchange: () => Exchange | undefined
  #paused = false

  /**
   * @param frames where everything but DATA goes, and DATA before there is an exchange
   * @param violated told once; the stream is not read on
   */
  constructor(
    stream: Readable,
    exchange: () => Exchange | undefined,
    frames: FrameSink,
    violated: (error: PeerViolation) => void,
  ) {
    this.#stream = stream
    this.#exchange = exchange
    const reader = new FrameReader(frames, MAX_DATA_BYTES)
    const guarded = (step: () => void): void => {
      try {
        step()
      } catch (error) {
        if (!(error instanceof PeerViolation)) throw error
        stream.removeAllListeners('data')
        stream.resume()
        violated(error)
      }
    }
    stream.on('data', (chunk: Uint8Array) => {
      guarded(() => reader.push(chunk))
      this.#pauseIfFull()
    })
    stream.on('end', () => guarded(() => reader.end()))
  }

  /** The exchange has room again. */
  credit(): void {
    if (!this.#paused || this.#isFull) return
    this.#paused = false
    this.#stream.resume()
  }

  /**
   * One read of a socket brings at most 64 KiB; with less room than that, do not read. Half a
   * window free is always said by `credit`, so a paused stream is always resumed.
   */
  get #isFull(): boolean {
    const exchange = this.#exchange()
    return exchange !== undefined && !exchange.isClosed && exchange.receivable < MAX_DATA_BYTES
  }

  #pauseIfFull(): void {
    if (this.#paused || !this.#isFull) return
    this.#paused = true
    this.#stream.pause()
  }
}
