/** Two instances of a service in one process: offers go where the links are, claims to the user. */
import { beforeEach, expect, test } from 'vitest'
import {
  MemoryOfferQueue,
  tenantKey,
  type OfferEnvelope,
  type OfferLink,
  type OfferPresence,
  type OfferQueue,
  type OfferReceiver,
} from '../../../src/cloud/index.ts'
import { Origin } from '../../../src/cloud/offers/origin.ts'
import type { Submitter } from '../../../src/cloud/offers/submission.ts'
import {
  Refused,
  ResetCode,
  type DeclineReason,
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
const GET = {
  applicationId: 'wiki',
  applicationVersion: 'v1',
  method: 'GET',
  target: '/',
  headers: [],
  user: undefined,
  body: { kind: 'none' },
  upgrade: undefined,
  share: 'ann',
} as const

class Link implements OfferLink {
  readonly connectorId: string
  readonly features: readonly string[] = []
  readonly offers: number
  readonly grants: number
  readonly offered: Offer[] = []

  constructor(connectorId: string, offers = 10) {
    this.connectorId = connectorId
    this.offers = this.grants = offers
  }

  offer(offer: Offer): void {
    this.offered.push(offer)
  }
}

let now: number
let due: (() => void)[]
let queue: MemoryOfferQueue
/** Where users come, and where connectors are. */
let near: Origin
let far: Origin
let failures: ExchangeFailed[]

function instance(name: string, joined: OfferQueue): Origin {
  return new Origin({
    instance: name,
    queue: joined,
    clocks: { now: () => now, wallClock: () => now },
    scheduler: { at: (_deadline, run) => (due.push(run), () => undefined) },
    crypto,
    limits: TIME_LIMITS,
  })
}

beforeEach(() => {
  now = 0
  due = []
  failures = []
  queue = new MemoryOfferQueue()
  near = instance('near', queue)
  far = instance('far', queue)
})

/** Whatever was said between the instances has arrived. */
const settle = () => new Promise((done) => setImmediate(done))

async function pass(ms: number): Promise<void> {
  for (const until = now + ms; now < until;) {
    now += 50
    for (const run of due.splice(0)) run()
    await settle()
  }
}

function ask(submission: object = GET): void {
  near.submit(submission as typeof GET, TO, submitterOf())
}

function submitterOf(): Submitter {
  return {
    claimed: () => undefined,
    failed: (error) => void failures.push(error),
    data: () => undefined,
    ended: () => undefined,
    writable: () => undefined,
    stopped: () => undefined,
    closed: () => undefined,
  }
}

/** The connector claims at the instance that the offer names. */
function claim(origin: Origin, connectorId: string, { id, attempt }: Offer) {
  const wire = { reset: () => undefined, closed: () => undefined, respond: () => undefined }
  const claimer = { tenantId: 'contoso', groupId: 'default', connectorId }
  const to = wire as unknown as ExchangeWire
  return origin.claim(claimer, { id, attempt, credit: 0 }, to, { windowBytes: 65_536 })
}

/** The connector `one` does not take what it was offered first, at the instance it has a link to. */
function decline({ offered }: Link, reason: DeclineReason): void {
  const { id, attempt } = offered[0]!
  const claimer = { tenantId: 'contoso', groupId: 'default', connectorId: 'one' }
  far.declined(claimer, { id, attempt, reason })
}

/** How often offers are published from now on. */
function countPublished(): () => number {
  let published = 0
  const { publish } = queue
  queue.publish = (envelope) => ((published += 1), publish.call(queue, envelope))
  return () => published
}

test('an offer goes to the instance that has a link, and is claimed where its user is', async () => {
  const link = new Link('c')
  far.attach(GROUP, link)
  await settle()
  ask()
  await settle()
  expect(link.offered).toHaveLength(1)
  expect(link.offered[0]).toMatchObject({ attempt: 1, origin: 'near', target: '/' })
  expect(claim(far, 'c', link.offered[0]!)).toBeUndefined()
  const answer = claim(near, 'c', link.offered[0]!)!
  // Replayable or not: only the origin can tell that nobody else has it.
  expect(answer.confirm).toBe(true)
  answer.exchange.receivedResponse({ status: 200, headers: [] }, true, now)
  await settle()
  expect([near.open, failures]).toEqual([0, []])
})

test('links of the same instance come first, and need no queue', async () => {
  const there = new Link('there')
  const here = new Link('here')
  far.attach(GROUP, there)
  near.attach(GROUP, here)
  await settle()
  ask()
  await settle()
  expect([here.offered.length, there.offered.length]).toEqual([1, 0])
})

test('a DECLINE travels back, and the offer goes to another connector', async () => {
  const [one, two] = [new Link('one'), new Link('two')]
  far.attach(GROUP, one)
  await settle()
  ask()
  await settle()
  const { id, attempt } = one.offered[0]!
  far.attach(GROUP, two)
  const claimer = { tenantId: 'contoso', groupId: 'default', connectorId: 'one' }
  far.declined(claimer, { id, attempt, reason: 'unknown-application' })
  await pass(500)
  expect(two.offered[0]).toMatchObject({ id, attempt: 2 })
  expect(claim(near, 'two', two.offered[0]!)).toBeDefined()
})

test('whoever had no room there is asked again when nobody else is left', async () => {
  const link = new Link('one')
  far.attach(GROUP, link)
  await settle()
  ask()
  await settle()
  decline(link, 'overloaded')
  await pass(1_000)
  const again = link.offered[1]!
  expect(again.id).toBe(link.offered[0]!.id)
  expect(claim(near, 'one', again)).toBeDefined()
})

test('whoever refused the application there is not asked again, and nothing else breaks', async () => {
  const link = new Link('one')
  far.attach(GROUP, link)
  await settle()
  ask()
  await settle()
  decline(link, 'unknown-application')
  const published = countPublished()
  await pass(12_000)
  expect([published(), link.offered.length]).toEqual([0, 1])
  expect(failures).toEqual([expect.objectContaining({ reason: 'attempts-exhausted' })])
  expect([near.open, far.waiting(GROUP)]).toEqual([0, 0])
})

test('whoever claimed it here and sent nothing is excluded there', async () => {
  const [one, two] = [new Link('one'), new Link('two')]
  far.attach(GROUP, one)
  await settle()
  ask()
  await settle()
  const answer = claim(near, 'one', one.offered[0]!)!
  answer.exchange.receivedReset(ResetCode.NOT_SENT)
  await pass(500)
  expect(one.offered).toHaveLength(1)
  far.attach(GROUP, two)
  await pass(500)
  expect(one.offered).toHaveLength(1)
  expect(two.offered[0]!.id).toBe(one.offered[0]!.id)
  expect(claim(near, 'two', two.offered[0]!)).toBeDefined()
})

test('an instance that comes later is told who has links', async () => {
  const link = new Link('c')
  far.attach(GROUP, link)
  await settle()
  near = instance('nearer', queue)
  await settle()
  ask()
  await settle()
  expect(link.offered[0]).toMatchObject({ origin: 'nearer' })
})

test('a link that dies there gives its offers back', async () => {
  const [one, two] = [new Link('one'), new Link('two')]
  far.attach(GROUP, one)
  await settle()
  ask()
  await settle()
  far.attach(GROUP, two)
  far.lost(one)
  await pass(500)
  expect(two.offered[0]).toMatchObject({ id: one.offered[0]!.id, attempt: 2 })
})

test('the instance that delivers is told what became of it, and counts it in its own shares', async () => {
  const link = new Link('c', 4)
  far.attach(GROUP, link)
  await settle()
  ask()
  ask()
  ask()
  await settle()
  // Of four, one application has two, and one of its users one.
  expect(link.offered).toHaveLength(1)
  const answer = claim(near, 'c', link.offered[0]!)!
  answer.exchange.receivedResponse({ status: 200, headers: [] }, true, now)
  await settle()
  far.granted(link)
  await pass(500)
  expect(link.offered).toHaveLength(2)
})

test('what cannot be published waits, and is offered to a link that comes', async () => {
  const broken: OfferQueue = {
    publish: () => Promise.reject(new Error('not connected')),
    tell: () => undefined,
    announce: () => undefined,
    observe: () => undefined,
    join: () => () => undefined,
  }
  near = instance('near', broken)
  ask()
  const link = new Link('c')
  near.attach(GROUP, link)
  await settle()
  expect(link.offered).toHaveLength(1)
})

test('what no instance could offer is tried three times, and again when room is announced', async () => {
  let published = 0
  let receiver: OfferReceiver
  near = instance('near', {
    publish: async () => ((published += 1), 'declined'),
    tell: () => undefined,
    announce: () => undefined,
    observe: () => undefined,
    join: (joined) => ((receiver = joined), () => undefined),
  })
  const announce = () =>
    receiver.announced({
      ...{ v: 1, instance: 'far', tenantId: 'contoso', groupId: 'default' },
      ...{ offers: 10, granted: 10, features: [], connectors: ['c'] },
    })
  announce()
  ask()
  await settle()
  expect(published).toBe(3)
  await pass(1_000)
  expect(published).toBe(3)
  announce()
  await settle()
  expect(published).toBe(6)
  await pass(6_000)
  expect(published).toBe(6)
  // Capacity is the reason.
  expect(failures[0]).toMatchObject({ reason: 'connectors-busy' })
})

test('an instance that declined for want of room says when to try again', async () => {
  const link = new Link('one', 4)
  far.attach(GROUP, link)
  await settle()
  ask()
  await settle()
  decline(link, 'overloaded')
  const published = countPublished()
  await pass(1_000)
  expect(link.offered[1]!.id).toBe(link.offered[0]!.id)
  // Three times after each of its words, of which one may come before it has room again.
  expect(published()).toBeLessThanOrEqual(7)
})

test('room is announced when others have used it, or when it is half or twice of what was said', async () => {
  const said: number[] = []
  const { announce } = queue
  queue.announce = (presence: OfferPresence) => {
    said.push(presence.granted)
    announce.call(queue, presence)
  }
  const link = new Link('c', 40)
  far.attach(GROUP, link)
  await settle()
  const asked = (origin: Origin, share: string) => {
    origin.submit({ ...GET, share, isAlone: true } as typeof GET, TO, submitterOf())
    return pass(150)
  }
  const answer = (origin: Origin, end: boolean) =>
    claim(origin, 'c', link.offered.at(-1)!)!.exchange.receivedResponse(
      { status: 200, headers: [] },
      end,
      now,
    )
  // Its own users take one at a time, and give it back.
  for (let i = 0; i < 20; i++) {
    await asked(far, 'ann')
    answer(far, true)
    far.granted(link)
    await pass(150)
  }
  expect(said).toEqual([40])
  // They keep what they take: it is said that there is half of it left.
  for (let i = 0; i < 25; i++) {
    await asked(far, `user ${i}`)
    answer(far, false)
  }
  expect(said).toEqual([40, 20])
  // Another instance takes one: it hears what is left.
  await asked(near, 'ann')
  answer(near, false)
  await pass(150)
  expect(said).toEqual([40, 20, 14])
})

test('an instance that ends takes part no more: nothing goes to it, nothing comes from it', async () => {
  const [there, here] = [new Link('there'), new Link('here')]
  far.attach(GROUP, there)
  await settle()
  far.end()
  await settle()
  ask()
  await settle()
  expect(there.offered).toEqual([])
  far.attach(GROUP, new Link('late'))
  far.end()
  await pass(500)
  near.attach(GROUP, here)
  expect(here.offered).toHaveLength(1)
  near.end()
  ask({ ...GET, share: 'bob' })
  expect(here.offered).toHaveLength(2)
})

test('absence is 504 however many instances there are', async () => {
  ask()
  await pass(5_200)
  expect(failures[0]).toMatchObject({ reason: 'no-connector' })
})

test('what travels is a value: it can be written down and read again', async () => {
  const envelopes: OfferEnvelope[] = []
  const { publish } = queue
  queue.publish = (envelope) => {
    envelopes.push(envelope)
    return publish.call(queue, JSON.parse(JSON.stringify(envelope)) as OfferEnvelope)
  }
  const link = new Link('c')
  far.attach(GROUP, link)
  await settle()
  ask()
  await settle()
  expect(Object.keys(envelopes[0]!).sort()).toEqual(
    [
      ...['v', 'id', 'attempt', 'tenantId', 'groupId', 'applicationId', 'applicationVersion'],
      ...['needs', 'excluded', 'share', 'isAlone', 'isReplayable', 'validMs', 'origin', 'head'],
      'only',
    ].sort(),
  )
  expect(link.offered).toHaveLength(1)
})

test('a fault that one instance sees is known to the other, once, and so is its end', async () => {
  const [bad, good] = [new Link('bad'), new Link('good')]
  // Connectors have a link to each instance.
  for (const origin of [near, far]) {
    origin.attach(GROUP, bad)
    origin.attach(GROUP, good)
  }
  await settle()
  const heard: string[] = []
  queue.join({
    ...{ instance: 'third', offered: () => 'declined', told: () => undefined },
    ...{ announced: () => undefined, gone: () => undefined, reachable: () => undefined },
    observed: ({ connectorId, outcome }) => void heard.push(`${connectorId} ${outcome}`),
  })
  for (const share of ['ann', 'bob', 'cid', 'dan', 'eve', 'fay'])
    ask({ ...GET, share, method: 'POST' })
  await settle()
  const refused = bad.offered.length
  expect(refused).toBeGreaterThan(1)
  for (const { id, attempt } of [...bad.offered])
    near.declined(
      { tenantId: 'contoso', groupId: 'default', connectorId: 'bad' },
      { id, attempt, reason: 'unknown-application' },
    )
  await settle()
  expect(heard).toEqual(['bad unknown-application'])
  // At the other instance nobody has asked it yet, and nobody does now.
  bad.offered.length = 0
  const asked = good.offered.length
  for (const share of ['gil', 'hal', 'ida', 'jon'])
    far.submit({ ...GET, share } as typeof GET, TO, submitterOf())
  expect([bad.offered.length, good.offered.length]).toEqual([0, asked + 4])
})

test('who has taken an offer and is gone gives it back, and keeps nothing of whom it served', async () => {
  const [one, two] = [new Link('one'), new Link('two')]
  far.attach(GROUP, one)
  await settle()
  ask()
  await settle()
  expect(one.offered).toHaveLength(1)
  const third = instance('third', queue)
  third.attach(GROUP, two)
  far.end()
  await pass(300)
  expect(two.offered[0]).toMatchObject({ id: one.offered[0]!.id, attempt: 2 })
  // Its share is free again where it was delivered, though nobody has said how it ended.
  claim(near, 'two', two.offered[0]!)
  await settle()
  near.end()
  await pass(300)
  const other = instance('other', queue)
  await settle()
  other.submit({ ...GET, share: 'ann' } as typeof GET, TO, submitterOf())
  await settle()
  expect(two.offered.at(-1)).toMatchObject({ origin: 'other' })
})

test('an instance that retires takes nothing of others, and may still ask them', async () => {
  const [there, here] = [new Link('there'), new Link('here', 4)]
  far.attach(GROUP, there)
  near.attach(GROUP, here)
  await settle()
  near.retire()
  await settle()
  far.detach(there)
  far.submit(GET as typeof GET, TO, submitterOf())
  await settle()
  expect(here.offered).toEqual([])
  far.attach(GROUP, there)
  await settle()
  near.detach(here)
  ask()
  await settle()
  expect(there.offered.map(({ origin }) => origin).sort()).toEqual(['far', 'near'])
})

test('while others cannot be asked, who needs them is told at once; it heals by itself', async () => {
  let receiver: OfferReceiver
  const { join } = queue
  queue.join = (joined) => {
    receiver = joined
    return join.call(queue, joined)
  }
  near = instance('near', queue)
  const link = new Link('c')
  far.attach(GROUP, link)
  await settle()
  receiver!.reachable(false)
  ask()
  expect(failures).toEqual([
    expect.objectContaining({
      reason: 'instances-unreachable',
      source: 'cloud',
      retryAfterMs: 1_000,
    }),
  ])
  const own = new Link('own')
  near.attach(GROUP, own)
  ask()
  expect(own.offered).toHaveLength(1)
  near.detach(own)
  receiver!.reachable(true)
  ask({ ...GET, share: 'bob' })
  far.attach(GROUP, new Link('more'))
  await pass(300)
  expect(failures).toHaveLength(1)
  expect(link.offered).toHaveLength(1)
})

test('what is not published here is not offered here, whoever asks', async () => {
  const link = new Link('c')
  const strict = new Origin({
    ...{ instance: 'strict', queue, clocks: { now: () => now, wallClock: () => now } },
    scheduler: { at: (_deadline, run) => (due.push(run), () => undefined) },
    ...{ crypto, limits: TIME_LIMITS },
    isPublished: (tenantId, groupId, applicationId) =>
      `${tenantId} ${groupId} ${applicationId}` === 'contoso default docs',
  })
  strict.attach(GROUP, link)
  await settle()
  ask()
  await settle()
  expect(link.offered).toEqual([])
  near.submit({ ...GET, applicationId: 'docs', share: 'bob' } as never, TO, submitterOf())
  await settle()
  expect(link.offered).toHaveLength(1)
})

test('an offer that is too large to travel stays with the links of its own instance', async () => {
  let tries = 0
  queue.publish = () => ((tries += 1), Promise.reject(new Refused('too-large')))
  far.attach(GROUP, new Link('there'))
  const own = new Link('own')
  near.attach(GROUP, { ...own, connectorId: 'own', grants: 0, offer: (one) => own.offer(one) })
  await settle()
  ask()
  await settle()
  expect([tries, failures, near.waiting(GROUP)]).toEqual([1, [], 1])
  near.attach(GROUP, own)
  expect(own.offered).toHaveLength(1)
  far.attach(tenantKey('contoso', 'other'), new Link('elsewhere'))
  await settle()
  const to = { ...TO, groupId: 'other', group: tenantKey('contoso', 'other') }
  near.submit(GET as typeof GET, to, submitterOf())
  await settle()
  expect(failures).toEqual([expect.objectContaining({ reason: 'attempts-exhausted' })])
})
