/** What holds of the dispatcher whatever connectors, users and time do. */
import fc from 'fast-check'
import { beforeEach, expect, test } from 'vitest'
import type { AttemptOutcome, ExchangeId } from '../../../src/protocol/internal.ts'
import { DispatchWorld } from './dispatch-world.ts'

const FAILURES = [
  ...['unknown-application', 'declined', 'not-sent', 'claim-missed', 'given-up'],
  ...['lost', 'violation', 'not-signed-on'],
] as readonly AttemptOutcome[]
const PROGRESS = ['claimed', 'claimed', 'answered', 'ended', 'ended'] as const

/** One thing that happens; numbers choose among what there is. */
const happening = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('ask' as const),
      application: fc.constantFrom('wiki', 'mail', 'news'),
      user: fc.constantFrom('ann', 'ben', 'cem'),
      isReplayable: fc.boolean(),
      isUpgrade: fc.boolean(),
      waitMs: fc.integer({ min: 1, max: 5_000 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('outcome' as const),
      which: fc.nat(),
      outcome: fc.constantFrom<AttemptOutcome>(...PROGRESS, ...FAILURES),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('attach' as const),
      connector: fc.constantFrom('a', 'b', 'c'),
      offers: fc.integer({ min: 1, max: 12 }),
      upgrades: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('detach' as const), which: fc.nat() }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('pass' as const),
      ms: fc.integer({ min: 1, max: 3_000 }),
    }),
  },
)
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never

interface Asked {
  readonly application: string
  readonly user: string
  readonly isUpgrade: boolean
  readonly refusers: Set<string>
  until: number
  /** The link that its attempt is on. */
  link: number | undefined
}

/** Plays what happens against a dispatcher, and checks each decision when it is made. */
class Judge {
  readonly #world = new DispatchWorld()
  readonly #asked = new Map<ExchangeId, Asked>()
  readonly #links = new Map<
    number,
    { readonly connector: string; readonly offers: number; readonly upgrades: boolean }
  >()
  readonly #grants = new Map<number, number>()
  readonly #ids: ExchangeId[] = []
  #capacity = 0
  #seen = 0

  play(one: Happening): void {
    const world = this.#world
    switch (one.type) {
      case 'ask': {
        const { application, user, isReplayable, isUpgrade, waitMs } = one
        const id = `x${this.#ids.length}` as ExchangeId
        this.#ids.push(id)
        this.#asked.set(id, {
          ...{ application, user, isUpgrade, refusers: new Set() },
          ...{ until: world.now + waitMs, link: undefined },
        })
        const needs = isUpgrade ? ['upgrade'] : []
        world.ask({ id, application, user, isReplayable, needs }, waitMs)
        break
      }
      case 'outcome':
        this.#outcome(this.#ids[one.which % Math.max(1, this.#ids.length)], one.outcome)
        break
      case 'attach': {
        const { connector, offers, upgrades } = one
        const link = this.#links.size + 1
        this.#links.set(link, { connector, offers, upgrades })
        this.#grants.set(link, offers)
        this.#capacity += offers
        world.attach(connector, offers, { features: upgrades ? ['upgrade'] : [] })
        break
      }
      case 'detach': {
        const open = [...this.#grants.keys()]
        const link = open[one.which % Math.max(1, open.length)]
        if (link === undefined) break
        this.#capacity -= this.#links.get(link)!.offers
        this.#grants.delete(link)
        world.detach(link)
        break
      }
      case 'pass':
        world.pass(one.ms)
    }
    this.#judge()
  }

  /** Time enough for every wait: what is not under way has been refused. */
  end(): void {
    this.#world.pass(6_000)
    this.#judge()
    for (const { link } of this.#asked.values()) expect(link).toBeDefined()
  }

  #outcome(id: ExchangeId | undefined, outcome: AttemptOutcome): void {
    const asked = id === undefined ? undefined : this.#asked.get(id)
    if (id === undefined || asked === undefined) return
    const { link } = asked
    if (outcome === 'ended') this.#asked.delete(id)
    else if (link === undefined) return
    if (!FAILURES.includes(outcome)) return this.#world.say(id, outcome)
    asked.link = undefined
    asked.until = this.#world.now + 700
    // Whoever only paused may be asked again.
    if (['unknown-application', 'not-sent', 'not-signed-on'].includes(outcome))
      asked.refusers.add(this.#links.get(link!)!.connector)
    this.#world.again(id, outcome, 700)
  }

  #judge(): void {
    const { decided } = this.#world
    for (; this.#seen < decided.length; this.#seen++) {
      const one = decided[this.#seen]!
      const asked = this.#asked.get(one.id)!
      // Once at a time, and only while somebody waits for it.
      expect(asked.link).toBeUndefined()
      if ('refused' in one) {
        this.#asked.delete(one.id)
        continue
      }
      const link = this.#links.get(one.link)!
      expect(one.at).toBeLessThan(asked.until)
      expect(asked.refusers.has(link.connector)).toBe(false)
      expect(link.upgrades || !asked.isUpgrade).toBe(true)
      const grants = this.#grants.get(one.link)!
      expect(grants).toBeGreaterThan(0)
      this.#grants.set(one.link, grants - 1)
      asked.link = one.link
      const held = [...this.#asked.values()].filter(
        (other) => other.link !== undefined && other.application === asked.application,
      )
      const share = Math.max(1, Math.floor(this.#capacity / 2))
      expect(held.length).toBeLessThanOrEqual(share)
      const own = held.filter(({ user }) => user === asked.user)
      expect(own.length).toBeLessThanOrEqual(Math.max(1, Math.floor(share / 2)))
    }
  }
}

test('offers keep to deadlines, grants, features, exclusions and shares; every wait ends', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 120 }), (happenings) => {
      const judge = new Judge()
      for (const one of happenings) judge.play(one)
      judge.end()
    }),
    { numRuns: 300 },
  )
})

