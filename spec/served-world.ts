/**
 * A cloud's offers and the connectors that take them, whole, in virtual time: the real origin, links whose octets pass in memory, the
 * real worker. The applications are the test's.
 *
 * @module
 */
import { ConnectorLink, tenantKey } from '../src/cloud/index.ts'
import { Origin } from '../src/cloud/offers/origin.ts'
import type { Submission, Submitter } from '../src/cloud/offers/submission.ts'
import {
  CloudLink,
  OfferSlots,
  Worker,
  type Backend,
  type BackendEvents,
  type BackendRequest,
} from '../src/connector/index.ts'
import {
  failureStatus,
  LINK_FEATURES,
  MAX_DATA_BYTES,
  PROTOCOL_VERSION,
  ResetCode,
  TIME_LIMITS,
  type Exchange,
  type FailureReason,
  type HeaderList,
  type TimeLimits,
} from '../src/protocol/internal.ts'
import { detailsAt } from '../test/connector/node/observed-call.ts'
import { VirtualTime } from '../test/connector/virtual-time.ts'

const TENANT = 'contoso'
const GROUP = 'default'
const OF_GROUP = { tenantId: TENANT, groupId: GROUP, group: tenantKey(TENANT, GROUP) }

/** How an application meets one connector: `unreachable`: not a single octet leaves for it. */
export type Meeting = 'answers' | 'unreachable' | 'hangs'

/** What a user asks for. */
export interface Request {
  readonly method?: string
  readonly body?: string
  readonly application?: string
  readonly user?: string
  readonly needs?: readonly string[]
  /** The group serves no other application. Default: false. */
  readonly isAlone?: boolean
  /** Makes what one attempt alone carries. */
  readonly prepare?: Submission['prepare']
}

/** What became of a request: a status, and the reason where the service gave it itself. */
export interface Told {
  status?: number
  reason?: FailureReason
}

export interface ServedConnector {
  /** What its application got from it, in order: `METHOD body`. */
  readonly got: string[]
  /** The header fields of each, in order. */
  readonly headers: HeaderList[]
  meeting: Meeting
  /** Breaks the link. */
  cut(): void
  /** It takes no offers any more, as when one end says that it drains. */
  detach(): void
}

export class ServedWorld {
  readonly time = new VirtualTime()
  readonly origin: Origin
  readonly #leaving = new WeakMap<Told, () => void>()
  readonly #limits: TimeLimits
  #names = 0

