/** Offers that one instance brings and another, their origin, holds the user of: declined where they came from, claimed where they belong. */
import { expect, test } from 'vitest'
import { CloudLink, OfferSlots, Worker } from '../../src/connector/index.ts'
import { OriginLines, type ClaimConnection } from '../../src/connector/origin-lines.ts'
import type { ClaimLine } from '../../src/connector/claim-line.ts'
import type { BackendEvents } from '../../src/connector/index.ts'
import {
  AcceptedLink,
  Exchange,
  isReplayable,
  LINK_FEATURES,
  MAX_DATA_BYTES,
  PROTOCOL_VERSION,
  TIME_LIMITS,
  type Claim,
  type Decline,
  type ExchangeOutcome,
  type Hello,
  type LinkEnd,
  type Offer,
} from '../../src/protocol/internal.ts'
import { detailsAt } from './node/observed-call.ts'
import { VirtualTime } from './virtual-time.ts'

const nothing = (): void => undefined

/** The cloud's end of one link, which claims as it is told to. */
class CloudEnd {
  readonly claims: Claim[] = []
  readonly declines: Decline[] = []
  readonly outcomes: ExchangeOutcome[] = []
  readonly statuses: number[] = []
  hello: Hello | undefined
  end: LinkEnd | undefined
  readonly link: AcceptedLink

  constructor(instance: string, time: VirtualTime) {
    this.link = new AcceptedLink(
      {
        wake: nothing,
        hello: (hello) => {
          this.hello = hello
          return {
            ...{ version: PROTOCOL_VERSION, instance, windowBytes: 65_536, leaseMs: 0 },
            ...{ maxDataBytes: MAX_DATA_BYTES, pingMs: 15_000, features: LINK_FEATURES },
          }
        },
        claim: (claim, wire, { windowBytes, budget }) => {
          this.claims.push(claim)
          const handler = {
            ...{ data: nothing, ended: nothing, writable: nothing, stopped: nothing },
            responded: ({ status }: { status: number }) => void this.statuses.push(status),
            closed: (outcome: ExchangeOutcome) => void this.outcomes.push(outcome),
          }
          const exchange = new Exchange(wire, handler, {
            ...{ role: 'requester', now: time.now, requestBody: false, budget },
            ...{ sendCreditBytes: claim.credit, receiveWindowBytes: windowBytes },
          })
          return { exchange, confirm: this.confirms }
        },
        decline: (decline) => void this.declines.push(decline),
        granted: nothing,
        closed: (end) => (this.end = end),
      },
      5_000,
      time.now,
    )
  }

  confirms = true
}

interface Call {
  readonly events: BackendEvents
  aborted: boolean
}

/** One connector, a link to cloud-1 that takes offers, and whatever it dials for claims. */
class World {
  readonly time = new VirtualTime()
  readonly calls: Call[] = []
  readonly slots: OfferSlots
  /** The cloud's ends of links dialled for claims, by instance. */
  readonly dialled: [instance: string, end: CloudEnd][] = []
  readonly #links: [CloudLink, CloudEnd][] = []
  readonly origins: OriginLines
  readonly home: CloudEnd
  readonly homeLink: CloudLink
  readonly worker: Worker
  /** Whether dialled instances answer. */
  answers = true

