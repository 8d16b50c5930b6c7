/**
 * What every queue between instances must do, whatever carries it: run for each by a test file of its own.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type {
  OfferEnvelope,
  OfferHealth,
  OfferOutcome,
  OfferPresence,
  OfferQueue,
  OfferReceipt,
  OfferReceiver,
} from '../../src/cloud/index.ts'
import type { ExchangeId } from '../../src/protocol/internal.ts'

/** One instance, and what it was told. */
export class Heard implements OfferReceiver {
  readonly instance: string
  readonly envelopes: OfferEnvelope[] = []
  readonly outcomes: OfferOutcome[] = []
  readonly presences: OfferPresence[] = []
  readonly health: OfferHealth[] = []
  readonly left: string[] = []
  readonly reached: boolean[] = []
  takes = true

  constructor(instance: string) {
    this.instance = instance
  }

  offered(envelope: OfferEnvelope): OfferReceipt {
    this.envelopes.push(envelope)
    return this.takes ? { instance: this.instance } : 'declined'
  }
  told(outcome: OfferOutcome): void {
    this.outcomes.push(outcome)
  }
  announced(presence: OfferPresence): void {
    this.presences.push(presence)
  }
  observed(health: OfferHealth): void {
    this.health.push(health)
  }
  gone(instance: string): void {
    this.left.push(instance)
  }
  reachable(isReachable: boolean): void {
    this.reached.push(isReachable)
  }
}

/** Queues that join instances to each other; each is asked for once per instance. */
export interface QueueWorld {
  queue(): Promise<OfferQueue>
  close(): Promise<void>
}

const SOON = { timeout: 20_000, interval: 10 }
let last = 0

export function envelope(more: Partial<OfferEnvelope> = {}): OfferEnvelope {
  const id = (++last).toString(16).padStart(32, '0') as ExchangeId
  const { origin = 'near', attempt = 1, applicationId = 'wiki' } = more
  return {
    ...{ v: 1, id, attempt, tenantId: 'contoso', groupId: 'default', applicationId },
    ...{ applicationVersion: 'v1', needs: [], excluded: [], share: 'ann', isAlone: false },
    ...{ isReplayable: true, validMs: 5_000, origin, only: undefined },
    head: {
      ...{ id, attempt, applicationId, applicationVersion: 'v1', method: 'POST', target: '/a?x' },
      headers: ['X-Name', 'Jos\u00e9', 'Cookie', 'a=b'],
      user: undefined,
      body: { kind: 'length', bytes: 12 },
      ...{ upgrade: undefined, remainingMs: 5_000, origin, answerMs: 60_000, affinity: undefined },
      pinned: undefined,
    },
    ...more,
  }
}

export function presence(instance: string, more: Partial<OfferPresence> = {}): OfferPresence {
  return {
    ...{ v: 1, instance, tenantId: 'contoso', groupId: 'default', offers: 10, granted: 10 },
    ...{ features: ['upgrade'], connectors: ['c'] },
    ...more,
  }
}

