/** Keys that sign assertions, over months that pass only when told to. */
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { decodeProtectedHeader } from 'jose'
import { verifyAssertion, type AssertionKeySet } from '../../../src/assertion/index.ts'
import {
  AssertionKeys,
  KEYS_MAX_AGE_MS,
  PUBLISHED_BEFORE_MS,
  type AssertionKey,
  type AssertionKeyStore,
} from '../../../src/cloud/sign-on/assertion-keys.ts'
import { assertionKeyFile, keyRingFile } from '../../../src/cloud/node/index.ts'
import { KeyRing } from '../../../src/cloud/session/key-ring.ts'

const HOUR = 3_600_000
const ISSUER = 'https://wiki.example'
const AUDIENCE = 'https://wiki.example/'

/** A clock, and what instances share. */
class World {
  now = Date.UTC(2026, 0, 1)
  kept: readonly AssertionKey[] = []
  readonly store: AssertionKeyStore = {
    load: () => Promise.resolve(this.kept),
    save: (keys, before) => {
      const isFirst = this.kept.map(({ id }) => id).join() === before.map(({ id }) => id).join()
      if (isFirst) this.kept = keys
      return Promise.resolve(isFirst)
    },
  }

  open(): Promise<AssertionKeys> {
    return AssertionKeys.open({ store: this.store, wallClock: () => this.now })
  }

  claims(): Readonly<Record<string, unknown>> {
    const iat = Math.floor(this.now / 1000)
    return {
      ...{
        iss: ISSUER,
        aud: AUDIENCE,
        sub: 'alice',
        sub_iss: 'https://sts.example',
        tid: 'contoso',
      },
      ...{ jti: 'a.1', htm: 'GET', htu: AUDIENCE, iat, exp: iat + 60 },
    }
  }

  verify(token: string, keys: AssertionKeySet): Promise<unknown> {
    return verifyAssertion(token, {
      ...{ audience: AUDIENCE, issuer: ISSUER, keys, now: () => this.now },
    }).then(
      () => 'accepted',
      (error: { reason: string }) => error.reason,
    )
  }
}

const names = ({ keys }: AssertionKeySet) => keys.map(({ kid }) => kid)

test('the first key signs at once, and nothing private is published', async () => {
  const world = new World()
  const keys = await world.open()
  const token = await keys.sign(world.claims())
  expect(decodeProtectedHeader(token)).toEqual({
    ...{ alg: 'ES256', typ: 'app-proxy-assertion+jwt', kid: keys.signing },
  })
  expect(await world.verify(token, keys.publicKeys())).toBe('accepted')
  expect(Object.keys(keys.publicKeys().keys[0]!).sort()).toEqual([
    'alg',
    'crv',
    'kid',
    'kty',
    'use',
    'x',
    'y',
  ])
})

test('a new key is published a day before it signs, which is twice what a set is remembered', async () => {
  const world = new World()
  const keys = await world.open()
  const first = keys.signing
  world.now += 30 * 24 * HOUR
  expect(await keys.rotate()).toBe(true)
  expect([keys.signing, names(keys.publicKeys()).length]).toEqual([first, 2])
  expect(PUBLISHED_BEFORE_MS).toBe(2 * KEYS_MAX_AGE_MS)
  world.now += 24 * HOUR - 1
  expect(keys.signing).toBe(first)
  world.now += 1
  expect(keys.signing).not.toBe(first)
})

test('an old key stays until nobody can need it', async () => {
  const world = new World()
  const keys = await world.open()
  const first = keys.signing
  world.now += 48 * HOUR
  await keys.rotate()
  world.now += 24 * HOUR - 1
  const last = await keys.sign(world.claims())
  world.now += 60_000
  expect(await world.verify(last, keys.publicKeys())).toBe('accepted')
  world.now += 12 * HOUR
  expect(names(keys.publicKeys())).toContain(first)
  world.now += 61_000
  expect(names(keys.publicKeys())).toEqual([keys.signing])
})

test('however often it is asked for, one key waits at a time, and three are published at the most', async () => {
  const world = new World()
  const keys = await world.open()
  for (let hour = 0; hour < 400; hour++) {
    await keys.rotate()
    expect(names(keys.publicKeys()).length).toBeLessThanOrEqual(3)
    expect(world.kept.length).toBeLessThanOrEqual(3)
    world.now += HOUR
  }
})

