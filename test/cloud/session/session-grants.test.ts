/** One suite for every store of refresh tokens; LMDB's also beside another process's view of the file. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { openLmdbSessionGrants } from '../../../src/cloud/lmdb/index.ts'
import {
  MemorySessionGrants,
  type KeptGrant,
  type SessionGrants,
} from '../../../src/cloud/session/session-grants.ts'

const clock = { wall: 1_000_000 }
const wallClock = () => clock.wall
const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  clock.wall = 1_000_000
})

const folder = async () => {
  const path = await mkdtemp(join(tmpdir(), 'app-proxy-grants-'))
  ends.push(() => rm(path, { recursive: true }))
  return join(path, 'grants.lmdb')
}
const opened = (path: string) => {
  const grants = openLmdbSessionGrants({ path, wallClock })
  ends.push(() => grants.close())
  return grants
}

const kept = (sealed: string, more: Partial<KeptGrant> = {}): KeptGrant => ({
  ...{ sealed, labels: ['user-alice', 'application'], startedAt: 500, endsAt: 2_000_000 },
  ...more,
})

describe.each([
  ['memory', async (): Promise<SessionGrants> => new MemorySessionGrants({ wallClock })],
  ['LMDB', async (): Promise<SessionGrants> => opened(await folder())],
])('grants in %s', (_, make) => {
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

test('what has ended is not kept: in memory', async () => {
  const grants = new MemorySessionGrants({ wallClock, limit: 2 })
  await grants.write('a', kept('1', { endsAt: 1_500_000 }))
  clock.wall = 1_600_000
  await grants.write('b', kept('2'))
  expect(await grants.read('a')).toBeUndefined()
  await grants.write('c', kept('3'))
  await grants.write('d', kept('4'))
  expect([grants.size, await grants.read('b')]).toEqual([2, undefined])
})

test('what has ended is not kept: in LMDB, which outlives its process and is shared', async () => {
  const path = await folder()
  const first = opened(path)
  await first.write('a', kept('1', { endsAt: 1_500_000 }))
  const version = await first.write('b', kept('2'))
  const second = opened(path)
  expect(await second.write('b', kept('3'), version)).toBeGreaterThan(version!)
  expect(await first.write('b', kept('4'), version)).toBeUndefined()
  expect((await first.read('b'))!.kept.sealed).toBe('3')
  clock.wall = 1_600_000
  const third = opened(path)
  expect([await third.read('a'), (await third.read('b'))?.kept.sealed]).toEqual([undefined, '3'])
  await third.removeLabelled('user-alice', 1_000)
  expect(await first.read('b')).toBeUndefined()
})
