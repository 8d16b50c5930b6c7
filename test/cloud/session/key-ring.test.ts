import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { KeyRing } from '../../../src/cloud/session/key-ring.ts'
import { keyRingFile } from '../../../src/cloud/node/key-ring-file.ts'

const wallClock = () => 1_700_000_000_000

describe('a key ring', () => {
  test('gets its first key when it is opened empty', async () => {
    const ring = await KeyRing.open({ wallClock })
    expect(ring.newest).toMatch(/^[0-9a-f]{12}$/)
    expect(ring.has(ring.newest)).toBe(true)
  })

  test('seals with the newest key, and keeps three', async () => {
    const ring = await KeyRing.open({ wallClock })
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
    const ring = await KeyRing.open({ wallClock: () => now })
    const first = ring.newest
    now += 500
    expect(await ring.rotateIfOlder(500)).toBe(false)
    now += 1
    expect(await ring.rotateIfOlder(500)).toBe(true)
    expect([ring.newest === first, ring.has(first)]).toEqual([false, true])
    expect(await ring.rotateIfOlder(500)).toBe(false)
  })

  test('derives another key for every use, the same one each time', async () => {
    const ring = await KeyRing.open({ wallClock })
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
    const ring = await KeyRing.open({ wallClock })
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
    const ring = await KeyRing.open({ store, wallClock })
    const key = await ring.derive(ring.newest, ['use'])
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await stat(join(directory, 'state'))).mode & 0o777).toBe(0o700)
    expect(await readdir(join(directory, 'state'))).toEqual(['keys.json'])
    const again = await KeyRing.open({ store: keyRingFile(path), wallClock })
    expect(again.newest).toBe(ring.newest)
    expect(await again.derive(again.newest, ['use'])).toEqual(key)
  })

  test('is taken up by another instance after a rotation', async () => {
    const store = keyRingFile(join(directory, 'keys.json'))
    const one = await KeyRing.open({ store, wallClock })
    const two = await KeyRing.open({ store, wallClock })
    await one.rotate()
    expect(two.has(one.newest)).toBe(false)
    await two.reload()
    expect(two.newest).toBe(one.newest)
  })

  test.each(['', '{}', '{"version":1,"keys":[{"id":"a","secret":"c2hvcnQ","createdAt":0}]}'])(
    'that holds %j is refused, not replaced, and not quoted',
    async (text) => {
      const path = join(directory, 'keys.json')
      await writeFile(path, text)
      const opening = KeyRing.open({ store: keyRingFile(path), wallClock })
      await expect(opening).rejects.toMatchObject({ code: 'ERR_CONFIGURATION_INVALID' })
      await expect(opening).rejects.not.toThrow(/c2hvcnQ/)
      expect(await readFile(path, 'utf8')).toBe(text)
    },
  )
})
