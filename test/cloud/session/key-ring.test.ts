import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { KeyRing } from '../../../src/cloud/session/key-ring.ts'
import { unseal } from '../../../src/cloud/session/sealed-cookie.ts'
import { keyRingFile } from '../../../src/cloud/node/key-ring-file.ts'
import type { PortFailure } from '../../../src/runtime/containment.ts'
import { asOperator } from '../../as-operator.ts'
import { keyRingSuite } from '../../suites/key-ring.suite.ts'
import { until } from '../../until.ts'
import { crypto, PROVIDERS, useProvider } from '../trust.ts'

describe('one file', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'app-proxy-keys-'))
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  keyRingSuite('a file', async () => keyRingFile(join(directory, 'keys.json')))
})

describe.each(PROVIDERS)('over %s', (_, provider) => {
  beforeAll(() => useProvider(provider))
  const wallClock = () => 1_700_000_000_000

  describe('a key ring', () => {
    test('gets its first key when it is opened empty', async () => {
      const ring = await KeyRing.open({ crypto, wallClock })
      expect(ring.newest).toMatch(/^[0-9a-f]{12}$/)
      expect(ring.has(ring.newest)).toBe(true)
    })

    test('seals with the newest key, and keeps three', async () => {
      const ring = await KeyRing.open({ crypto, wallClock })
      const ids = [ring.newest]
      for (let i = 0; i < 3; i++) {
        await ring.rotate()
        ids.push(ring.newest)
      }
      expect(new Set(ids).size).toBe(4)
      expect(ids.map((id) => ring.has(id))).toEqual([false, true, true, true])
    })

    test('rotates when its newest key has come of age', async () => {
      let now = 1_000
      const ring = await KeyRing.open({ crypto, wallClock: () => now })
      const first = ring.newest
      now += 500
      expect(await ring.rotateIfOlder(500)).toBe(false)
      now += 1
      expect(await ring.rotateIfOlder(500)).toBe(true)
      expect([ring.newest === first, ring.has(first)]).toEqual([false, true])
      expect(await ring.rotateIfOlder(500)).toBe(false)
    })

    test('derives another key for every use, the same one each time', async () => {
      const ring = await KeyRing.open({ crypto, wallClock })
      const derive = async (...use: string[]) =>
        Buffer.from(await ring.derive(ring.newest, use)).toString('hex')
      expect(await derive('a', 'b')).toBe(await derive('a', 'b'))
      expect(await derive('a', 'b')).toHaveLength(64)
      const others = [
        await derive('ab'),
        await derive('a,b'),
        await derive('a', 'b', ''),
        await derive('b', 'a'),
      ]
      expect(new Set([await derive('a', 'b'), ...others]).size).toBe(5)
    })

    test('refuses to derive from a key it does not hold', async () => {
      const ring = await KeyRing.open({ crypto, wallClock })
      expect(() => ring.derive('nobody', ['a'])).toThrowError(
        expect.objectContaining({ code: 'ERR_API_MISUSE' }),
      )
    })
  })

  describe('a key ring in a file', () => {
    let directory: string
    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'app-proxy-keys-'))
    })
    afterEach(() => rm(directory, { recursive: true, force: true }))

    test('survives a restart, and only its owner may read it', async () => {
      const path = join(directory, 'state', 'keys.json')
      const store = keyRingFile(path)
      const ring = await KeyRing.open({ crypto, store, wallClock })
      const key = await ring.derive(ring.newest, ['use'])
      expect((await stat(path)).mode & 0o777).toBe(0o600)
      expect((await stat(join(directory, 'state'))).mode & 0o777).toBe(0o700)
      expect(await readdir(join(directory, 'state'))).toEqual(['keys.json'])
      const again = await KeyRing.open({ crypto, store: keyRingFile(path), wallClock })
      expect(again.newest).toBe(ring.newest)
      expect(await again.derive(again.newest, ['use'])).toEqual(key)
    })

    test('is taken up by another instance after a rotation', async () => {
      const store = keyRingFile(join(directory, 'keys.json'))
      const one = await KeyRing.open({ crypto, store, wallClock })
      const two = await KeyRing.open({ crypto, store, wallClock })
      await one.rotate()
      expect(two.has(one.newest)).toBe(false)
      await two.reload()
      expect(two.newest).toBe(one.newest)
    })

    test('of two instances that rotate at once, both keep both keys', async () => {
      const store = keyRingFile(join(directory, 'keys.json'))
      const one = await KeyRing.open({ crypto, store, wallClock, keep: 4 })
      const two = await KeyRing.open({ crypto, store, wallClock, keep: 4 })
      const first = one.newest
      await Promise.all([one.rotate(), two.rotate()])
      await one.reload()
      await two.reload()
      const kept = await store.load()
      expect(kept).toHaveLength(3)
      for (const ring of [one, two]) {
        expect(kept.every(({ id }) => ring.has(id))).toBe(true)
        expect(ring.has(first)).toBe(true)
      }
      expect(await readdir(directory)).toEqual(['keys.json'])
    })

    test('of two instances that start at once on nothing, both use one key', async () => {
      const path = join(directory, 'keys.json')
      const rings = await Promise.all(
        [1, 2, 3].map(() => KeyRing.open({ crypto, store: keyRingFile(path) })),
      )
      expect(new Set(rings.map(({ newest }) => newest)).size).toBe(1)
    })

    test('that another process rotates opens what it sealed, by itself', async () => {
      const ring = await KeyRing.open({
        crypto,
        store: keyRingFile(join(directory, 'key-ring.json')),
      })
      const { newest, sealed } = (await asOperator(directory, 'rotate', 'seal alice')) as {
        newest: string
        sealed: string
      }
      await until(() => ring.has(newest))
      const scope = { purpose: 'session', tenantId: 'contoso', host: 'wiki' } as const
      expect(await unseal(ring, { ...scope, applicationId: 'wiki' }, sealed)).toEqual({
        name: 'alice',
      })
      // Nor does a key of the ring open for one tenant what was sealed for another.
      const other = { ...scope, tenantId: 'fabrikam', applicationId: 'wiki' }
      expect(await unseal(ring, other, sealed)).toBeUndefined()
      ring.close()
    })

    test('that was spoilt under a running service is told, and the keys of before stay', async () => {
      const path = join(directory, 'keys.json')
      const failures: PortFailure[] = []
      const ring = await KeyRing.open({
        crypto,
        store: keyRingFile(path),
        onError: (failure) => failures.push(failure),
      })
      const { newest } = ring
      await writeFile(path, 'spoilt')
      await until(() => failures.length > 0)
      expect(failures[0]).toMatchObject({
        port: 'keyRing.reload',
        error: { code: 'ERR_CONFIGURATION_INVALID' },
      })
      expect(ring.has(newest)).toBe(true)
      ring.close()
    })

    test.each(['', '{}', '{"version":1,"keys":[{"id":"a","secret":"c2hvcnQ","createdAt":0}]}'])(
      'that holds %j is refused, not replaced, and not quoted',
      async (text) => {
        const path = join(directory, 'keys.json')
        await writeFile(path, text)
        const opening = KeyRing.open({ crypto, store: keyRingFile(path), wallClock })
        await expect(opening).rejects.toMatchObject({ code: 'ERR_CONFIGURATION_INVALID' })
        await expect(opening).rejects.not.toThrow(/c2hvcnQ/)
        expect(await readFile(path, 'utf8')).toBe(text)
      },
    )
  })
})
