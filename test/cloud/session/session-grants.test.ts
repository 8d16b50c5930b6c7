/** Refresh tokens in memory and in LMDB, there also beside another process's view of the file. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { openLmdbSessionGrants } from '../../../src/cloud/lmdb/index.ts'
import { MemorySessionGrants } from '../../../src/cloud/session/session-grants.ts'
import { kept, sessionGrantsSuite } from '../../suites/session-grants.suite.ts'

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

sessionGrantsSuite('memory', async () => new MemorySessionGrants({ wallClock }))
sessionGrantsSuite('LMDB', async () => opened(await folder()))

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
