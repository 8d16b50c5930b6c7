/** Versions of the configuration in memory and in LMDB, there as two processes have the file. */
import { statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { createMemoryConfigurationStore } from '../../../src/cloud/admin/index.ts'
import { openLmdbConfigurationStore } from '../../../src/cloud/lmdb/index.ts'
import { keptVersions } from '../../../src/cloud/versions/configuration-store.ts'
import { configurationStoreSuite, headOf } from '../../suites/configuration-store.suite.ts'

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function file() {
  const folder = await mkdtemp(join(tmpdir(), 'app-proxy-versions-'))
  ends.push(() => rm(folder, { recursive: true }))
  return join(folder, 'configuration.lmdb')
}

function opened(path: string) {
  const store = openLmdbConfigurationStore({ path, readEveryMs: 20 })
  ends.push(() => store.close())
  return store
}

configurationStoreSuite('memory', async () => {
  const store = createMemoryConfigurationStore()
  return [store, store]
})
configurationStoreSuite('LMDB', async () => {
  const path = await file()
  return [opened(path), opened(path)]
})

test('in LMDB they are there when it is opened again, for their owner alone', async () => {
  const path = await file()
  const store = openLmdbConfigurationStore({ path })
  await store.append(headOf(1, '{}'), '{}')
  await store.close()
  expect(statSync(path).mode & 0o077).toBe(0)
  const again = opened(path)
  expect([await again.heads(), await again.read(1)]).toEqual([[headOf(1, '{}')], '{}'])
})

test('fewer are kept of large ones, and the newest two always', () => {
  const heads = Array.from({ length: 12 }, (_, i) => ({
    ...headOf(12 - i, ''),
    bytes: 8 * 1024 * 1024,
  }))
  expect(keptVersions(heads)).toHaveLength(8)
  const huge = heads.map((head) => ({ ...head, bytes: 100 * 1024 * 1024 }))
  expect(keptVersions(huge).map(({ number }) => number)).toEqual([12, 11])
})
