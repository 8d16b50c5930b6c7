/**
 * Dispatch in virtual time: the real dispatchers of many instances, joined as they are over a
 * broker, with the links that the real rule chooses, and requests that come by chance (Poisson).
 *
 * Groups share nothing but processors, so a few of them at their full rate show what many would.
 * Not in it: processor time, bodies, networks. Equal seeds give equal outcomes.
 *
 * @module
 */
import { chosenInstances } from '../../src/connector/instance-choice.ts'
import {
  Dispatcher,
  MAX_ATTEMPTS,
  TIME_LIMITS,
  type AttemptOutcome,
  type ExchangeId,
} from '../../src/protocol/internal.ts'
import { VirtualTime } from './virtual-time.ts'

/** What is simulated. */
export interface Scenario {
  readonly instances: number
  /** Instances that a connector has links to. */
  readonly dialled: number
  readonly groups: number
  /** In each group. */
  readonly connectors: number
  /** Of a connector, over all its links. */
  readonly slots: number
  /** Of each group. */
  readonly requestsPerSecond: number
  /** From a claim to the end of the answer: the mean of an exponential distribution. */
  readonly serviceMs: number
  readonly seconds: number
  /** In the middle of it this part of them dies; `isSilent`: and no connection tells of it. */
  readonly fault?: {
    readonly of: 'instances' | 'connectors'
    readonly part: number
    readonly isSilent: boolean
  }
}

/** What came of it. `waits`: of answered requests, until they were put on a link. Sorted. */
export interface Outcome {
  readonly requests: number
  readonly answered: number
  readonly refused: number
  readonly lost: number
  /** Requests that travelled to another instance. */
  readonly hops: number
  /** Of the connectors' slots. */
  readonly utilisation: number
  readonly waits: readonly number[]
}

interface Instance {
  readonly id: string
  readonly dispatcher: Dispatcher
  /** By number; a link that is not here stands for other instances. */
  readonly links: Map<number, Connector>
  /** By group: what stands for other instances, and when they were heard. */
  readonly remote: Map<string, { readonly link: number; readonly at: number }>
  isUp: boolean
}

interface Connector {
  readonly id: string
  readonly group: string
  isSilent: boolean
}

interface Request {
  readonly id: ExchangeId
  readonly group: string
  readonly user: string
  readonly isReplayable: boolean
  readonly origin: Instance
  readonly askedAt: number
  until: number
  /** Another one with each offer: what is said of an earlier one counts no more. */
  turn: number
  failures: number
  hasTravelled: boolean
  at: Carried | undefined
}

interface Carried {
  readonly instance: Instance
  readonly connector: Connector
  isClaimed: boolean
}

/** There and back over a link; one way over the broker, half of what was measured both ways. */
const LINK_MS = 1
const BROKER_MS = 0.55
const ANNOUNCED_MS = 100
const HELLO_MS = 1_000
const SILENT_MS = 4_000
const TICK_MS = 50
/** What is under way at the end has so long. */
const REST_MS = 15_000
/** The connector of whatever stands for other instances. */
const REMOTE = ''

export function simulate(scenario: Scenario, seed: number): Outcome {
  return new Simulation(scenario, seed).run()
}

class Simulation {
  readonly #scenario: Scenario
  readonly #instances: readonly Instance[]
  readonly #connectors: readonly Connector[]
  /** By group: the instances that its connectors have links to. */
  readonly #serving = new Map<string, Set<Instance>>()
  readonly #requests = new Map<ExchangeId, Request>()
  readonly #waits: number[] = []
  readonly #counts = { requests: 0, answered: 0, refused: 0, lost: 0, hops: 0 }
  readonly #time: VirtualTime
  #busyMs = 0
  #links = 0