test('whoever remembers a set as long as it says is never shown a key that it lacks', async () => {
  const world = new World()
  const instances = [await world.open(), await world.open(), await world.open()]
  // Each verifier looks at its own time.
  const verifiers = [0, 1, 5, 11].map((hour) => ({
    at: world.now - hour * HOUR,
    set: instances[0]!.publicKeys(),
  }))
  for (let hour = 0; hour < 24 * 30; hour++) {
    for (const keys of instances) await keys.rotateIfOlder(3 * 24 * HOUR)
    for (const keys of instances) await keys.reload()
    for (const verifier of verifiers) {
      if (world.now - verifier.at >= KEYS_MAX_AGE_MS) {
        verifier.at = world.now
        verifier.set = instances[hour % 3]!.publicKeys()
      }
      for (const keys of instances)
        expect(await world.verify(await keys.sign(world.claims()), verifier.set)).toBe('accepted')
    }
    world.now += HOUR
  }
  expect(world.kept.length).toBeGreaterThan(1)
})

test('instances that are behind by a minute sign with what is published still', async () => {
  const world = new World()
  const ahead = await world.open()
  const behind = await AssertionKeys.open({
    store: world.store,
    wallClock: () => world.now - 60_000,
  })
  world.now += 48 * HOUR
  await ahead.rotate()
  await behind.reload()
  world.now += 24 * HOUR
  expect(ahead.signing).not.toBe(behind.signing)
  expect(await world.verify(await behind.sign(world.claims()), ahead.publicKeys())).toBe('accepted')
})

describe('of instances', () => {
  test('that start at once on nothing, all use one key', async () => {
    const world = new World()
    const all = await Promise.all([world.open(), world.open(), world.open()])
    expect(new Set(all.map(({ signing }) => signing)).size).toBe(1)
  })

  test('that rotate at once, one does', async () => {
    const world = new World()
    const all = [await world.open(), await world.open()]
    world.now += 48 * HOUR
    const done = await Promise.all(all.map((keys) => keys.rotate()))
    expect(done.filter(Boolean)).toHaveLength(1)
    expect(world.kept).toHaveLength(2)
  })
})

describe('a key that somebody else has', () => {
  test('is taken away at once, and another signs', async () => {
    const world = new World()
    const keys = await world.open()
    const stolen = keys.signing
    const token = await keys.sign(world.claims())
    await keys.remove(stolen)
    expect(await world.verify(token, keys.publicKeys())).toBe('key-unknown')
    expect(await world.verify(await keys.sign(world.claims()), keys.publicKeys())).toBe('accepted')
    await expect(keys.remove(stolen)).rejects.toMatchObject({ code: 'ERR_API_MISUSE' })
  })

  test('leaves the one that waits', async () => {
    const world = new World()
    const keys = await world.open()
    await keys.rotate()
    const [, waiting] = names(keys.publicKeys())
    await keys.remove(keys.signing)
    expect(names(keys.publicKeys())).toEqual([waiting])
    expect(keys.signing).toBe(waiting)
  })
})

describe('in a file', () => {
  let directory: string
  beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), 'app-proxy-assertion-'))))
  afterEach(() => rm(directory, { recursive: true, force: true }))

  test('they survive a restart, and only their owner may read them', async () => {
    const path = join(directory, 'state', 'assertion-keys.json')
    const first = await AssertionKeys.open({ store: assertionKeyFile(path) })
    await first.rotate()
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const again = await AssertionKeys.open({ store: assertionKeyFile(path) })
    expect(again.publicKeys()).toEqual(first.publicKeys())
    const world = new World()
    world.now = Date.now()
    const token = await again.sign(world.claims())
    expect(await world.verify(token, first.publicKeys())).toBe('accepted')
  })

  test.each(['', '{}', '{"version":1,"keys":[{"id":"a","createdAt":0,"x":"c2hvcnQ"}]}'])(
    'what holds %j is refused, not replaced, and not quoted',
    async (text) => {
      const path = join(directory, 'keys.json')
      await writeFile(path, text)
      const opening = AssertionKeys.open({ store: assertionKeyFile(path) })
      await expect(opening).rejects.toMatchObject({ code: 'ERR_CONFIGURATION_INVALID' })
      await expect(opening).rejects.not.toThrow(/c2hvcnQ/)
      expect(await readFile(path, 'utf8')).toBe(text)
    },
  )

  test('keys of another purpose are none of theirs', async () => {
    const path = join(directory, 'keys.json')
    await KeyRing.open({ store: keyRingFile(path) })
    await expect(AssertionKeys.open({ store: assertionKeyFile(path) })).rejects.toMatchObject({
      code: 'ERR_CONFIGURATION_INVALID',
    })
  })
})
