/** A connector that is half-open takes offers and says nothing: what becomes of them long before a ping tells. */
import { beforeEach, expect, test } from 'vitest'
import { tenantKey } from '../../../src/cloud/index.ts'
import { Origin } from '../../../src/cloud/offers/origin.ts'
import type { OfferLink } from '../../../src/cloud/offers/offer-link.ts'
import type { Submitter } from '../../../src/cloud/offers/submission.ts'
import {
  TIME_LIMITS,
  type ExchangeFailed,
  type ExchangeWire,
  type Offer,
} from '../../../src/protocol/internal.ts'

const GROUP = tenantKey('contoso', 'default')
const TO = {
  groupId: 'default',
  tenantId: 'contoso',
  group: GROUP,
  application: tenantKey('contoso', 'wiki'),
}
const SUBMISSION = {
  applicationId: 'wiki',
  applicationVersion: 'v1',
  method: 'POST',
  target: '/',
  headers: [],
  user: undefined,
  body: { kind: 'length', bytes: 3 },
  upgrade: undefined,
} as const

/** A link that takes offers, and claims none by itself. */
class QuietLink implements OfferLink {
  readonly connectorId: string
  readonly features = []
  readonly offers = 100
  readonly grants = 100
  readonly offered: Offer[] = []

  constructor(connectorId: string) {
    this.connectorId = connectorId
  }

  offer(offer: Offer): void {
    this.offered.push(offer)
  }
}

let now: number
let due: (() => void)[]
let origin: Origin
let quiet: QuietLink
let other: QuietLink
let failures: ExchangeFailed[]
beforeEach(() => {
  now = 0
  due = []
  failures = []
  origin = new Origin({
    instance: 'cloud-1',
    clocks: { now: () => now, wallClock: () => now },
    scheduler: { at: (_deadline, run) => (due.push(run), () => undefined) },
    crypto,
    limits: { ...TIME_LIMITS, claimMs: 1_000 },
  })
  quiet = new QuietLink('quiet')
  other = new QuietLink('other')
})

/** Time passes, tick by tick. */
function pass(ms: number): void {
  for (const until = now + ms; now < until;) {
    now += 50
    for (const run of due.splice(0)) run()
  }
}

function ask(): void {
  const submitter: Submitter = {
    claimed: () => undefined,
    failed: (error) => void failures.push(error),
    data: () => undefined,
    ended: () => undefined,
    writable: () => undefined,
    stopped: () => undefined,
    closed: () => undefined,
  }
  origin.submit(SUBMISSION, TO, submitter)
}

const claim = ({ connectorId, offered }: QuietLink) => {
  const { id, attempt } = offered.at(-1)!
  const wire = { reset: () => undefined, closed: () => undefined } as unknown as ExchangeWire
  const claimer = { tenantId: 'contoso', groupId: 'default', connectorId }
  return origin.claim(claimer, { id, attempt, credit: 0 }, wire, { windowBytes: 65_536 })
}

test('an offer that nobody claims in time goes to another link; the late claim is gone', () => {
  origin.attach(GROUP, quiet)
  ask()
  origin.attach(GROUP, other)
  pass(1_200)
  expect(other.offered[0]).toMatchObject({ id: quiet.offered[0]!.id, attempt: 2 })
  expect(claim(quiet)).toBeUndefined()
  expect(claim(other)).toBeDefined()
  expect(failures).toEqual([])
})

test('a link that was silent is passed over', () => {
  origin.attach(GROUP, quiet)
  ask()
  origin.attach(GROUP, other)
  pass(1_200)
  for (let i = 0; i < 3; i++) ask()
  expect([quiet.offered.length, other.offered.length]).toEqual([1, 4])
})

test('where nobody ever claims it, it is 504, after three attempts at the most', () => {
  const links = ['a', 'b', 'c', 'd'].map((id) => new QuietLink(id))
  for (const link of links) origin.attach(GROUP, link)
  ask()
  pass(10_000)
  expect(failures).toHaveLength(1)
  expect(failures[0]).toMatchObject({ source: 'connector', reason: 'claim-timeout' })
  expect(links.flatMap(({ offered }) => offered.map(({ attempt }) => attempt)).sort()).toEqual([
    1, 2, 3,
  ])
  expect(origin.open).toBe(0)
})

test('the only link of a group is asked again', () => {
  origin.attach(GROUP, quiet)
  ask()
  pass(1_200)
  expect(quiet.offered.map(({ attempt }) => attempt)).toEqual([1, 2])
  expect(claim(quiet)).toBeDefined()
})

test('the only connector of a group that had no room is asked again', () => {
  origin.attach(GROUP, quiet)
  ask()
  const { id, attempt } = quiet.offered[0]!
  const claimer = { tenantId: 'contoso', groupId: 'default', connectorId: 'quiet' }
  origin.declined(claimer, { id, attempt, reason: 'overloaded' })
  pass(400)
  expect(quiet.offered).toHaveLength(2)
  expect(claim(quiet)).toBeDefined()
})

test('a link that is gone serves nobody', () => {
  origin.attach(GROUP, quiet)
  expect(origin.isServed(GROUP)).toBe(true)
  origin.detach(quiet)
  expect(origin.isServed(GROUP)).toBe(false)
  ask()
  expect(origin.waiting(GROUP)).toBe(1)
  pass(5_100)
  expect(failures[0]).toMatchObject({ source: 'connector', reason: 'no-connector' })
})

test('whoever waited in vain is told why, however late somebody looks at the clock', () => {
  origin.attach(GROUP, Object.assign(new QuietLink('full'), { grants: 0 }))
  for (let i = 0; i < 200; i++) {
    ask()
    // A tick at any moment, and then none until some wait has been over for a moment.
    now += 13.3
    for (const run of due.splice(0)) run()
    now += TIME_LIMITS.queueWaitMs - 13.3 + (i % 100) / 2
    for (const run of due.splice(0)) run()
    now += 50
    for (const run of due.splice(0)) run()
  }
  const reasons = failures.map(({ reason }) => reason)
  expect([reasons.length, new Set(reasons)]).toEqual([200, new Set(['connectors-busy'])])
})
