/**
 * Applications that know their user by the connection: each affinity has connections of its own,
 * and no other request ever goes on them.
 *
 * One of them that is gone is never replaced for a user who was known by it: the cloud is told, and
 * tells the user to begin anew.
 *
 * @see spec/PROTOCOL.md, "Connection-bound authentication"
 * @module
 */
import {
  handshakeAnswer,
  handshakeStep,
  Machine,
  MAX_CONNECTOR_PINS,
  MAX_PINS,
  PIN_AGE_MS,
  PIN_IDLE_MS,
  ResetCode,
  type HandshakeStep,
  type HeaderList,
  type NotSentCause,
  type ResponseHead,
} from '../../protocol/internal.ts'
import type { Backend, BackendCall, BackendEvents, BackendRequest } from '../backend.ts'
import { ForwardingBackendCall } from '../forwarding-backend.ts'
import { internalAddress } from '../internal-request.ts'
import {
  OWN_CONNECTION,
  type OwnConnectionEvent,
  type OwnConnectionState,
} from '../own-connection.ts'
import { OwnConnection, type ApplicationConnectionOptions } from './application-connections.ts'
import { fault, isStale, PIN_LOST } from './application-faults.ts'
import { HttpCall } from './http-backend.ts'

/** How many of them there are, and for how long. */
export interface OwnConnectionLimits {
  /** Of one affinity. Default 6. */
  readonly perAffinity?: number
  /** Of all. Default 2 000. */
  readonly most?: number
  /** Milliseconds that one is kept unused. Default 60 000. */
  readonly idleMs?: number
  /** Milliseconds after which one serves no further request. Default 3 600 000. */
  readonly ageMs?: number
}

/** How often is looked for those that are too old. Milliseconds. */
const LOOK_MS = 5_000

/** Calls applications on connections that are one user's alone. */
export class OwnConnections implements Backend {
  readonly #options: ApplicationConnectionOptions
  readonly #limits: Required<OwnConnectionLimits>
  /**
   * By affinity and application. A connector is of one tenant, and an affinity is 128 random bits.
   */
  readonly #pins = new Map<string, Set<Pin>>()
  /** All of them, the longest unused first. */
  readonly #all = new Set<Pin>()
  #looking: NodeJS.Timeout | undefined