  constructor(scenario: Scenario, seed: number) {
    this.#scenario = scenario
    this.#time = new VirtualTime(seed)
    this.#instances = Array.from({ length: scenario.instances }, (_, i) => ({
      ...{ id: `cloud-${i + 1}`, dispatcher: new Dispatcher({ seed: seed + i }) },
      ...{ links: new Map<number, Connector>(), remote: new Map(), isUp: true },
    }))
    this.#connectors = Array.from({ length: scenario.groups * scenario.connectors }, (_, i) => ({
      ...{ id: `connector-${i}`, group: `group-${i % scenario.groups}`, isSilent: false },
    }))
  }

  /** Nobody comes any more. */
  get #endMs(): number {
    return this.#scenario.seconds * 1_000
  }

  run(): Outcome {
    const { groups, fault, connectors, slots } = this.#scenario
    const endMs = this.#endMs
    for (const connector of this.#connectors) this.#connect(connector)
    for (let i = 0; i < groups; i++) this.#ask(`group-${i}`)
    for (let ms = TICK_MS; ms < endMs + REST_MS; ms += TICK_MS)
      this.#time.after(ms, () => this.#tick())
    if (fault !== undefined) this.#time.after(endMs / 2, () => this.#fault(fault))
    this.#time.pass(endMs + REST_MS)
    return {
      ...this.#counts,
      lost: this.#counts.lost + this.#requests.size,
      utilisation: this.#busyMs / (endMs * groups * connectors * slots),
      waits: this.#waits.sort((one, other) => one - other),
    }
  }

  #connect(connector: Connector): void {
    const { dialled, slots } = this.#scenario
    const { id, group } = connector
    const listed = this.#instances.map((instance) => instance.id)
    const chosen = chosenInstances(id, listed, dialled)
    for (const [turn, name] of chosen.entries()) {
      const offers = Math.floor(slots / chosen.length) + (turn < slots % chosen.length ? 1 : 0)
      const instance = this.#instances[listed.indexOf(name)]!
      const link = ++this.#links
      instance.links.set(link, connector)
      this.#serving.set(group, (this.#serving.get(group) ?? new Set()).add(instance))
      const room = { features: [], offers, granted: offers }
      instance.dispatcher.attach({ link, group, connector: id, ...room }, this.#time.now)
    }
  }

  // ── requests ──────────────────────────────────────────────────────────────────────────────

  /** The next user of a group comes; then the one after. */
  #ask(group: string): void {
    const inMs = this.#time.exponential(1_000 / this.#scenario.requestsPerSecond)
    if (this.#time.now + inMs >= this.#endMs) return
    this.#time.after(inMs, () => {
      this.#ask(group)
      const request: Request = {
        ...{ id: String(++this.#counts.requests) as ExchangeId, group },
        ...{ user: `user-${this.#time.below(50)}`, isReplayable: this.#time.below(5) > 0 },
        origin: this.#time.one(this.#instances.filter(({ isUp }) => isUp))!,
        ...{ askedAt: this.#time.now, until: this.#time.now + TIME_LIMITS.queueWaitMs },
        ...{ turn: 0, failures: 0, hasTravelled: false, at: undefined },
      }
      this.#requests.set(request.id, request)
      this.#submit(request.origin, request, [])
    })
  }

  #submit(instance: Instance, request: Request, excluded: readonly string[]): void {
    const { id, group, user, isReplayable, until } = request
    this.#hear(instance, group)
    const named = { id, group, application: group, user, isReplayable, needs: [], isAlone: true }
    instance.dispatcher.submit({ ...named, excluded }, until, this.#time.now)
    this.#perform(instance)
  }

  #perform(instance: Instance): void {
    for (const decision of instance.dispatcher.decisions()) {
      const request = this.#requests.get(decision.id)
      if (request === undefined) continue
      if (decision.type === 'refuse') {
        if (instance === request.origin) this.#end(request, 'refused')
      } else this.#offer(request, instance, decision.link, decision.claimMs)
    }
  }

  #offer(request: Request, instance: Instance, link: number, claimMs: number): void {
    const turn = ++request.turn
    const connector = instance.links.get(link)
    if (connector === undefined) return this.#travel(request, turn)
    const at: Carried = { instance, connector, isClaimed: false }
    request.at = at
    const waitMs = this.#time.now - request.askedAt
    const serviceMs = this.#time.exponential(this.#scenario.serviceMs)
    const stands = () => request.turn === turn && !connector.isSilent
    this.#time.after(LINK_MS, () => {
      if (!stands()) return
      at.isClaimed = true
      this.#say(request, 'claimed')
    })
    this.#time.after(LINK_MS + serviceMs, () => {
      if (!stands()) return
      this.#waits.push(waitMs)
      this.#busyMs += Math.max(0, serviceMs - Math.max(0, this.#time.now - this.#endMs))
      this.#say(request, 'answered')
      this.#end(request, 'answered')
      instance.dispatcher.granted(link, 1, this.#time.now)
      this.#perform(instance)
    })
    // What comes only where something is wrong.
    this.#time.after(claimMs, () => {
      if (request.turn === turn && !at.isClaimed) this.#fail(request, 'claim-missed')
    })
    this.#time.after(LINK_MS + TIME_LIMITS.answerPatienceMs, () => {
      if (request.turn !== turn || !connector.isSilent) return
      const { dispatcher } = request.origin
      if (dispatcher.mayGiveUp(request.id, this.#time.now)) this.#fail(request, 'given-up')
    })
  }

  /** Over the broker, to one of those who have room; or back, where nobody has. */
  #travel(request: Request, turn: number): void {
    const { id, origin, group } = request
    if (!request.hasTravelled) this.#counts.hops += 1
    request.hasTravelled = true
    request.at = undefined
    this.#time.after(BROKER_MS, () => {
      if (request.turn !== turn) return
      const roomy = this.#others(origin, group).filter(({ granted }) => granted > 0)
      const target = this.#time.one(roomy)?.instance
      if (target !== undefined) this.#submit(target, request, [REMOTE])
      if (request.turn !== turn) return
      if (target !== undefined) this.#forget(target, id)
      this.#time.after(BROKER_MS, () => {
        if (request.turn === turn) this.#fail(request, 'declined')
      })
    })
  }

  /** Whoever has the user is told, and whoever has the link. */
  #say(request: Request, outcome: AttemptOutcome): void {
    const { id, origin, at } = request
    origin.dispatcher.outcome(id, outcome, this.#time.now, at?.connector.id)
    this.#perform(origin)
    if (at === undefined || at.instance === origin) return
    at.instance.dispatcher.outcome(id, outcome, this.#time.now)
    this.#perform(at.instance)
  }

  #fail(request: Request, outcome: AttemptOutcome): void {
    const { id, origin, at } = request
    request.turn += 1
    this.#say(request, outcome)
    if (at !== undefined && at.instance !== origin) this.#forget(at.instance, id)
    request.at = undefined
    if (at !== undefined) this.#observe(origin, at.connector, outcome)
    if (outcome !== 'declined') request.failures += 1
    if (at?.isClaimed === true) request.until = this.#time.now + TIME_LIMITS.queueWaitMs
    const mayHaveRun = at?.isClaimed === true && !request.isReplayable
    if (mayHaveRun || request.failures >= MAX_ATTEMPTS) return this.#end(request, 'lost')
    origin.dispatcher.resubmit(id, request.until, this.#time.now)
    this.#perform(origin)
  }

  #end(request: Request, how: 'answered' | 'refused' | 'lost'): void {
    const { id, origin, at } = request
    if (!this.#requests.delete(id)) return
    request.turn += 1
    this.#counts[how] += 1
    this.#forget(origin, id)
    if (at !== undefined && at.instance !== origin) this.#forget(at.instance, id)
  }

  #forget(instance: Instance, id: ExchangeId): void {
    instance.dispatcher.outcome(id, 'ended', this.#time.now)
    this.#perform(instance)
  }

  // ── instances ─────────────────────────────────────────────────────────────────────────────

  /** Others that serve a group, and what they take. */
  #others(self: Instance, group: string) {
    const found: { instance: Instance; offers: number; granted: number }[] = []
    for (const instance of this.#serving.get(group)!) {
      if (instance === self || !instance.isUp) continue
      const room = { instance, offers: 0, granted: 0 }
      for (const { links } of instance.dispatcher.state.groups.get(group)!.connectors.values())
        for (const { offers, granted, isRemote } of links) {
          room.offers += isRemote ? 0 : offers
          room.granted += isRemote ? 0 : granted
        }
      if (room.offers > 0) found.push(room)
    }
    return found
  }

  /** With the next hello others hear of a fault. */
  #observe(self: Instance, { id: connector, group }: Connector, outcome: AttemptOutcome): void {
    if (outcome !== 'claim-missed' && outcome !== 'given-up' && outcome !== 'lost') return
    this.#time.after(HELLO_MS - (this.#time.now % HELLO_MS), () => {
      for (const instance of this.#serving.get(group)!) {
        if (instance === self) continue
        const seen = { group, application: group, connector, outcome }
        instance.dispatcher.observed(seen, this.#time.now)
        this.#perform(instance)
      }
    })
  }

  /** What others have announced lately; asked for when it matters. */
  #hear(instance: Instance, group: string): void {
    const heard = instance.remote.get(group)
    if (heard !== undefined && this.#time.now - heard.at < ANNOUNCED_MS) return
    if (heard !== undefined) instance.dispatcher.detach(heard.link, this.#time.now)
    const link = ++this.#links
    instance.remote.set(group, { link, at: this.#time.now })
    const others = this.#others(instance, group)
    if (others.length === 0) return
    const offers = others.reduce((sum, one) => sum + one.offers, 0)
    const granted = others.reduce((sum, one) => sum + one.granted, 0)
    const room = { features: [], offers, granted, isRemote: true }
    instance.dispatcher.attach({ link, group, connector: REMOTE, ...room }, this.#time.now)
    this.#perform(instance)
  }

  #tick(): void {
    for (const instance of this.#instances) {
      if (instance.dispatcher.deadline > this.#time.now) continue
      for (const [group, { waiting }] of instance.dispatcher.state.groups)
        if (waiting > 0) this.#hear(instance, group)
      instance.dispatcher.tick(this.#time.now)
      this.#perform(instance)
    }
  }

  // ── what dies ─────────────────────────────────────────────────────────────────────────────

  #fault({ of, part, isSilent }: NonNullable<Scenario['fault']>): void {
    if (of === 'instances') {
      const dead = this.#instances.slice(0, Math.round(this.#instances.length * part))
      for (const instance of dead) this.#instanceDies(instance)
    } else {
      // One of each group before another one of any.
      const dead = this.#connectors.slice(0, Math.round(this.#connectors.length * part))
      for (const connector of dead) this.#connectorDies(connector, isSilent)
    }
  }

  /** Its users are broken off; what it delivers for others comes back once it is missed. */
  #instanceDies(instance: Instance): void {
    instance.isUp = false
    for (const request of [...this.#requests.values()]) {
      const { origin, at, turn } = request
      if (origin === instance) this.#end(request, 'lost')
      else if (at?.instance === instance && !at.isClaimed)
        this.#time.after(SILENT_MS, () => request.turn === turn && this.#fail(request, 'lost'))
    }
  }

  #connectorDies(connector: Connector, isSilent: boolean): void {
    connector.isSilent = true
    if (isSilent) return
    for (const { dispatcher, links } of this.#instances)
      for (const [link, one] of links)
        if (one === connector) dispatcher.detach(link, this.#time.now)
    for (const request of [...this.#requests.values()])
      if (request.at?.connector === connector) this.#fail(request, 'lost')
  }
}
