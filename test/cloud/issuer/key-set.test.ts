import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT, type JWK } from 'jose'
import { beforeEach, describe, expect, test } from 'vitest'
import { KeySet, LOOK_UPS, SAME_KEY_MS } from '../../../src/cloud/issuer/key-set.ts'
import { SignInDenied } from '../../../src/cloud/identity/sign-in-errors.ts'

interface Key {
  readonly jwk: JWK
  readonly privateKey: CryptoKey
}

async function keyNamed(kid: string | undefined, alg = 'ES256'): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg)
  const jwk = { ...(await exportJWK(publicKey)), alg, use: 'sig', ...(kid && { kid }) }
  return { privateKey, jwk }
}

const signed = ({ privateKey, jwk: { alg, kid } }: Key, name = kid): Promise<string> =>
  new SignJWT({ sub: 'u1' })
    .setProtectedHeader({ alg: alg!, ...(name !== undefined && { kid: name }) })
    .sign(privateKey)

let now = 0
let asked = 0
let published: unknown
let isDown = false
let keys: KeySet

beforeEach(() => {
  ;[now, asked, isDown] = [0, 0, false]
  keys = new KeySet({
    address: new URL('https://issuer.example/keys'),
    now: () => now,
    maxAgeMs: 600_000,
    fetch: async () => {
      asked += 1
      if (isDown) throw new SignInDenied('issuer-unavailable')
      return new Response(typeof published === 'string' ? published : JSON.stringify(published))
    },
  })
})

const isKey = (one: unknown): one is Key => (one as Key | null)?.privateKey !== undefined
const publish = (...list: readonly unknown[]) =>
  (published = { keys: list.map((one) => (isKey(one) ? one.jwk : one)) })
const verify = async (token: string | Promise<string>, source: 'issuer' | 'anybody' = 'anybody') =>
  keys.verify(await token, {}, source)
