import { EdgeExchange } from '../../src/cloud/edge/edge-exchange.ts'
import {
  createDirectory,
  type Origin,
  type UserEvents,
  type UserExchange,
} from '../../src/cloud/index.ts'
import { publishedOf } from '../../src/cloud/directory/published.ts'
import type { BackendCall, BackendEvents } from '../../src/connector/index.ts'
import { Relay } from '../../src/connector/relay.ts'
import {
  Exchange,
  ResetCode,
  TIME_LIMITS,
  type BodyKind,
  type Deadlined,
  type ExchangeWire,
  type Offer,
} from '../../src/protocol/internal.ts'

/** What is asked: `reset-content` is answered 205, `head` is a HEAD. */
export type Kind = 'get' | 'post' | 'tunnel' | 'reset-content' | 'head'

const WINDOW = 16
const NOW = 0
const clocks = { now: () => NOW, wallClock: () => NOW }
const application = publishedOf(
  createDirectory({
    tenants: [{ id: 't', issuer: 'https://sts.example', registrars: { audience: 'x' } }],
    groups: [{ id: 'g', tenantId: 't' }],
    applications: [
      {
        ...{ id: 'a', groupId: 'g', externalUrl: 'https://a.example/' },
        ...{ internalUrl: 'http://10.0.0.1/', preAuthentication: 'passthrough' },
      },
    ],
  }).application('a')!,
)

/** A user, an edge's exchange, a line, a connector's relay and an application, moved by hand. */
export class RelayWorld {
  /** What was sent, each octet another than the one before. */
  upload = ''
  download = ''
  /** What has arrived. */
  atApplication = ''
  atUser = ''
  /** Whatever nobody may do. */
  readonly faults: string[] = []
  /** Somebody left, failed, or was cut off: not everything need arrive. */
  isDisturbed = false
  readonly #kind: Kind
  readonly #edge: EdgeExchange
  readonly #requester: Exchange
  readonly #responder: Exchange
  readonly #relay: Relay
  readonly #toConnector: ((exchange: Exchange) => void)[] = []
  readonly #toCloud: ((exchange: Exchange) => void)[] = []
  readonly #watched: Deadlined[] = []
  readonly #user = new Side()
  readonly #application = new Side()

