/** What every store of the keys that instances share does. */
import { describe, expect, test } from 'vitest'
import { KeyRing, type KeyRingStore } from '../../src/cloud/index.ts'
import { until } from '../until.ts'

/** @param make gives the store of one instance; each call another instance's view of the same */
export function keyRingSuite(name: string, make: () => Promise<KeyRingStore>): void {
  describe(`a key ring in ${name}`, () => {
    test('is the same for whoever opens it later', async () => {
      const ring = await KeyRing.open({ store: await make() })
      const again = await KeyRing.open({ store: await make() })
      expect(again.newest).toBe(ring.newest)
      const derive = async (of: KeyRing) => Buffer.from(await of.derive(of.newest, ['use']))
      expect(await derive(again)).toEqual(await derive(ring))
      for (const one of [ring, again]) one.close()
    })

    test('is taken up by the others after a rotation, by itself', async () => {
      const [one, other] = await Promise.all([1, 2].map(async () => openedRing(await make())))
      expect(one!.newest).toBe(other!.newest)
      await one!.rotate()
      await until(() => other!.has(one!.newest))
      expect(other!.newest).toBe(one!.newest)
      for (const ring of [one!, other!]) ring.close()
    })

    test('of instances that rotate at once, all keep all keys', async () => {
      const store = await make()
      const rings = await Promise.all(
        [1, 2, 3].map(async () => KeyRing.open({ store: await make(), keep: 8 })),
      )
      await Promise.all(rings.map((ring) => ring.rotate()))
      const count = async () => (await store.load()).length
      await until(async () => (await count()) === 4)
      const keys = await store.load()
      for (const ring of rings) {
        await until(() => keys.every(({ id }) => ring.has(id)))
        ring.close()
      }
    })

    test('of instances that find the newest key too old, one rotates', async () => {
      let now = 1_000
      const rings = await Promise.all(
        [1, 2].map(async () => KeyRing.open({ store: await make(), wallClock: () => now })),
      )
      now = 2_000
      const rotated = await Promise.all(rings.map((ring) => ring.rotateIfOlder(500)))
      expect(rotated.filter(Boolean)).toHaveLength(1)
      for (const ring of rings) ring.close()
    })

    test('is not written over what another instance saved', async () => {
      const [one, other] = [await make(), await make()]
      const key = (id: string) => ({ id, createdAt: 1, secret: new Uint8Array(32) })
      expect(await one.save([key('a')], [])).toBe(true)
      expect(await other.save([key('b')], [])).toBe(false)
      await until(async () => (await other.load())[0]?.id === 'a')
      expect(await other.save([key('a'), key('b')], [key('a')])).toBe(true)
    })
  })
}

const openedRing = (store: KeyRingStore) => KeyRing.open({ store })
