/**
 * The connections of HTTP/2 to one place, made in one way: as few as carry its requests.
 *
 * A request goes on one that has room. Where none has, it waits for one that is being made; one is
 * made for each hundred that wait. An application that allows fewer at once gets more connections,
 * as with HTTP/1.1, and one that allows none is waited for.
 *
 * A connection is closed when it is unused, and takes no more requests when it is old: the next one
 * asks for the name's addresses again.
 *
 * @module
 */
import { CONNECT_TIMEOUT, fault } from './application-faults.ts'
import { Http2Session, MAX_STREAMS, type Http2Target } from './http2-session.ts'
import type { Pool } from './own-pools.ts'

/** A request that wants to go on a connection. */
export interface Waiter {
  /** There is one. */
  serve(session: Http2Session): void
  /** The application speaks HTTP/1.1 here. */
  move(): void
  /** No connection could be made, or none in time. */
  unserved(error: Error): void
}

/** Where connections lead, and how they are made. */
export type Http2Place = Pick<Http2Target, 'hostname' | 'port' | 'tls' | 'connectMs'>

/** How long connections last, in milliseconds. */
export interface Http2Limits {
  /** Without a request. Default 60 000. */
  readonly idleMs?: number | undefined
  /** Then one takes no more requests. Default 300 000. */
  readonly ageMs?: number | undefined
  /** How long HTTP/1.1 is spoken where TLS agreed on it. Default 600 000. */
  readonly http1Ms?: number | undefined
  /** Silence, while requests wait, until a PING is sent. Default 10 000. */
  readonly silentMs?: number | undefined
  /** Between two PINGs; servers of gRPC end the connection of who sends more. Default 310 000. */
  readonly pingMs?: number | undefined
  /** Until a PING is answered; then the connection is dead. Default 15 000. */
  readonly pingAnswerMs?: number | undefined
}

const LIMITS = {
  ...{ idleMs: 60_000, ageMs: 300_000, http1Ms: 600_000 },
  ...{ silentMs: 10_000, pingMs: 310_000, pingAnswerMs: 15_000 },
}

/** How often connections are looked at. */
const LOOK_MS = 5_000

/** One place. */
export class Http2Destination implements Pool {
  readonly #target: Http2Target
  readonly #limits: typeof LIMITS
  readonly #mayBeHttp1: boolean
  readonly #lookMs: number
  readonly #sessions = new Set<Http2Session>()
  /** Of a single request each. */
  readonly #alone = new Map<Http2Session, Waiter>()
  readonly #waiting = new Set<Waiter>()
  #opening = 0
  #http1Until = -Infinity
  #looking: NodeJS.Timeout | undefined

  /** @param mayBeHttp1 where TLS does not agree on HTTP/2, requests are moved; else they fail */
  constructor(target: Http2Place, mayBeHttp1: boolean, limits: Http2Limits = {}) {
    this.#mayBeHttp1 = mayBeHttp1
    this.#limits = { ...LIMITS, ...(limits as typeof LIMITS) }
    const { silentMs, pingMs, pingAnswerMs } = this.#limits
    this.#target = { ...target, silentMs, pingMs, pingAnswerMs }
    this.#lookMs = Math.min(LOOK_MS, ...Object.values(this.#limits).map((ms) => ms / 2))
  }

  get isIdle(): boolean {
    return this.#sessions.size + this.#alone.size + this.#waiting.size === 0
  }

  /** Connections that are there or being made. */
  get size(): number {
    return this.#sessions.size + this.#alone.size
  }

  /** Whether TLS agreed on HTTP/1.1 a while ago. */
  get isHttp1(): boolean {
    return performance.now() < this.#http1Until
  }

  /** The application wants HTTP/1.1. */
  learnHttp1(): void {
    this.#http1Until = performance.now() + this.#limits.http1Ms
  }

  /**
   * Puts a request on a connection: at once, or when there is one.
   *
   * @param not one that has refused it
   */
  serve(waiter: Waiter, not?: Http2Session): void {
    for (const session of this.#sessions)
      if (session !== not && session.room > 0) return void waiter.serve(session)
    this.#waiting.add(waiter)
    this.#dial()
  }

  /** Puts a request on a connection that nobody else is served on, before or after it. */
  serveAlone(waiter: Waiter): void {
    this.#alone.set(this.#session(), waiter)
  }

  /** It does not wait any more. */
  forget(waiter: Waiter): void {
    this.#waiting.delete(waiter)
  }

  retire(): void {
    for (const session of [...this.#sessions]) if (session.state !== 'opening') session.retire()
  }

  destroy(): void {
    clearInterval(this.#looking)
    for (const session of [...this.#sessions, ...this.#alone.keys()]) session.end()
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  /** As many as those who wait need, unless the application holds everybody back. */
  #dial(): void {
    for (const session of this.#sessions) if (session.isHeldBack) return
    while (this.#opening * MAX_STREAMS < this.#waiting.size) {
      this.#opening += 1
      this.#sessions.add(this.#session())
    }
  }

  #session(): Http2Session {
    this.#looking ??= setInterval(() => this.#look(), this.#lookMs).unref()
    let isOpening = true
    return new Http2Session(this.#target, {
      hasRoom: (session) => {
        const only = this.#alone.get(session)
        if (isOpening && only === undefined) this.#opening -= 1
        isOpening = false
        if (only === undefined) this.#serveWaiting(session)
        else this.#serveOnly(session, only)
      },
      isHttp1: (session) => {
        if (!this.#mayBeHttp1) return
        this.learnHttp1()
        const only = this.#alone.get(session)
        this.#alone.delete(session)
        only?.move()
        this.#emptied((waiter) => waiter.move())
      },
      gone: (session, error) => {
        const only = this.#alone.get(session)
        this.#alone.delete(session)
        if (only !== undefined) only.unserved(error ?? cut())
        if (this.#sessions.delete(session) && isOpening) {
          this.#opening -= 1
          if (this.#opening === 0) this.#emptied((waiter) => waiter.unserved(error ?? cut()))
        } else if (this.#waiting.size > 0) this.#dial()
        if (this.size > 0) return
        clearInterval(this.#looking)
        this.#looking = undefined
      },
    })
  }

  #serveOnly(session: Http2Session, only: Waiter): void {
    if (session.open > 0) return
    this.#alone.delete(session)
    this.#sessions.add(session)
    only.serve(session)
    session.retire()
  }

  #serveWaiting(session: Http2Session): void {
    for (const waiter of this.#waiting) {
      if (session.room === 0) break
      this.#waiting.delete(waiter)
      waiter.serve(session)
    }
    if (this.#waiting.size > 0) this.#dial()
  }

  #emptied(tell: (waiter: Waiter) => void): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const waiter of waiting) tell(waiter)
  }

  #look(): void {
    const now = performance.now()
    const { idleMs, ageMs } = this.#limits
    for (const session of [...this.#sessions]) {
      if (session.state === 'opening') continue
      const isUnused = session.open === 0 && now - session.unusedSince >= idleMs
      if (isUnused || now - session.madeAt >= ageMs) session.retire()
      session.probe(now)
    }
  }
}

const cut = () => fault(CONNECT_TIMEOUT, 'its connection was cut')
