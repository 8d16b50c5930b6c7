/**
 * How far ahead users of one HTTP/2 connection may send request bodies.
 *
 * A body begins with 64 KiB, so that little comes before anybody asks for it. What is taken opens
 * the window again at once (nghttp2 does it while the stream is read), and a body that was taken
 * faster than its window goes round doubles the window, within a budget for all bodies of the
 * connection. Node sets the window of all streams together only, so all of them have the same.
 *
 * @see RFC 9113, sections 5.2 and 6.9.2
 * @module
 */
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import { INITIAL_WINDOW_BYTES, MAX_WINDOW_BYTES } from '../../protocol/internal.ts'

/** Bounds of request bodies on one connection. */
export interface UploadLimits {
  /**
   * Bytes that users may send ahead, all request bodies of a connection together. Default 8 MiB:
   * 100 MB/s over 50 ms, and half again.
   */
  readonly maxUploadWindowBytes?: number
}

/**
 * A user who opens many streams at once, before it has heard of the smaller window, is given this
 * many budgets.
 */
const BUDGETS = 4
const LOOK_MS = 50

/** The windows of one connection. */
export class Http2Windows {
  readonly #session: ServerHttp2Session
  readonly #budget: number
  /** `exceeded`: more is waiting to be taken than the budget can excuse. */
  readonly #exceeded: () => void
  /** Bodies that are not complete. */
  readonly #open = new Set<ServerHttp2Stream>()
  #window = INITIAL_WINDOW_BYTES
  /** What the user was told last. */
  #said = INITIAL_WINDOW_BYTES
  /** Bytes taken since the window was set. */
  #taken = 0
  #isWide = false
  #timer: NodeJS.Timeout | undefined

  constructor(session: ServerHttp2Session, limits: UploadLimits, exceeded: () => void) {
    this.#session = session
    this.#budget = limits.maxUploadWindowBytes ?? MAX_WINDOW_BYTES
    this.#exceeded = exceeded
    session.on('localSettings', () => this.#say())
    session.once('close', () => clearInterval(this.#timer))
  }

  /** A request with a body came. */
  opened(stream: ServerHttp2Stream): void {
    this.#open.add(stream)
    if (this.#window > this.#limit) this.#set(this.#limit)
  }

  /** It is over. */
  closed(stream: ServerHttp2Stream): void {
    if (!this.#open.delete(stream)) return
    // Whoever comes next was not asked for anything yet.
    if (this.#open.size === 0 && this.#window > INITIAL_WINDOW_BYTES)
      this.#set(INITIAL_WINDOW_BYTES)
  }

  /** Bytes of a body that somebody wants were taken. */
  taken(bytes: number): void {
    this.#taken += bytes
    if (this.#taken < 2 * this.#window || this.#session.pendingSettingsAck) return
    const next = Math.min(2 * this.#window, this.#limit)
    this.#taken = 0
    if (next > this.#window) this.#set(next)
  }

  /** What each body may have. */
  get #limit(): number {
    return Math.max(INITIAL_WINDOW_BYTES, Math.floor(this.#budget / Math.max(1, this.#open.size)))
  }

  #set(bytes: number): void {
    const session = this.#session
    if (session.destroyed || session.closed) return
    if (!this.#isWide) {
      this.#isWide = true
      // Node gives back what comes at once: this bounds a round trip, not what is held.
      session.setLocalWindowSize(Math.max(this.#budget, INITIAL_WINDOW_BYTES))
    }
    this.#window = bytes
    this.#taken = 0
    this.#say()
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref()
  }

  /** One at a time: Node ends a session of which more than ten are unanswered. */
  #say(): void {
    const session = this.#session
    if (session.destroyed || session.closed || session.pendingSettingsAck) return
    if (this.#said === this.#window) return
    this.#said = this.#window
    session.settings({ initialWindowSize: this.#window })
  }

  /** Until the user has acknowledged the first window again. */
  #look(): void {
    const { localSettings, pendingSettingsAck } = this.#session
    const isNarrow = localSettings.initialWindowSize === INITIAL_WINDOW_BYTES
    if (isNarrow && !pendingSettingsAck && this.#window === INITIAL_WINDOW_BYTES) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
    let waiting = 0
    for (const stream of this.#open) waiting += stream.readableLength
    if (waiting > BUDGETS * this.#budget) this.#exceeded()
  }
}