/** What is said of a request that other instances were offered; without a name, nobody there could put it on a link. */
const returned = fc.record({
  outcome: fc.constantFrom<AttemptOutcome>('declined', 'unknown-application'),
  connector: fc.constantFrom('a', 'b', 'c', undefined, undefined, undefined),
})
const elsewhere = fc.oneof(
  { weight: 2, arbitrary: fc.record({ ask: fc.boolean() }) },
  { weight: 12, arbitrary: fc.record({ which: fc.nat(1), returned }) },
  {
    weight: 1,
    arbitrary: fc.record({ announced: fc.uniqueArray(fc.constantFrom('a', 'b', 'c')) }),
  },
  { weight: 1, arbitrary: fc.record({ ms: fc.integer({ min: 1, max: 900 }) }) },
)

test('other instances are asked in vain three times until they announce themselves anew, and never for what all of theirs have refused', () => {
  fc.assert(
    fc.property(fc.array(elsewhere, { maxLength: 150 }), (happenings) => {
      const world = new DispatchWorld()
      const announced = new Map<number, readonly string[]>()
      const asked = new Map<ExchangeId, { refusers: Set<string>; vain: Map<number, number> }>()
      let link: number | undefined
      let seen = 0
      for (const one of happenings) {
        if ('ask' in one)
          asked.set(world.ask({ isReplayable: one.ask }), { refusers: new Set(), vain: new Map() })
        else if ('ms' in one) world.pass(one.ms)
        else if ('announced' in one) {
          if (link !== undefined) world.detach(link)
          link = world.attach('', 50, { isRemote: true, connectors: one.announced })
          announced.set(link, one.announced)
        } else {
          const id = [...asked.keys()][one.which % Math.max(1, asked.size)]
          const last = world.decided.findLast((decided) => decided.id === id)
          if (id === undefined || last === undefined || !('to' in last)) continue
          const { refusers, vain } = asked.get(id)!
          const { connector } = one.returned
          // Whoever is not named cannot have refused it for good.
          const outcome = connector === undefined ? 'declined' : one.returned.outcome
          if (connector === undefined) vain.set(last.link, (vain.get(last.link) ?? 0) + 1)
          if (outcome === 'unknown-application') refusers.add(connector!)
          world.again(id, outcome, 700, connector)
        }
        for (; seen < world.decided.length; seen++) {
          const decided = world.decided[seen]!
          if (!('to' in decided)) continue
          const { refusers, vain } = asked.get(decided.id)!
          expect(vain.get(decided.link) ?? 0).toBeLessThan(3)
          const there = announced.get(decided.link)!
          expect(there.some((connector) => !refusers.has(connector))).toBe(true)
        }
      }
      world.pass(6_000)
      for (const id of asked.keys()) expect(world.of(id).length).toBeGreaterThan(0)
    }),
    { numRuns: 300 },
  )
})

/** What a connector that does not mean well does with an offer. */
const rogue = fc.array(
  fc.constantFrom<readonly AttemptOutcome[]>(
    ['claimed', 'answered', 'ended'],
    ['claimed', 'answered', 'ended'],
    ['claimed'],
    ['claimed', 'ended'],
    ...FAILURES.map((failure) => [failure]),
    ...FAILURES.map((failure) => ['claimed', failure] as const),
  ),
  { minLength: 1, maxLength: 40 },
)