/** @param open makes a world for each test */
export function offerQueueSuite(name: string, open: () => Promise<QueueWorld>): void {
  describe(name, { timeout: 60_000 }, () => {
    let world: QueueWorld
    let leave: (() => void)[]
    beforeEach(async () => {
      world = await open()
      leave = []
    })
    afterEach(async () => {
      for (const one of leave) one()
      await world.close()
    })

    async function instance(called: string): Promise<[Heard, OfferQueue]> {
      const queue = await world.queue()
      const heard = new Heard(called)
      leave.push(queue.join(heard))
      return [heard, queue]
    }

    /** `queue` announces `said`, and it is known to `others`. */
    async function announced(queue: OfferQueue, said: OfferPresence, ...others: Heard[]) {
      queue.announce(said)
      for (const { presences } of others)
        await expect.poll(() => presences, SOON).toContainEqual(said)
    }

    test('an offer goes to one instance that has announced room, whole, and its receipt says which', async () => {
      const [near, nearQueue] = await instance('near')
      const [far, farQueue] = await instance('far')
      await announced(farQueue, presence('far'), near)
      const sent = envelope({ excluded: ['b'], needs: ['upgrade'], only: 'c' })
      await expect.poll(() => nearQueue.publish(sent), SOON).toEqual({ instance: 'far' })
      expect(far.envelopes.at(-1)).toEqual(sent)
      expect(far.envelopes.at(-1)).not.toBe(sent)
      expect(near.envelopes).toEqual([])
    })

    test('of several that have room each offer goes to one', async () => {
      const [near, nearQueue] = await instance('near')
      const others = await Promise.all(['a', 'b', 'c'].map(instance))
      for (const [{ instance: called }, queue] of others)
        await announced(queue, presence(called), near)
      await expect
        .poll(async () => (await nearQueue.publish(envelope())) !== 'declined', SOON)
        .toBe(true)
      for (const [heard] of others) heard.envelopes.length = 0
      const sent = Array.from({ length: 60 }, () => envelope())
      const receipts = await Promise.all(sent.map((one) => nearQueue.publish(one)))
      const taken = others.flatMap(([heard]) => heard.envelopes.map(({ id }) => id))
      expect(taken.sort()).toEqual(sent.map(({ id }) => id).sort())
      const named = receipts.map((receipt) => (receipt as { instance: string }).instance)
      for (const [heard] of others)
        expect(named.filter((one) => one === heard.instance)).toHaveLength(heard.envelopes.length)
    })

    test('where nobody has announced room it is declined, and so when all decline', async () => {
      const [near, nearQueue] = await instance('near')
      const [far, farQueue] = await instance('far')
      expect(await nearQueue.publish(envelope())).toBe('declined')
      far.takes = false
      await announced(farQueue, presence('far'), near)
      expect(await nearQueue.publish(envelope())).toBe('declined')
    })

    test('an origin that has announced room itself is never its own other instance', async () => {
      const [near, nearQueue] = await instance('near')
      const [far, farQueue] = await instance('far')
      await announced(nearQueue, presence('near'), far)
      expect(await nearQueue.publish(envelope())).toBe('declined')
      await announced(farQueue, presence('far'), near)
      await expect.poll(() => nearQueue.publish(envelope()), SOON).toEqual({ instance: 'far' })
      for (let i = 0; i < 20; i++)
        expect(await nearQueue.publish(envelope())).toEqual({ instance: 'far' })
      expect(near.envelopes).toEqual([])
    })

    test('no group is taken for another, whatever their names and tenants', async () => {
      const [near, nearQueue] = await instance('near')
      const [far, farQueue] = await instance('far')
      const names = ['>', '*', 'a.b', 'a', 'ünï 🙂', 'b'.repeat(1_000)]
      for (const groupId of names)
        await announced(farQueue, presence('far', { groupId, tenantId: '*.>' }), near)
      const of = (groupId: string, tenantId = '*.>') =>
        nearQueue.publish(envelope({ groupId, tenantId }))
      for (const groupId of names)
        await expect.poll(() => of(groupId), SOON).toEqual({ instance: 'far' })
      expect(far.envelopes.map(({ groupId }) => groupId)).toEqual(expect.arrayContaining(names))
      for (const [groupId, tenantId] of [
        ['a', '*'],
        ['>', '>'],
        ['b', '*.>'],
        ['.>a', '*'],
      ] as const)
        expect(await of(groupId, tenantId), groupId).toBe('declined')
    })

    test('outcomes come to the instance that they are told, in order, and to no other', async () => {
      const [near] = await instance('near')
      const [, farQueue] = await instance('far')
      const [third] = await instance('third')
      const { id } = envelope()
      const outcomes = ['claimed', 'answered', 'long', 'ended'] as const
      const told = outcomes.map((outcome) => ({
        ...({ v: 1, id, attempt: 2, outcome, connectorId: 'c' } as const),
      }))
      for (const one of told) farQueue.tell('near', one)
      await expect.poll(() => near.outcomes, SOON).toEqual(told)
      expect(third.outcomes).toEqual([])
    })

    test('room is announced to all others, to those too that come later, and taken back', async () => {
      const [near] = await instance('near')
      const [far, farQueue] = await instance('far')
      await announced(farQueue, presence('far', { granted: 3 }), near)
      const [late, lateQueue] = await instance('late')
      await expect.poll(() => late.presences, SOON).toContainEqual(presence('far', { granted: 3 }))
      await announced(farQueue, presence('far', { offers: 0, granted: 0 }), near, late)
      await expect
        .poll(() => lateQueue.publish(envelope({ origin: 'late' })), SOON)
        .toBe('declined')
      expect(far.presences).toEqual([])
    })

    test('what an instance has seen of a connector comes to all others', async () => {
      const [near] = await instance('near')
      const [far, farQueue] = await instance('far')
      const seen: OfferHealth = {
        ...{ v: 1, instance: 'far', tenantId: 'contoso', groupId: 'default' },
        ...{ applicationId: 'wiki', connectorId: 'c', outcome: 'lost' },
      }
      farQueue.observe(seen)
      await expect.poll(() => near.health, SOON).toEqual([seen])
      expect(far.health).toEqual([])
    })

    test('an instance that leaves is offered nothing more, and others are told', async () => {
      const [near, nearQueue] = await instance('near')
      const [far, farQueue] = await instance('far')
      await announced(farQueue, presence('far'), near)
      await expect.poll(() => nearQueue.publish(envelope()), SOON).toEqual({ instance: 'far' })
      leave[1]!()
      await expect.poll(() => near.left, SOON).toEqual(['far'])
      await expect.poll(() => nearQueue.publish(envelope()), SOON).toBe('declined')
      const offered = far.envelopes.length
      expect(await nearQueue.publish(envelope())).toBe('declined')
      expect(far.envelopes).toHaveLength(offered)
    })
  })
}