  constructor(total = 4, streams = 10) {
    const { environment } = this.time
    this.slots = new OfferSlots(total, streams, 2 * total)
    this.worker = new Worker({
      clocks: environment.clocks,
      scheduler: environment.scheduler,
      applications: { details: () => detailsAt(1) },
      backend: {
        call: (_request, events) => {
          const call: Call = { events, aborted: false }
          this.calls.push(call)
          return {
            write: () => true,
            ...{ end: nothing, pause: nothing, resume: nothing },
            abort: () => void (call.aborted = true),
          }
        },
        close: () => Promise.resolve(),
      },
    })
    this.origins = new OriginLines({
      environment,
      dial: (instance, epoch, { connected, ended }) => {
        const end = new CloudEnd(instance, this.time)
        this.dialled.push([instance, end])
        const link = this.#link(instance, end, new OfferSlots(0, 0, 2 * total), epoch, 1, {
          up: connected,
          closed: ended,
        })
        const connection: ClaimConnection = {
          get open() {
            return link.open
          },
          claim: (...args: Parameters<ClaimLine['claim']>) => link.claim(...args),
          drain: () => link.link.drain(),
          close: () => link.link.close(),
          gone: Promise.resolve(),
        }
        return connection
      },
    })
    this.origins.list(['cloud-1', 'cloud-2'])
    this.home = new CloudEnd('cloud-1', this.time)
    this.homeLink = this.#link('cloud-1', this.home, this.slots, 1, 0, {
      up: nothing,
      closed: nothing,
    })
    this.origins.up('cloud-1', this.homeLink)
    this.pump()
  }

  #link(
    instance: string,
    end: CloudEnd,
    slots: OfferSlots,
    epoch: number,
    index: number,
    { up, closed }: { up: () => void; closed: () => void },
  ): CloudLink {
    const { worker, origins } = this
    const link = new CloudLink({
      ...{ worker, origins, instance, slots, limits: TIME_LIMITS },
      clocks: this.time.environment.clocks,
      hello: {
        ...{ versions: [PROTOCOL_VERSION], run: 'connector', index, epoch },
        ...{ maxDataBytes: MAX_DATA_BYTES, features: LINK_FEATURES },
      },
      events: { wake: nothing, up, hint: nothing, draining: nothing, closed },
    })
    this.#links.push([link, end])
    return link
  }

  /** Carries everything that is said, until nobody says anything. */
  pump(): void {
    for (let isQuiet = false; !isQuiet;) {
      isQuiet = true
      for (const [link, end] of this.#links) {
        if (!this.answers && end !== this.home) continue
        for (const bytes of link.link.takeOutput(Infinity)) {
          isQuiet = false
          end.link.receive(bytes, this.time.now)
        }
        for (const bytes of end.link.takeOutput(Infinity)) {
          isQuiet = false
          link.link.receive(bytes, this.time.now)
        }
      }
    }
  }

  async settled(): Promise<void> {
    for (let i = 0; i < 3; i++) {
      await this.time.settled()
      this.pump()
    }
  }

  /** Milliseconds pass, a tick at a time. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 500) {
      await this.time.pass(Math.min(500, left))
      for (const [link, end] of this.#links) {
        link.link.tick(this.time.now)
        end.link.tick(this.time.now)
      }
      await this.settled()
    }
  }

  async offer(parts: Partial<Offer> = {}): Promise<Offer> {
    const offer: Offer = {
      ...{ id: String(this.#ids++).padStart(32, '0'), attempt: 1, applicationId: 'wiki' },
      ...{ applicationVersion: 'v1', method: 'GET', target: '/', headers: [] },
      ...{ user: undefined, body: { kind: 'none' } as const, upgrade: undefined },
      ...{ remainingMs: 5_000, origin: 'cloud-2' },
      ...parts,
    }
    this.home.link.offer(offer)
    this.pump()
    await this.settled()
    return offer
  }

  #ids = 1
}

test('it is claimed at its origin, over a link dialled for claims; its slot is returned where it came from', async () => {
  const world = new World()
  const { id, attempt } = await world.offer()
  const [[instance, end]] = world.dialled as [[string, CloudEnd]]
  expect(instance).toBe('cloud-2')
  expect(end.hello).toMatchObject({ offers: 0, granted: 0, slots: 8, index: 1 })
  expect(end.claims).toEqual([{ id, attempt, credit: 0 }])
  expect([world.home.claims, world.home.declines]).toEqual([[], []])
  expect(world.home.link.grants).toBe(3)
  world.calls[0]!.events.responded({ status: 204, headers: [] })
  world.calls[0]!.events.ended(undefined)
  await world.settled()
  expect([end.statuses, end.outcomes]).toEqual([[204], [{ kind: 'done' }]])
  expect(world.home.link.grants).toBe(4)
})

test('it waits for its confirmation, replayable as it is', async () => {
  const world = new World()
  world.answers = true
  await world.offer({ origin: 'cloud-1' })
  // Of its own instance a GET starts at once.
  expect(world.calls.length).toBe(1)
  const unconfirmed = new World()
  await unconfirmed.offer()
  const [, end] = unconfirmed.dialled[0]!
  end.confirms = false
  expect(unconfirmed.calls.length).toBe(1)
  await unconfirmed.offer()
  expect([end.claims.length, unconfirmed.calls.length]).toEqual([2, 1])
  expect(isReplayable({ method: 'GET', body: { kind: 'none' }, upgrade: undefined })).toBe(true)
})

test('an origin that is up already is not dialled', async () => {
  const world = new World()
  await world.offer()
  await world.offer()
  expect(world.dialled.length).toBe(1)
  expect(world.dialled[0]![1].claims.length).toBe(2)
})

test('many offers of one origin are one dial; one that does not come up in time is unreachable', async () => {
  const world = new World()
  world.answers = false
  const offers = [await world.offer(), await world.offer(), await world.offer()]
  await world.pass(1_500)
  expect([world.dialled.length, world.home.declines]).toEqual([1, []])
  await world.pass(1_000)
  expect(world.home.declines).toEqual(
    offers.map(({ id, attempt }) => ({ id, attempt, reason: 'origin-unreachable' })),
  )
  expect([world.home.link.grants, world.worker.busy, world.calls]).toEqual([4, 0, []])
  // The next one tries again.
  await world.offer()
  expect(world.dialled.length).toBe(2)
})

test('an offer whose time is over sooner is declined then', async () => {
  const world = new World()
  world.answers = false
  const { id, attempt } = await world.offer({ remainingMs: 1_000 })
  await world.pass(1_000)
  expect(world.home.declines).toEqual([{ id, attempt, reason: 'overloaded' }])
  world.answers = true
  await world.pass(2_000)
  expect([world.dialled[0]![1].claims, world.calls, world.home.link.grants]).toEqual([[], [], 4])
})

test('an origin that the configuration does not list is declined at once', async () => {
  const world = new World()
  const { id, attempt } = await world.offer({ origin: 'cloud-9' })
  expect(world.home.declines).toEqual([{ id, attempt, reason: 'unlisted-origin' }])
  expect([world.dialled, world.home.link.grants]).toEqual([[], 4])
})

test('a link that was dialled for claims and carries nothing is let go of after a minute', async () => {
  const world = new World()
  await world.offer()
  const [, end] = world.dialled[0]!
  // While it carries something it stays.
  await world.pass(75_000)
  expect(end.end).toBeUndefined()
  world.calls[0]!.events.responded({ status: 204, headers: [] })
  world.calls[0]!.events.ended(undefined)
  await world.pass(125_000)
  expect(end.end).toMatchObject({ reason: 'drained' })
  await world.offer()
  expect(world.dialled.length).toBe(2)
})

test('offers beyond what was granted are a violation, on a link for claims too', async () => {
  const world = new World()
  const { id } = await world.offer()
  const [, end] = world.dialled[0]!
  expect(end.link.grants).toBe(0)
  end.link.offer({
    ...{ id: `f${id.slice(1)}`, attempt: 1, applicationId: 'wiki', applicationVersion: 'v1' },
    ...{ method: 'GET', target: '/', headers: [], user: undefined, upgrade: undefined },
    ...{ body: { kind: 'none' }, remainingMs: 5_000, origin: 'cloud-2' },
  })
  await world.settled()
  expect(end.end).toMatchObject({ reason: 'violation' })
})

const STREAM = { status: 200, headers: ['Content-Type', 'text/event-stream'] }

test('what is long gives its slot back where its offer came from, once, within the bound', async () => {
  const world = new World(4, 2)
  for (let i = 0; i < 3; i++) await world.offer({ origin: 'cloud-1' })
  expect(world.home.link.grants).toBe(1)
  for (const { events } of world.calls) events.responded(STREAM)
  await world.settled()
  // The third keeps its slot: there is room for two.
  expect([world.home.link.grants, world.worker.busy]).toEqual([3, 3])
  for (const { events } of world.calls) events.ended(undefined)
  await world.settled()
  expect([world.home.link.grants, world.worker.busy, world.slots.free]).toEqual([4, 0, 4])
})

test('a begun answer that stands still is long after half a minute', async () => {
  const world = new World()
  await world.offer({ origin: 'cloud-1' })
  world.calls[0]!.events.responded({ status: 200, headers: [] })
  await world.pass(28_000)
  expect(world.home.link.grants).toBe(3)
  await world.pass(4_000)
  expect(world.home.link.grants).toBe(4)
  world.calls[0]!.events.ended(undefined)
  await world.settled()
  expect(world.home.link.grants).toBe(4)
})

test('an answer that its user does not read is long after five seconds', async () => {
  const world = new World()
  await world.offer({ origin: 'cloud-1' })
  world.calls[0]!.events.responded({ status: 200, headers: [] })
  // Twice the window, of which nobody takes anything.
  world.calls[0]!.events.data(new Uint8Array(128 * 1024))
  await world.settled()
  await world.pass(3_000)
  expect(world.home.link.grants).toBe(3)
  await world.pass(4_000)
  expect(world.home.link.grants).toBe(4)
})