  constructor(options: ApplicationConnectionOptions = {}, limits: OwnConnectionLimits = {}) {
    this.#options = options
    this.#limits = {
      ...{ perAffinity: MAX_PINS, most: MAX_CONNECTOR_PINS },
      ...{ idleMs: PIN_IDLE_MS, ageMs: PIN_AGE_MS },
      ...limits,
    }
  }

  /** Connections that are there. */
  get size(): number {
    return this.#all.size
  }

  call(request: BackendRequest, events: BackendEvents): BackendCall {
    const step = handshakeStep(request.headers)
    const pin = this.#pinFor(request, step)
    if (typeof pin === 'number') return new UnsentCall(pin, events)
    pin.take()
    this.#all.delete(pin)
    this.#all.add(pin)
    return new OwnCall(pin, request, step, events).begin()
  }

  async close(): Promise<void> {
    clearInterval(this.#looking)
    for (const pin of [...this.#all]) pin.end()
  }

  /** One that is there, or a new one; or why there is none. */
  #pinFor(request: BackendRequest, step: HandshakeStep): Pin | NotSentCause {
    const key = `${request.affinity} ${request.application.id}`
    const own = this.#pins.get(key)
    for (const pin of own ?? []) if (!pin.leadsTo(request)) pin.end()
    const found = own && chosen(own, step)
    if (found !== undefined) return found
    // Where one is busy, its user shares an affinity, and begins anew on another.
    if (request.isPinned === true && (own?.size ?? 0) === 0) return ResetCode.PIN_LOST
    if ((own?.size ?? 0) >= this.#limits.perAffinity || !this.#hasRoom())
      return ResetCode.CONNECTOR_EXHAUSTED
    return this.#made(key, request)
  }

  /** Whether there is room for another; the longest unused one gives way. */
  #hasRoom(): boolean {
    if (this.#all.size < this.#limits.most) return true
    for (const pin of this.#all) {
      if (pin.state !== 'idle') continue
      pin.retire()
      return true
    }
    return false
  }

  #made(key: string, request: BackendRequest): Pin {
    const gone = (): void => {
      this.#all.delete(pin)
      const own = this.#pins.get(key)
      if (own?.delete(pin) === true && own.size === 0) this.#pins.delete(key)
      if (this.#all.size > 0) return
      clearInterval(this.#looking)
      this.#looking = undefined
    }
    const pin = new Pin(this.#options, request, gone)
    const own = this.#pins.get(key)
    if (own === undefined) this.#pins.set(key, new Set([pin]))
    else own.add(pin)
    this.#all.add(pin)
    this.#looking ??= setInterval(() => this.#look(), LOOK_MS).unref()
    return pin
  }

  #look(): void {
    const now = performance.now()
    const { idleMs, ageMs } = this.#limits
    for (const pin of [...this.#all]) {
      const isUnused = pin.state === 'idle' && now - pin.usedAt >= idleMs
      if (isUnused || now - pin.madeAt >= ageMs) pin.retire()
    }
  }
}

/** The connection of an affinity that a request goes on. */
function chosen(own: ReadonlySet<Pin>, step: HandshakeStep): Pin | undefined {
  let best: Pin | undefined
  for (const pin of own) {
    if (pin.state !== 'idle') continue
    if (best === undefined || fitness(pin, step) > fitness(best, step)) best = pin
  }
  return best
}

/**
 * Who goes on takes the one that waits for it, who begins one that nobody is known by, and
 * everybody else one that somebody is.
 */
function fitness({ isChallenged, isKnown }: Pin, step: HandshakeStep): number {
  if (isChallenged) return step === 'continues' ? 2 : -1
  return isKnown === (step !== 'opens') ? 1 : 0
}

/** One connection, and what is known of it. */
class Pin {
  readonly connection: OwnConnection
  readonly madeAt = performance.now()
  usedAt = performance.now()
  /** Its last answer was a challenge with a token. */
  isChallenged = false
  /** Its user was authenticated on it. */
  isKnown = false
  readonly #machine = new Machine<OwnConnectionState, OwnConnectionEvent>(OWN_CONNECTION, 'idle')
  readonly #made: Pick<BackendRequest, 'application' | 'tls'>
  readonly #gone: () => void

  constructor(
    options: ApplicationConnectionOptions,
    { application, tls }: BackendRequest,
    gone: () => void,
  ) {
    this.#made = { application, tls }
    this.#gone = gone
    this.connection = new OwnConnection(options, this.#made, () => this.end())
  }

  get state(): OwnConnectionState {
    return this.#machine.state
  }

  /** Whether the application is still where this one leads, and trusted as when it was made. */
  leadsTo({ application, tls }: BackendRequest): boolean {
    const { application: own } = this.#made
    if (tls !== this.#made.tls) return false
    if (own === application) return true
    return (
      internalAddress(own).origin === internalAddress(application).origin &&
      own.verifyCertificate === application.verifyCertificate
    )
  }

  take(): void {
    this.#step('take')
  }

  free(): void {
    this.usedAt = performance.now()
    this.connection.rest()
    this.#step('free')
  }

  retire(): void {
    this.#step('retire')
  }

  /** It broke off, or is a tunnel now. */
  end(): void {
    this.#step('close')
  }

  answered(status: number, headers: HeaderList, step: HandshakeStep): void {
    const answer = handshakeAnswer(status, headers, step)
    this.isChallenged = answer === 'goesOn'
    this.isKnown ||= answer === 'authenticated'
  }

  #step(event: OwnConnectionEvent): void {
    if (!this.#machine.step(event) || this.#machine.state !== 'gone') return
    this.connection.close()
    this.#gone()
  }
}

/** A call on such a connection. */
class OwnCall extends ForwardingBackendCall {
  readonly #pin: Pin
  readonly #request: BackendRequest
  readonly #step: HandshakeStep
  #hasAnswered = false

  constructor(pin: Pin, request: BackendRequest, step: HandshakeStep, events: BackendEvents) {
    super(events)
    this.#pin = pin
    this.#request = request
    this.#step = step
  }

  begin(): this {
    try {
      return this.start(new OnOne(this.#pin.connection), this.#request)
    } catch (error) {
      this.#pin.end()
      throw error
    }
  }

  override abort(): void {
    this.#pin.end()
    super.abort()
  }

  override informational(head: ResponseHead): void {
    this.#hasAnswered = true
    super.informational(head)
  }

  override responded(head: ResponseHead): void {
    this.#hasAnswered = true
    this.#pin.answered(head.status, head.headers, this.#step)
    super.responded(head)
  }

  override upgraded(head: ResponseHead): void {
    this.#pin.end()
    super.upgraded(head)
  }

  override ended(trailers: HeaderList | undefined): void {
    this.#pin.free()
    super.ended(trailers)
  }

  /** What is safe may be repeated by its user, where the connection closed under it. */
  override failed(...[code, cause]: Parameters<BackendEvents['failed']>): void {
    this.#pin.end()
    const { method, body } = this.#request
    const isSafe = (method === 'GET' || method === 'HEAD') && body.kind === 'none'
    const mayBegin = this.#request.isPinned === true && !this.#hasAnswered && isSafe
    if (mayBegin && isStale(cause)) super.notSent(ResetCode.PIN_LOST, cause)
    else super.failed(code, cause)
  }

  override notSent(...[cause, error]: Parameters<BackendEvents['notSent']>): void {
    this.#pin.end()
    super.notSent(cause, error)
  }
}

/** What makes calls on one connection. */
class OnOne implements Backend {
  readonly #connection: OwnConnection

  constructor(connection: OwnConnection) {
    this.#connection = connection
  }

  call(request: BackendRequest, events: BackendEvents): BackendCall {
    return new HttpCall(this.#connection, request, events)
  }

  async close(): Promise<void> {}
}

/** A request that finds no connection. */
class UnsentCall implements BackendCall {
  #isOver = false

  constructor(cause: NotSentCause, events: BackendEvents) {
    queueMicrotask(() => {
      if (this.#isOver) return
      this.#isOver = true
      events.notSent(cause, fault(PIN_LOST, 'no connection of this user is left'))
    })
  }

  write(): boolean {
    return false
  }

  end(): void {}
  pause(): void {}
  resume(): void {}

  abort(): void {
    this.#isOver = true
  }
}