test('no connector gets more than an equal share, whatever it declines, fails, answers or grants', () => {
  fc.assert(
    fc.property(
      rogue,
      fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 60, maxLength: 60 }),
      fc.boolean(),
      (behaviour, pauses, isFirst) => {
        const world = new DispatchWorld()
        if (isFirst) world.attach('rogue', 5_000)
        const honest = world.attach('honest', 200)
        if (!isFirst) world.attach('rogue', 5_000)
        let turn = 0
        const busy: { readonly id: ExchangeId; readonly until: number }[] = []
        for (const [i, pause] of pauses.entries()) {
          const id = world.ask({ user: `u${i}`, isReplayable: i % 3 > 0 })
          for (let tries = 0; tries < 4 && world.of(id).at(-1) === 'rogue'; tries++) {
            const outcomes = behaviour[turn++ % behaviour.length]!
            const last = outcomes.at(-1)!
            world.say(id, ...outcomes.slice(0, -1))
            if (FAILURES.includes(last)) world.again(id, last)
            else {
              world.say(id, last)
              break
            }
          }
          // The honest one takes its time, and answers everything within a second.
          if (world.of(id).at(-1) === 'honest') {
            world.say(id, 'claimed', 'answered')
            busy.push({ id, until: world.now + 500 })
          }
          world.pass(pause)
          while (busy.length > 0 && busy[0]!.until <= world.now) {
            world.say(busy.shift()!.id, 'ended')
            world.grant(honest)
          }
        }
        // A probe now and then is not its share.
        expect(world.to('rogue')).toBeLessThanOrEqual(world.to('honest') + 4)
      },
    ),
    { numRuns: 300 },
  )
})

test('a connector that is silent holds no more than its ramp, and replayable requests are answered', () => {
  fc.assert(
    fc.property(
      fc.array(fc.boolean(), { minLength: 40, maxLength: 200 }),
      fc.integer({ min: 0, max: 60 }),
      (kinds, everyMs) => {
        const world = new DispatchWorld()
        world.attach('silent', 5_000)
        const well = world.attach('well', 200)
        const answered = new Set<ExchangeId>()
        const claimedAt = new Map<ExchangeId, number>()
        const ids: ExchangeId[] = []
        const step = () => {
          for (const [i, id] of ids.entries()) {
            const to = world.of(id).at(-1)
            if (to === 'well' && !answered.has(id)) {
              answered.add(id)
              world.say(id, 'claimed', 'answered', 'ended')
              world.grant(well)
            }
            if (to !== 'silent') continue
            world.say(id, 'claimed')
            const since = claimedAt.get(id) ?? world.now
            claimedAt.set(id, since)
            if (!kinds[i]! || world.now - since < 5_000) continue
            if (world.dispatcher.mayGiveUp(id, world.now)) world.again(id, 'given-up')
          }
        }
        for (const [i, isReplayable] of kinds.entries()) {
          ids.push(world.ask({ user: `u${i}`, isReplayable }))
          world.pass(everyMs)
          step()
        }
        for (let i = 0; i < 150; i++) {
          world.pass(100)
          step()
        }
        const lost = ids.filter((id) => !answered.has(id))
        expect(lost.length).toBeLessThanOrEqual(4)
        for (const id of lost) expect(kinds[ids.indexOf(id)]).toBe(false)
      },
    ),
    { numRuns: 40 },
  )
})

/** What one more request costs: counted in look-ups of the maps, not in time. */
let lookUps: number
beforeEach(() => {
  lookUps = 0
})

test('an input costs the same, however many requests wait', () => {
  const costs = [10, 400].map((waiting) => {
    const world = new DispatchWorld()
    const link = world.attach('a', 4)
    for (let i = 0; i < 8; i++) world.ask({ user: `u${i}` })
    for (let i = 0; i < waiting; i++) world.ask({ user: `v${i}` })
    const restore = counted(() => (lookUps += 1))
    try {
      lookUps = 0
      const first = world.decided[0]!.id
      world.say(first, 'claimed', 'answered', 'ended')
      world.grant(link)
      return lookUps
    } finally {
      restore()
    }
  })
  expect(costs[0]).toBeGreaterThan(0)
  expect(costs[1]).toBe(costs[0])
})

/** Counts steps over maps and sets, and what is looked up in them. */
function counted(count: () => void): () => void {
  const steps = [
    Object.getPrototypeOf(new Map().values()) as { next: () => unknown },
    Object.getPrototypeOf(new Set().values()) as { next: () => unknown },
  ]
  const nexts = steps.map(({ next }) => next)
  for (const [i, step] of steps.entries()) {
    step.next = function (this: unknown) {
      count()
      return nexts[i]!.call(this)
    }
  }
  return () => {
    for (const [i, step] of steps.entries()) step.next = nexts[i]!
  }
}