  constructor(kind: Kind) {
    this.#kind = kind
    const isTunnel = kind === 'tunnel'
    const body: BodyKind = kind === 'post' ? { kind: 'streamed' } : { kind: 'none' }
    const method = kind === 'post' ? 'POST' : kind === 'head' ? 'HEAD' : 'GET'
    const upgrade = isTunnel ? 'echo' : undefined
    const request = { method, target: '/', headers: [], body, upgrade }
    const origin = {
      clocks,
      limits: TIME_LIMITS,
      watch: (entry: Deadlined) => void this.#watched.push(entry),
      submit: () => ({
        isOffered: true,
        cancel: () => this.#requester.cancel(),
        offeredAgain: () => false,
        settle: () => undefined,
      }),
    } as unknown as Origin
    const user = this.#userExchange(method, upgrade)
    this.#edge = new EdgeExchange(
      {
        user,
        fail: () => (this.isDisturbed = true),
        breakOff: () => user.abort(),
        tellSessionEnded: () => undefined,
        tellBodyTooLarge: () => undefined,
      },
      application,
      origin,
    )
    user.listen({
      data: (bytes) => this.#edge.userData(bytes),
      ended: (trailers) => this.#edge.userEnded(trailers),
      drained: () => this.#edge.userDrained(),
      gone: (complete) => this.#edge.userGone(complete),
    })
    this.#edge.submit({
      ...{ ...request, applicationId: 'a', applicationVersion: '1', user: undefined },
      id: '0'.repeat(32),
    })
    const common = { now: NOW, requestBody: kind === 'post', limits: TIME_LIMITS }
    const upgradeWindowBytes = isTunnel ? WINDOW : 0
    const requestWindow = kind === 'post' ? WINDOW : 0
    this.#requester = new Exchange(wireTo(this.#toConnector), this.#edge, {
      ...{ ...common, role: 'requester', upgradeWindowBytes },
      ...{ sendCreditBytes: requestWindow, receiveWindowBytes: WINDOW },
    })
    this.#responder = new Exchange(
      wireTo(this.#toCloud),
      {
        data: (bytes) => this.#relay.write(bytes),
        ended: (trailers) => this.#relay.end(trailers),
        writable: () => this.#relay.writable(),
        stopped: () => this.#relay.stopped(),
        closed: ({ kind }) => {
          if (kind !== 'done') this.#relay.abort()
        },
      },
      {
        ...{ ...common, role: 'responder', upgradeWindowBytes },
        ...{ sendCreditBytes: WINDOW, receiveWindowBytes: requestWindow },
      },
    )
    const backend = {
      call: (_: unknown, events: BackendEvents) => this.#backendCall(events),
      close: () => Promise.resolve(),
    }
    this.#relay = new Relay(
      request as unknown as Offer,
      this.#responder,
      clocks,
      backend,
      request as never,
    )
    this.#edge.claimed(this.#requester)
  }

  get hasNoContent(): boolean {
    return this.#kind === 'reset-content' || this.#kind === 'head'
  }

  get isOver(): boolean {
    return this.#requester.isClosed && this.#responder.isClosed
  }

  // ── what may happen ───────────────────────────────────────────────────────────────────────

  userSends(): void {
    if (!this.#user.mayStart()) return
    const text = octetsFrom(this.upload.length)
    this.upload += text
    this.#user.events!.data(Buffer.from(text))
  }

  userEnds(): void {
    if (this.#user.isStarted && !this.#user.isPaused && this.#user.close())
      (this.#user.events as UserEvents).ended(undefined)
  }

  userTakes(): void {
    this.#user.take()
  }

  userStalls(): void {
    this.#user.takes = false
  }

  userLeaves(): void {
    if (!this.#user.leave()) return
    this.isDisturbed = true
    ;(this.#user.events as UserEvents).gone(false)
  }

  sessionEnds(): void {
    if (this.#user.isGone) return
    this.isDisturbed = true
    this.#edge.sessionEnded()
  }

  applicationAnswers(): void {
    const application = this.#application
    if (application.isGone || application.isStarted || this.#responder.isClosed) return
    application.isStarted = true
    const events = application.events as BackendEvents
    if (this.#kind === 'tunnel') events.upgraded({ status: 101, headers: ['Upgrade', 'echo'] })
    else events.responded({ status: this.#kind === 'reset-content' ? 205 : 200, headers: [] })
  }

  applicationSends(): void {
    if (!this.#application.mayStart()) return
    const text = octetsFrom(this.download.length)
    this.download += text
    this.#application.events!.data(Buffer.from(text))
  }

  applicationEnds(): void {
    const application = this.#application
    if (application.isStarted && !application.isPaused && application.close())
      (application.events as BackendEvents).ended(undefined)
  }

  applicationTakes(): void {
    this.#application.take()
  }

  applicationStalls(): void {
    this.#application.takes = false
  }

  applicationFails(): void {
    if (!this.#application.leave()) return
    this.isDisturbed = true
    ;(this.#application.events as BackendEvents).failed(ResetCode.APPLICATION_ABORTED, undefined)
  }

  toConnector(): void {
    this.#toConnector.shift()?.(this.#responder)
  }

  toCloud(): void {
    this.#toCloud.shift()?.(this.#requester)
  }

  /** Everybody does what they must, until nothing is left to do. */
  finish(): void {
    for (let turn = 0; turn < 400 && !this.isOver; turn++) {
      this.applicationAnswers()
      this.userTakes()
      this.applicationTakes()
      this.toConnector()
      this.toCloud()
      this.userEnds()
      this.applicationEnds()
    }
    for (const entry of this.#watched) if (entry.deadline !== undefined) entry.expire(Infinity)
  }

  // ── the two outer ends ────────────────────────────────────────────────────────────────────

  #userExchange(method: string, upgrade: string | undefined): UserExchange {
    const user = this.#user
    const say = (what: string) => this.#say('user', user, what)
    return {
      head: {
        ...{ method, target: '/', headers: [], authority: 'a.example', secure: true },
        ...{ httpVersion: '1.1', remoteAddress: '192.0.2.7', upgrade },
      },
      listen: (events) => (user.events = events),
      startBody: () => (user.isStarted = true),
      pauseBody: () => user.pause(),
      resumeBody: () => user.resume(),
      inform: () => say('inform'),
      respond: () => say('respond'),
      upgrade: () => say('upgrade'),
      write: (bytes) => {
        say('write')
        this.atUser += Buffer.from(bytes).toString()
        return user.write()
      },
      end: () => say('end'),
      abort: () => {
        this.isDisturbed = true
        if (user.leave()) (user.events as UserEvents).gone(false)
      },
    }
  }

  #backendCall(events: BackendEvents): BackendCall {
    const application = this.#application
    const say = (what: string) => this.#say('application', application, what)
    application.events = events
    return {
      write: (bytes) => {
        say('write')
        this.atApplication += Buffer.from(bytes).toString()
        return application.write()
      },
      end: () => say('end'),
      pause: () => application.pause(),
      resume: () => application.resume(),
      abort: () => void application.leave(),
    }
  }

  #say(who: string, side: Side, what: string): void {
    if (side.isGone) this.faults.push(`${what} to a ${who} that is gone`)
    if (side.wasEnded) this.faults.push(`${what} to a ${who} behind the end`)
    if (what === 'end') side.wasEnded = true
  }
}

/** A user's connection or a call, as its contract has it. */
class Side {
  events: Pick<UserEvents, 'data' | 'drained'> | undefined
  isStarted = false
  isPaused = false
  isGone = false
  takes = true
  /** All that may be said to it was said. */
  wasEnded = false
  #isClosed = false
  #mayFollow = false
  #owesDrain = false

  /** Whether it may send now: while it is asked to, and once more after a pause. */
  mayStart(): boolean {
    if (!this.isStarted || this.#isClosed || this.isGone) return false
    if (!this.isPaused) return true
    const may = this.#mayFollow
    this.#mayFollow = false
    return may
  }

  pause(): void {
    if (!this.isPaused) this.#mayFollow = true
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  close(): boolean {
    if (this.#isClosed || this.isGone) return false
    return (this.#isClosed = true)
  }

  leave(): boolean {
    if (this.isGone) return false
    return (this.isGone = true)
  }

  write(): boolean {
    if (!this.takes) this.#owesDrain = true
    return this.takes
  }

  take(): void {
    this.takes = true
    if (!this.#owesDrain || this.isGone) return
    this.#owesDrain = false
    this.events!.drained()
  }
}

function wireTo(queue: ((exchange: Exchange) => void)[]): ExchangeWire {
  const later = (say: (exchange: Exchange) => void) => void queue.push(say)
  return {
    informational: (head) => later((to) => to.receivedInformational(head)),
    respond: (head, end) => later((to) => to.receivedResponse(head, end, NOW)),
    data: (bytes, end) => later((to) => to.receivedData(bytes, end, NOW)),
    trailers: (fields) => later((to) => to.receivedTrailers(fields, NOW)),
    credit: (bytes) => later((to) => to.receivedCredit(bytes, NOW)),
    stop: (code) => later((to) => to.receivedStop(code, NOW)),
    reset: (code) => later((to) => to.receivedReset(code)),
    closed: () => undefined,
  }
}

/** The next octets of a sequence that tells where each of them belongs. */
function octetsFrom(at: number): string {
  const length = 1 + (at % 7)
  return Array.from({ length }, (_, i) => String.fromCharCode(33 + ((at + i) % 89))).join('')
}
