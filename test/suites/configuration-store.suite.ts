/** What every store of versions of the configuration does. */
import { describe, expect, test } from 'vitest'
import type { ConfigurationStore, VersionHead } from '../../src/cloud/admin/index.ts'
import { until } from '../until.ts'

export const headOf = (number: number, content: string): VersionHead => ({
  ...{ number, at: 1_000 + number, by: { as: 'operator', name: 'carol' } },
  ...{ tenants: { contoso: number }, bytes: Buffer.byteLength(content) },
})

/**
 * @param make two views of one store: those of two instances, where it is shared
 */
export function configurationStoreSuite(
  name: string,
  make: () => Promise<readonly [ConfigurationStore, ConfigurationStore]>,
): void {
  describe(`versions in ${name}`, () => {
    const add = (store: ConfigurationStore, number: number, content = `{"n":${number}}`) =>
      store.append(headOf(number, content), content)

    test('of those who add the next one at once one does, and the others are told', async () => {
      const [one, other] = await make()
      expect([await one.heads(), await one.read(1)]).toEqual([[], undefined])
      expect(await add(one, 2)).toBe(false)
      const added = await Promise.all([add(one, 1, '"one"'), add(other, 1, '"other"')])
      expect(added.filter(Boolean)).toHaveLength(1)
      const content = added[0] ? '"one"' : '"other"'
      for (const store of [one, other]) {
        await until(async () => (await store.heads()).length === 1)
        expect(await store.heads()).toEqual([headOf(1, content)])
        expect(await store.read(1)).toBe(content)
        expect(await add(store, 1)).toBe(false)
      }
    })

    test('what one instance adds the others hear of, and read, the newest first', async () => {
      const [one, other] = await make()
      let heard = 0
      const end = other.watch!(() => (heard += 1))
      await add(one, 1)
      await add(one, 2, `{"long":"${'ü'.repeat(400_000)}"}`)
      await until(async () => heard > 0 && (await other.heads()).length === 2)
      expect((await other.heads()).map(({ number }) => number)).toEqual([2, 1])
      expect((await other.read(2))!).toHaveLength(400_011)
      expect(await add(other, 3)).toBe(true)
      end()
      const before = heard
      expect(await add(one, 4)).toBe(true)
      await until(async () => (await other.heads())[0]!.number === 4)
      expect(heard).toBe(before)
    })

    test('each decides on what the other has answered, however short ago', async () => {
      const [one, other] = await make()
      for (let number = 1; number <= 40; number += 2) {
        expect(await add(one, number), `${number}`).toBe(true)
        expect(await add(other, number), `${number} again`).toBe(false)
        expect(await add(other, number + 1), `${number + 1}`).toBe(true)
      }
    })

    test('keeps fifty, and none that is too large', async () => {
      const [one, other] = await make()
      for (let number = 1; number <= 52; number++) expect(await add(one, number)).toBe(true)
      await until(async () => (await other.heads())[0]?.number === 52)
      for (const store of [one, other]) {
        const numbers = (await store.heads()).map(({ number }) => number)
        expect([numbers.length, numbers.at(-1)]).toEqual([50, 3])
        expect([await store.read(2), await store.read(3)]).toEqual([undefined, '{"n":3}'])
      }
      const large = JSON.stringify('x'.repeat(9 * 1024 * 1024))
      await expect(add(one, 53, large)).rejects.toMatchObject({ reason: 'too-large' })
      expect(await add(one, 53)).toBe(true)
    })
  })
}