const GOOD = { sub: 'u1' }
const SIGNATURE = { code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED' }
const UNKNOWN = { code: 'ERR_JWKS_NO_MATCHING_KEY' }

describe('without a gap, and with one look-up each,', () => {
  test('keys rotate three times in a moment', async () => {
    publish(await keyNamed('first'))
    await expect(verify(signed(await keyNamed('first')))).rejects.toMatchObject(SIGNATURE)
    for (const name of ['second', 'third', 'fourth']) {
      const key = await keyNamed(name)
      publish(key)
      expect(await verify(signed(key))).toMatchObject(GOOD)
    }
    expect(asked).toBe(1 + 1 + 3)
  })

  test.each(['k', undefined])('a key is replaced under the same name (%s)', async (name) => {
    const old = await keyNamed(name)
    publish(old)
    expect(await verify(signed(old), 'issuer')).toMatchObject(GOOD)
    const replaced = await keyNamed(name)
    publish(replaced)
    expect(await verify(signed(replaced), 'issuer')).toMatchObject(GOOD)
    expect(asked).toBe(2)
    // And what was withdrawn is good no more.
    await expect(verify(signed(old))).rejects.toMatchObject(SIGNATURE)
  })

  test('a hundred users come with a new key at the same time', async () => {
    publish(await keyNamed('old'))
    await expect(verify(signed(await keyNamed('x')))).rejects.toMatchObject(UNKNOWN)
    const before = asked
    const key = await keyNamed('new')
    publish(key)
    const token = await signed(key)
    await Promise.all(Array.from({ length: 100 }, () => verify(token)))
    expect(asked - before).toBe(1)
  })

  test('a user signs in while strangers flood with tokens of their own', async () => {
    publish(await keyNamed('k'))
    for (let i = 0; i < 50; i++)
      await expect(verify(signed(await keyNamed(i % 2 ? 'k' : `x${i}`)))).rejects.toThrow()
    const replaced = await keyNamed('k')
    publish(replaced)
    expect(await verify(signed(replaced), 'issuer')).toMatchObject(GOOD)
  })

  test('a key that is published a little late is found once it is there', async () => {
    const late = await keyNamed('late')
    publish(await keyNamed('k'))
    await expect(verify(signed(late), 'issuer')).rejects.toMatchObject(UNKNOWN)
    publish(await keyNamed('k'), late)
    now += SAME_KEY_MS
    expect(await verify(signed(late), 'issuer')).toMatchObject(GOOD)
  })
})

describe('strangers', () => {
  const { burst, refillMs } = LOOK_UPS.anybody

  test.each([
    ['ever new names of keys', (i: number) => `x${i}`],
    ['one name that is unknown', () => 'x'],
    ['the name of the key, and no signature of it', () => 'k'],
  ])('with %s cause few look-ups in twenty minutes', async (_, name) => {
    publish(await keyNamed('k'))
    const forger = await keyNamed('forged')
    for (let i = 0; i < 240; i++) {
      await expect(verify(signed(forger, name(i)))).rejects.toThrow()
      now += 5_000
    }
    // Those of the keys' own age are among them.
    expect(asked).toBeLessThanOrEqual(burst + 1_200_000 / refillMs + 2)
  })

  test('cause five at once, whatever they send', async () => {
    publish(await keyNamed('k'))
    const forger = await keyNamed('forged')
    for (let i = 0; i < 200; i++) await expect(verify(signed(forger, `x${i}`))).rejects.toThrow()
    expect(asked).toBe(1 + burst)
  })

  test('are told of the signature while the issuer is down, and nobody of it by an unknown key', async () => {
    publish(await keyNamed('k'))
    const forger = await keyNamed('k')
    await expect(verify(signed(forger))).rejects.toMatchObject(SIGNATURE)
    isDown = true
    now += SAME_KEY_MS
    await expect(verify(signed(forger))).rejects.toMatchObject(SIGNATURE)
    await expect(verify(signed(forger, 'x'))).rejects.toMatchObject({
      reason: 'issuer-unavailable',
    })
  })
})

describe('a set with', () => {
  test('members that are none, and values that say nothing, is read past them', async () => {
    const key = await keyNamed('k')
    const nulls = { key_ops: null, x5c: null, x5t: null, ext: null, alg: null, use: null }
    publish(null, [], 7, 'k', { ...key.jwk, ...nulls })
    expect(await verify(signed(key))).toMatchObject(GOOD)
  })

  test('keys of kinds that nobody knows serves with the others', async () => {
    const key = await keyNamed('k')
    publish(
      { kty: 'LMS', kid: 'k', pub: 'AA' },
      { kty: 'oct', k: 'AA', kid: 'k' },
      { kid: 'k' },
      key,
    )
    expect(await verify(signed(key))).toMatchObject(GOOD)
  })

  test('two keys of one name, one of them broken, serves for both', async () => {
    const [one, two] = [await keyNamed('k'), await keyNamed('k')]
    publish({ ...one.jwk, x: 'AA' }, one, two)
    for (const key of [one, two]) expect(await verify(signed(key))).toMatchObject(GOOD)
    await expect(verify(signed(await keyNamed('k')))).rejects.toMatchObject(SIGNATURE)
  })

  test('twins of which one fits does not excuse what the token claims', async () => {
    const [one, two] = [await keyNamed('k'), await keyNamed('k')]
    publish(one, two)
    await expect(
      keys.verify(await signed(two), { audience: 'wiki' }, 'issuer'),
    ).rejects.toMatchObject({ code: 'ERR_JWT_CLAIM_VALIDATION_FAILED' })
    expect(asked).toBe(1)
  })

  test('several keys does not serve a token that names none', async () => {
    const key = await keyNamed('k')
    publish(key, await keyNamed('l'))
    const { kid: _, ...jwk } = key.jwk
    const token = await signed({ ...key, jwk })
    await expect(verify(token)).rejects.toMatchObject({ code: 'ERR_JWKS_MULTIPLE_MATCHING_KEYS' })
  })

  test.each([['[]'], ['{}'], ['{"keys":[]}'], ['{"keys":[null]}'], ['null'], ['<html>']])(
    'nothing in it (%s) is none',
    async (text) => {
      published = text
      await expect(verify(signed(await keyNamed('k')))).rejects.toMatchObject({
        reason: 'issuer-keys',
      })
    },
  )

  test('a broken key that is mended serves at once', async () => {
    const key = await keyNamed('k')
    publish({ ...key.jwk, x: 'AA' })
    await expect(verify(signed(key))).rejects.toThrow()
    publish(key)
    now += SAME_KEY_MS
    expect(await verify(signed(key))).toMatchObject(GOOD)
  })
})

test('keys age: an issuer that withdrew one is believed after ten minutes', async () => {
  const key = await keyNamed('k')
  publish(key)
  expect(await verify(signed(key))).toMatchObject(GOOD)
  publish(await keyNamed('l'))
  now += 600_000
  await expect(verify(signed(key))).rejects.toMatchObject(UNKNOWN)
})

test('nothing else looks up keys, nor authenticates a client', () => {
  const root = new URL('../../../src/', import.meta.url).pathname
  const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
  const using = (pattern: RegExp) =>
    sources.filter(
      (one) => one.endsWith('.ts') && pattern.test(readFileSync(join(root, one), 'utf8')),
    )
  expect(using(/\bcreate(Remote|Local)JWKSet\b/)).toEqual(['cloud/issuer/key-set.ts'])
  expect(using(/\b(ClientSecret(Basic|Post|Jwt)|PrivateKeyJwt)\(/)).toEqual([
    'cloud/issuer/client-authentication.ts',
  ])
})
