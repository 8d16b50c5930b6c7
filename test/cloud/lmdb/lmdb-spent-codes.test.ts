import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openLmdbSpentCodes, type LmdbSpentCodes } from '../../../src/cloud/lmdb/index.ts'
import { MemorySpentCodes } from '../../../src/cloud/session/spent-codes.ts'
import { spentCodesSuite } from '../../suites/spent-codes.suite.ts'

let directory: string
const opened: LmdbSpentCodes[] = []
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'app-proxy-codes-'))
})
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
  await rm(directory, { recursive: true, force: true })
})

spentCodesSuite('memory', async () => new MemorySpentCodes(), { isShared: false })
spentCodesSuite(
  'LMDB',
  async () => {
    opened.push(openLmdbSpentCodes({ path: join(directory, 'codes') }))
    return opened.at(-1)!
  },
  { isShared: true },
)

test('of those who share the file one takes a code, also after it was opened again', async () => {
  const path = join(directory, 'codes')
  const [one, other] = [openLmdbSpentCodes({ path }), openLmdbSpentCodes({ path })]
  const until = Date.now() + 60_000
  const takes = await Promise.all([
    one.spend('a', until),
    other.spend('a', until),
    one.spend('b', until),
  ])
  expect(takes).toEqual([true, false, true])
  await Promise.all([one.close(), other.close()])
  const again = openLmdbSpentCodes({ path })
  expect([await again.spend('b', until), await again.spend('c', until)]).toEqual([false, true])
  await again.close()
  const later = openLmdbSpentCodes({ path, wallClock: () => until })
  expect(await later.spend('c', until + 1)).toBe(true)
  await later.close()
})

test('in memory a code is good once, until it would be over anyway', async () => {
  let now = 0
  const codes = new MemorySpentCodes({ wallClock: () => now })
  expect([await codes.spend('a', 10), await codes.spend('a', 10)]).toEqual([true, false])
  now = 10
  expect(await codes.spend('a', 20)).toBe(true)
})
