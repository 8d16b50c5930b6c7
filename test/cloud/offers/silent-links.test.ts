/** A connector that is half-open takes offers and says nothing: what becomes of them long before a ping tells. */
import { beforeEach, expect, test } from 'vitest'
import {
  MemoryRequestQueue,
  Origin,
  type OfferLink,
  type Submitter,
  tenantKey,
} from '../../../src/cloud/index.ts'
import {
  TIME_LIMITS,
  type ExchangeFailed,
  type ExchangeWire,
  type Offer,
} from '../../../src/protocol/index.ts'
import { until } from '../../integration/tunnel.ts'

const GROUP = tenantKey('contoso', 'default')
const TO = { groupId: 'default', tenantId: 'contoso', group: GROUP }
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
  readonly carriesUpgrades = true
  readonly offers: Offer[] = []
  grants = 100

  constructor(connectorId: string) {
    this.connectorId = connectorId
  }

  offer(offer: Offer): void {
    this.grants -= 1
    this.offers.push(offer)
  }
}

let now: number
let origin: Origin
let quiet: QuietLink
let other: QuietLink
let failures: ExchangeFailed[]
beforeEach(() => {
  now = 0
  failures = []
  origin = new Origin({
    instance: 'cloud-1',
    queue: new MemoryRequestQueue(),
    clocks: { now: () => now, wallClock: () => now },
    crypto,
    limits: { ...TIME_LIMITS, claimMs: 1_000 },
  })
  quiet = new QuietLink('quiet')
  other = new QuietLink('other')
})

function ask(): void {
  // Origins of earlier tests may have more to say.
  const told = failures
  const submitter: Submitter = {
    claimed: () => undefined,
    failed: (error) => void told.push(error),
    data: () => undefined,
    ended: () => undefined,
    writable: () => undefined,
    stopped: () => undefined,
    closed: () => undefined,
  }
  origin.submit(SUBMISSION, TO, submitter)
}

const claim = ({ connectorId, offers }: QuietLink) => {
  const { id, attempt } = offers.at(-1)!
  const wire = { reset: () => undefined, closed: () => undefined } as unknown as ExchangeWire
  const claimer = { tenantId: 'contoso', groupId: 'default', connectorId }
  return origin.claim(claimer, { id, attempt, credit: 0 }, wire, { windowBytes: 65_536 })
}

test('an offer that nobody claims in time goes to another link; the late claim is gone', async () => {
  origin.queue.attach(GROUP, quiet)
  ask()
  other.grants = 1
  origin.queue.attach(GROUP, other)
  now = 1_100
  await until(() => other.offers.length === 1)
  expect(other.offers[0]).toMatchObject({ id: quiet.offers[0]!.id, attempt: 2 })
  expect(claim(quiet)).toBeUndefined()
  expect(claim(other)).toBeDefined()
  expect(failures).toEqual([])
})

test('a link that was silent is passed over until it is granted more', async () => {
  origin.queue.attach(GROUP, quiet)
  ask()
  origin.queue.attach(GROUP, other)
  now = 1_100
  await until(() => other.offers.length === 1)
  other.grants = 2
  for (let i = 0; i < 2; i++) ask()
  // It has grants, and the other has none left: they wait for who answers.
  ask()
  expect([quiet.offers.length, other.offers.length]).toEqual([1, 3])
  expect(origin.queue.waiting(GROUP)).toBe(1)
  origin.queue.granted(GROUP, quiet)
  expect(quiet.offers).toHaveLength(2)
  ask()
  expect(quiet.offers).toHaveLength(3)
})

test('with no other link, or after three attempts, it is 504', async () => {
  origin.queue.attach(GROUP, quiet)
  ask()
  await until(() => {
    now += 50
    return failures.length === 1
  })
  expect(failures[0]).toMatchObject({ source: 'connector', reason: 'claim-timeout' })
  const links = ['a', 'b', 'c', 'd'].map((id) => new QuietLink(id))
  for (const link of links) origin.queue.attach(GROUP, link)
  ask()
  await until(() => {
    now += 50
    return failures.length === 2
  })
  expect(failures[1]).toMatchObject({ reason: 'claim-timeout' })
  expect(links.flatMap(({ offers }) => offers.map(({ attempt }) => attempt)).sort()).toEqual([
    1, 2, 3,
  ])
  expect(origin.open).toBe(0)
})

test('a link that ends is silent no more', () => {
  origin.queue.attach(GROUP, quiet)
  origin.queue.attach(GROUP, other)
  expect(origin.queue.silent(GROUP, quiet)).toBe(true)
  origin.queue.detach(GROUP, other)
  ask()
  expect(quiet.offers).toHaveLength(1)
  expect(origin.queue.silent(GROUP, quiet)).toBe(false)
  origin.queue.detach(GROUP, quiet)
  expect(origin.queue.isServed(GROUP)).toBe(false)
})
