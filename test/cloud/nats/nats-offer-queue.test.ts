/** The queue between instances over a real broker: what every queue does, and what becomes of it when the broker goes. */
import { webcrypto } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KeyRing, type OfferQueue } from '../../../src/cloud/index.ts'
import { natsOfferQueue, openNatsConnection } from '../../../src/cloud/nats/index.ts'
import type { NatsConnection } from '../../../src/cloud/nats/nats-connection.ts'
import { describeWithPackages } from '../../debian-packages.ts'
import { NatsServer } from '../../nats-server.ts'
import { envelope, Heard, offerQueueSuite, presence } from '../../suites/offer-queue-suite.ts'

const SOON = { timeout: 30_000, interval: 20 }

describeWithPackages(
  'over NATS',
  ['nats-server'],
  () => {
    let server: NatsServer
    beforeAll(async () => {
      server = await NatsServer.start()
    })
    afterAll(() => server.close())

    /** A service: instances that share a ring. */
    async function service() {
      const keyRing = await KeyRing.open()
      const connections: NatsConnection[] = []
      const failed: unknown[] = []
      return {
        failed,
        async queue(ring = keyRing): Promise<OfferQueue> {
          const nats = await openNatsConnection({ servers: server.address })
          connections.push(nats)
          return natsOfferQueue({
            nats,
            keyRing: ring,
            onError: ({ error }) => void failed.push(error),
          })
        },
        async close() {
          await Promise.all(connections.map((nats) => nats.close()))
        },
      }
    }

    offerQueueSuite('as any queue', service)

    describe('and where it is away', () => {
      test('a broker that is stopped is noticed, nothing waits for it, and it heals by itself', async () => {
        const world = await service()
        const [near, far] = [new Heard('near'), new Heard('far')]
        const [nearQueue, farQueue] = [await world.queue(), await world.queue()]
        nearQueue.join(near)
        farQueue.join(far)
        farQueue.announce(presence('far'))
        await expect.poll(() => nearQueue.publish(envelope()), SOON).toEqual({ instance: 'far' })
        await server.stop()
        await expect.poll(() => near.reached, SOON).toEqual([false])
        const before = performance.now()
        await expect(nearQueue.publish(envelope())).rejects.toMatchObject({
          ...{ name: 'Refused', reason: 'unavailable' },
        })
        // It was told at once: nothing waits for a connection.
        expect(performance.now() - before).toBeLessThan(1_000)
        await expect.poll(() => far.reached, SOON).toEqual([false])
        // What is told meanwhile is told when it is back.
        const outcome = { ...({ v: 1, attempt: 1, outcome: 'ended' } as const), id: envelope().id }
        farQueue.tell('near', outcome)
        farQueue.announce(presence('far', { granted: 7 }))
        await server.restart()
        await expect.poll(() => near.reached, SOON).toEqual([false, true])
        await expect
          .poll(() => near.presences.at(-1), SOON)
          .toEqual(presence('far', { granted: 7 }))
        await expect.poll(() => near.outcomes, SOON).toEqual([outcome])
        await expect.poll(() => nearQueue.publish(envelope()), SOON).toEqual({ instance: 'far' })
        expect(near.left).toEqual([])
        await world.close()
      })

      test('a broker that answers nothing is as good as away', async () => {
        const world = await service()
        const near = new Heard('near')
        const queue = await world.queue()
        queue.join(near)
        server.pause()
        try {
          await expect.poll(() => near.reached, SOON).toEqual([false])
          await expect(queue.publish(envelope())).rejects.toMatchObject({ reason: 'unavailable' })
        } finally {
          server.resume()
        }
        await expect.poll(() => near.reached.at(-1), SOON).toBe(true)
        await world.close()
      })
    })

    test('an instance that says nothing any more is gone, and known again when it is heard', async () => {
      const world = await service()
      const [near, far] = [new Heard('near'), new Heard('far')]
      const [nearQueue, farNats] = [
        await world.queue(),
        await openNatsConnection({ servers: server.address }),
      ]
      const keyRing = await KeyRing.open()
      nearQueue.join(near)
      // It shares no key: nothing that it says is heard.
      natsOfferQueue({ nats: farNats, keyRing }).join(far)
      const queue = await world.queue()
      const third = new Heard('third')
      const leave = queue.join(third)
      queue.announce(presence('third'))
      await expect.poll(() => near.presences, SOON).toContainEqual(presence('third'))
      expect(far.presences).toEqual([])
      leave()
      await expect.poll(() => near.left, SOON).toEqual(['third'])
      await farNats.close()
      await world.close()
    })

    test('what nobody of the service has sealed is heard by nobody', async () => {
      const world = await service()
      const near = new Heard('near')
      const queue = await world.queue()
      queue.join(near)
      queue.announce(presence('near'))
      const stranger = await world.queue(await KeyRing.open({ crypto: webcrypto as Crypto }))
      stranger.join(new Heard('far'))
      stranger.announce(presence('far'))
      stranger.tell('near', {
        ...({ v: 1, attempt: 1, outcome: 'lost' } as const),
        id: envelope().id,
      })
      // It is answered that nobody there can read it.
      for (let i = 0; i < 5; i++)
        expect(await stranger.publish(envelope({ origin: 'far' }))).toBe('declined')
      expect([near.envelopes, near.outcomes, near.presences]).toEqual([[], [], []])
      await world.close()
    })

    test('an offer of more than 512 KiB does not travel', async () => {
      const world = await service()
      const queue = await world.queue()
      queue.join(new Heard('near'))
      const large = envelope({
        excluded: Array.from({ length: 40_000 }, (_, i) => `connector-${i}`),
      })
      await expect(queue.publish(large)).rejects.toMatchObject({ reason: 'too-large' })
      await world.close()
    })

    test('under load an instance that comes and goes loses no offer', async () => {
      const world = await service()
      const [near, far, other] = [new Heard('near'), new Heard('far'), new Heard('other')]
      const [nearQueue, farQueue, otherQueue] = [
        await world.queue(),
        await world.queue(),
        await world.queue(),
      ]
      nearQueue.join(near)
      farQueue.join(far)
      otherQueue.join(other)
      farQueue.announce(presence('far'))
      otherQueue.announce(presence('other'))
      await expect.poll(() => near.presences.length, SOON).toBeGreaterThan(1)
      let isOver = false
      const comingAndGoing = (async () => {
        while (!isOver) {
          farQueue.announce(presence('far', { offers: 0, granted: 0 }))
          await new Promise((later) => setTimeout(later, 5))
          farQueue.announce(presence('far'))
          await new Promise((later) => setTimeout(later, 5))
        }
      })()
      const receipts: unknown[] = []
      for (let turn = 0; turn < 10; turn++)
        receipts.push(
          ...(await Promise.all(Array.from({ length: 50 }, () => nearQueue.publish(envelope())))),
        )
      isOver = true
      await comingAndGoing
      const lost = receipts.filter((receipt) => receipt === 'unknown')
      expect(lost).toEqual([])
      expect(far.envelopes.length + other.envelopes.length).toBe(
        receipts.filter((receipt) => receipt !== 'declined').length,
      )
      await world.close()
    })
  },
  120_000,
)
