/** Assertions, good and forged, for tests: what each is refused for. Nothing of the repository but the package is needed. */
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import type { AssertionKeySet, AssertionRefusal } from 'app-proxy/assertion'

export const AUDIENCE = 'https://wiki.example/'
export const ISSUER = 'https://wiki.example'

/** Whoever makes assertions, and whoever would like to. */
export interface Maker {
  readonly keys: AssertionKeySet
  /** One for `GET /page`, or as `changes` say. `null` leaves a claim out. */
  make(changes?: Readonly<Record<string, unknown>>, header?: object): Promise<string>
  /** Signed with a key of the forger's own, under the name of the real one. */
  forge(changes?: Readonly<Record<string, unknown>>): Promise<string>
}

export async function createMaker(now: () => number = Date.now, kid = 'key-1'): Promise<Maker> {
  const [own, others] = await Promise.all([generateKeyPair('ES256'), generateKeyPair('ES256')])
  const published = { ...(await exportJWK(own.publicKey)), kid, alg: 'ES256', use: 'sig' }
  const sign = (key: CryptoKey, changes: Readonly<Record<string, unknown>>, header: object) => {
    const iat = Math.floor(now() / 1000)
    const claims = {
      ...{
        iss: ISSUER,
        aud: AUDIENCE,
        sub: 'alice',
        sub_iss: 'https://sts.example',
        tid: 'contoso',
      },
      ...{ jti: `${crypto.randomUUID()}.1`, htm: 'GET', htu: 'https://wiki.example/page' },
      ...{ iat, exp: iat + 60, ...changes },
    }
    const kept = Object.entries(claims).filter(([, value]) => value !== null)
    return new SignJWT(Object.fromEntries(kept))
      .setProtectedHeader({ alg: 'ES256', typ: 'app-proxy-assertion+jwt', kid, ...header })
      .sign(key)
  }
  return {
    keys: { keys: [published] as AssertionKeySet['keys'] },
    make: (changes = {}, header = {}) => sign(own.privateKey, changes, header),
    forge: (changes = {}) => sign(others.privateKey, changes, {}),
  }
}

/** One that is not good. */
export interface Forgery {
  readonly name: string
  readonly reason: AssertionRefusal
  token(maker: Maker, now: number): Promise<string | undefined> | string | undefined
}

const seconds = (now: number) => Math.floor(now / 1000)

export const FORGERIES: readonly Forgery[] = [
  { name: 'none at all', reason: 'missing', token: () => undefined },
  { name: 'no token', reason: 'malformed', token: () => 'alice' },
  {
    name: 'an ID token of the same key',
    reason: 'type',
    token: (maker) => maker.make({}, { typ: 'JWT' }),
  },
  {
    name: 'one without a signature',
    reason: 'algorithm',
    token: () => unsigned({ alg: 'none', typ: 'app-proxy-assertion+jwt', kid: 'key-1' }),
  },
  {
    name: 'one that takes the public key for a secret',
    reason: 'algorithm',
    token: ({ keys }) =>
      new SignJWT({})
        .setProtectedHeader({ alg: 'HS256', typ: 'app-proxy-assertion+jwt', kid: 'key-1' })
        .sign(new TextEncoder().encode(JSON.stringify(keys.keys[0]))),
  },
  {
    name: 'one of a key that nobody published',
    reason: 'key-unknown',
    token: (maker) => maker.make({}, { kid: 'key-9' }),
  },
  { name: 'one that another key signed', reason: 'signature', token: (maker) => maker.forge() },
  {
    name: 'a good one that says another name',
    reason: 'signature',
    token: async (maker) => {
      const [header, payload, signature] = (await maker.make()).split('.')
      const claims = JSON.parse(atob(payload!.replace(/-/g, '+').replace(/_/g, '/'))) as object
      const other = encoded({ ...claims, sub: 'admin' })
      return `${header}.${other}.${signature}`
    },
  },
  {
    name: 'one of another service',
    reason: 'issuer',
    token: (maker) => maker.make({ iss: 'https://evil.example' }),
  },
  {
    name: 'one for another application',
    reason: 'audience',
    token: (maker) => maker.make({ aud: 'https://blog.example/' }),
  },
  {
    name: 'one that has ended',
    reason: 'expired',
    token: (maker, now) => maker.make({ iat: seconds(now) - 120, exp: seconds(now) - 60 }),
  },
  {
    name: 'one of the future',
    reason: 'not-yet-valid',
    token: (maker, now) => maker.make({ iat: seconds(now) + 60, exp: seconds(now) + 120 }),
  },
  {
    name: 'one of another method',
    reason: 'method',
    token: (maker) => maker.make({ htm: 'POST' }),
  },
  {
    name: 'one of another page',
    reason: 'url',
    token: (maker) => maker.make({ htu: 'https://wiki.example/other' }),
  },
]

function unsigned(header: object): string {
  const [, payload] = new UnsecuredJWT({ sub: 'admin' }).encode().split('.')
  return `${encoded(header)}.${payload}.`
}

function encoded(value: object): string {
  const text = btoa(JSON.stringify(value))
  return text.replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')
}
