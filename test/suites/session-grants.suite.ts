/** What every store of refresh tokens does. */
import { describe, expect, test } from 'vitest'
import type { KeptGrant, SessionGrants } from '../../src/cloud/index.ts'

export const kept = (sealed: string, more: Partial<KeptGrant> = {}): KeptGrant => ({
  ...{ sealed, labels: ['user-alice', 'application'], startedAt: 500, endsAt: 2_000_000 },
  ...more,
})

export function sessionGrantsSuite(name: string, make: () => Promise<SessionGrants>): void {
  describe(`grants in ${name}`, () => {
    test('a write with a version is one only while nobody else wrote, and no version comes twice', async () => {
      const grants = await make()
      expect(await grants.read('a')).toBeUndefined()
      expect(await grants.write('a', kept('none'), 1)).toBeUndefined()
      const first = (await grants.write('a', kept('1')))!
      const [mine, other] = await Promise.all([
        grants.write('a', kept('2', { lease: 'me' }), first),
        grants.write('a', kept('3', { lease: 'you' }), first),
      ])
      expect([mine, other].filter((version) => version !== undefined)).toHaveLength(1)
      const { kept: now, version } = (await grants.read('a'))!
      expect([now.sealed, now.lease]).toEqual(mine === undefined ? ['3', 'you'] : ['2', 'me'])
      await grants.remove('a')
      expect(await grants.write('a', kept('4'), version)).toBeUndefined()
      const again = await grants.write('a', kept('5'))
      expect([first, mine, other, version]).not.toContain(again)
      expect((await grants.read('a'))!.kept).toEqual(kept('5'))
    })

    test('what bears a label goes with it, if it began up to then', async () => {
      const grants = await make()
      await grants.write('a', kept('1'))
      await grants.write('b', kept('2', { startedAt: 700 }))
      await grants.write('c', kept('3', { labels: ['application'] }))
      await grants.removeLabelled('user-alic', 9_999)
      await grants.removeLabelled('user-alice', 600)
      expect([await grants.read('a'), (await grants.read('b'))?.kept.sealed]).toEqual([
        undefined,
        '2',
      ])
      await grants.removeLabelled('application', 9_999)
      expect([await grants.read('b'), await grants.read('c')]).toEqual([undefined, undefined])
    })

    test('another end changes no version', async () => {
      const grants = await make()
      const version = await grants.write('a', kept('1'))
      await grants.endAt('a', 3_000_000)
      await grants.endAt('nobody', 3_000_000)
      const found = (await grants.read('a'))!
      expect([found.version, found.kept.endsAt]).toEqual([version, 3_000_000])
    })
  })
}
