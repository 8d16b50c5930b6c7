/** What every store of one-time codes that were used does. */
import { describe, expect, test } from 'vitest'
import type { SpentCodes } from '../../src/cloud/session/spent-codes.ts'

/**
 * @param make opens them; where they are shared, each call is another instance's view of the same
 */
export function spentCodesSuite(
  name: string,
  make: () => Promise<SpentCodes>,
  { isShared }: { readonly isShared: boolean },
): void {
  describe(`one-time codes in ${name}`, () => {
    const until = Date.now() + 60_000

    test('a code is good once, and no other is touched by that', async () => {
      const codes = await make()
      expect(await codes.spend('a', until)).toBe(true)
      expect(await codes.spend('a', until)).toBe(false)
      for (const other of ['A', 'a.b', 'a ', '*', '>', '']) {
        expect(await codes.spend(other, until), other).toBe(true)
        expect(await codes.spend(other, until), other).toBe(false)
      }
    })

    test('of many who show one code at once, one has it', async () => {
      const many = isShared ? await Promise.all([make(), make(), make()]) : [await make()]
      const shown = Array.from({ length: 12 }, (_, i) => many[i % many.length]!.spend('a', until))
      expect((await Promise.all(shown)).filter(Boolean)).toHaveLength(1)
    })

    if (isShared)
      test('whoever opens them later knows which were used', async () => {
        expect(await (await make()).spend('a', until)).toBe(true)
        const later = await make()
        expect([await later.spend('a', until), await later.spend('b', until)]).toEqual([
          false,
          true,
        ])
      })
  })
}