  constructor(limits: Partial<TimeLimits> = {}) {
    const { crypto, clocks, scheduler } = this.time.environment
    this.#limits = { ...TIME_LIMITS, ...limits }
    this.origin = new Origin({
      ...{ instance: 'cloud-1', clocks, scheduler, crypto, limits: this.#limits },
    })
  }

  /** Lets time pass; whatever can happen at the end of it has happened. */
  pass(ms: number): Promise<void> {
    return this.time.pass(ms)
  }

  /** A connector that is up. */
  async connector(
    meeting: Meeting,
    options: { readonly offers?: number; readonly features?: readonly string[] } = {},
  ): Promise<ServedConnector> {
    const { offers = 200, features = LINK_FEATURES } = options
    const { clocks, scheduler } = this.time.environment
    const connectorId = `connector-${++this.#names}`
    const served: ServedConnector = {
      ...{ got: [], headers: [], meeting, cut: () => pipe.cut() },
      detach: () => this.origin.detach(cloud),
    }
    const worker = new Worker({
      ...{ clocks, scheduler, backend: meetingBackend(served) },
      applications: { details: (id) => detailsAt(1, { id }) },
    })
    const events = { wake: () => pipe.wake(), closed: () => undefined }
    const claimer = { tenantId: TENANT, groupId: GROUP, connectorId }
    const cloud = new ConnectorLink(this.origin, claimer, events)
    const pipe = new Pipe(cloud, () => dialled, this.time)
    const dialled = new CloudLink({
      ...{ worker, clocks, limits: this.#limits, instance: 'cloud-1' },
      slots: new OfferSlots(offers),
      hello: {
        ...{ versions: [PROTOCOL_VERSION], run: connectorId, index: 0, epoch: 1 },
        ...{ maxDataBytes: MAX_DATA_BYTES, features },
      },
      events: { ...events, up: () => undefined, hint: () => undefined, draining: () => undefined },
    })
    pipe.wake()
    await this.time.settled()
    return served
  }

  /** Whoever was told this, or waits to be, goes away. */
  leave(told: Told): void {
    this.#leaving.get(told)!()
  }

  /** A user's request; a GET of the wiki unless it says something else. */
  ask(request: Request = {}): Told {
    const { method = 'GET', body = '', application = 'wiki', user = 'ann' } = request
    const octets = Buffer.from(body)
    const told: Told = {}
    const submission: Submission = {
      ...{ applicationId: application, applicationVersion: 'v1', method, target: '/' },
      ...{ headers: [], user: undefined, upgrade: undefined, share: user },
      ...{ needs: request.needs, isAlone: request.isAlone, prepare: request.prepare },
      body: body === '' ? { kind: 'none' } : { kind: 'length', bytes: octets.length },
    }
    let sends = body !== ''
    let exchange: Exchange | undefined
    const { clocks } = this.time.environment
    const submitter: Submitter = {
      claimed: (to) => {
        exchange = to
        if (!sends) return
        // Once: who takes it after another is sent what that one had, without a word.
        sends = false
        to.send(octets, clocks.now())
        to.end(clocks.now())
      },
      responded: ({ status }) => void (told.status = status),
      data: (bytes) => exchange!.consumed(bytes.length, clocks.now()),
      ended: () => undefined,
      writable: () => undefined,
      stopped: () => undefined,
      failed: ({ reason }) => tell(told, reason),
      closed: (outcome) => {
        if (outcome.kind === 'failed' && told.status === undefined) tell(told, outcome.error.reason)
      },
    }
    const to = { ...OF_GROUP, application: tenantKey(TENANT, application) }
    const ticket = this.origin.submit(submission, to, submitter)
    this.#leaving.set(told, () => ticket.cancel())
    return told
  }

  /** So many of them. */
  askAll(count: number, request: Request = {}): readonly Told[] {
    return Array.from({ length: count }, () => this.ask(request))
  }
}

function tell(told: Told, reason: FailureReason): void {
  told.status = failureStatus(reason).status
  told.reason = reason
}

/** The transport: what one end says the other reads, in the same moment. */
class Pipe {
  readonly #cloud: ConnectorLink
  readonly #connector: () => CloudLink
  readonly #time: VirtualTime
  #isScheduled = false
  #isCut = false

  constructor(cloud: ConnectorLink, connector: () => CloudLink, time: VirtualTime) {
    this.#cloud = cloud
    this.#connector = connector
    this.#time = time
    this.#tick()
  }

  wake(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      if (!this.#isCut) this.#pass()
    })
  }

  cut(): void {
    this.#isCut = true
    this.#cloud.link.lost()
    this.#connector().link.lost()
  }

  #pass(): void {
    const [cloud, connector] = [this.#cloud.link, this.#connector().link]
    const { now } = this.#time
    const up = connector.takeOutput(256 * 1024)
    const down = cloud.takeOutput(256 * 1024)
    for (const bytes of up) cloud.receive(bytes, now)
    for (const bytes of down) connector.receive(bytes, now)
    if (cloud.hasMore || connector.hasMore) this.wake()
  }

  #tick(): void {
    const { clocks, scheduler } = this.#time.environment
    scheduler.at(clocks.now() + 500, () => {
      if (this.#isCut) return
      this.#cloud.link.tick(clocks.now())
      this.#connector().link.tick(clocks.now())
      this.#tick()
    })
  }
}

/** The application as one connector meets it. */
function meetingBackend(served: ServedConnector): Backend {
  const answer = (events: BackendEvents): void => {
    events.responded({ status: 200, headers: [] })
    events.ended(undefined)
  }
  return {
    call(request: BackendRequest, events: BackendEvents) {
      let body = ''
      const { meeting } = served
      const isWhole = (): void => {
        served.headers.push(request.headers)
        served.got.push(`${request.method} ${body}`.trim())
        if (meeting === 'answers') answer(events)
      }
      queueMicrotask(() => {
        if (meeting === 'unreachable') events.notSent(ResetCode.UNREACHABLE, new Error('refused'))
        else if (request.body.kind === 'none') isWhole()
      })
      return {
        write: (bytes) => {
          body += Buffer.from(bytes).toString()
          return meeting !== 'unreachable'
        },
        end: () => {
          if (meeting !== 'unreachable') queueMicrotask(isWhole)
        },
        pause: () => undefined,
        resume: () => undefined,
        abort: () => undefined,
      }
    },
    close: () => Promise.resolve(),
  }
}
