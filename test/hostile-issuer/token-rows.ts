/** What an issuer can do wrong with its ID token. */
import { generateKeyPairSync, KeyObject, sign as signOctets, type webcrypto } from 'node:crypto'
import { CompactEncrypt, exportSPKI, generateKeyPair, importJWK, SignJWT } from 'jose'
import { part, type Json, type Misbehaviour, type Scene } from './issuer.ts'

export interface Row {
  /** Begins with the threat it stands for. */
  readonly title: string
  /** The one reason it is refused for. */
  readonly reason: string
  readonly wrong: Misbehaviour
}

/** A good token but for some claims. */
const claims = (change: Json | ((scene: Scene) => Json)): Misbehaviour => ({
  idToken: (scene) =>
    scene.sign({ ...scene.claims, ...(typeof change === 'function' ? change(scene) : change) }),
})
/** A good token but for its header. */
const header = (change: Json | ((scene: Scene) => Json | Promise<Json>)): Misbehaviour => ({
  idToken: async (scene) =>
    scene.sign(scene.claims, typeof change === 'function' ? await change(scene) : change),
})
const token = (idToken: Required<Misbehaviour>['idToken']): Misbehaviour => ({ idToken })

/** A token made of a header and claims as they are written, with whatever signature. */
const written = (head: unknown, body: unknown, signature = 'c2lnbmF0dXJl') =>
  `${part(head)}.${part(body)}.${signature}`

/** Signed by a good key, although the library that signs would not write such a thing. */
function signedByHand({ keys }: Scene, head: string, body: string): string {
  const input = `${part(head)}.${part(body)}`
  const { privateKey } = keys.at(-1)!
  const key = KeyObject.from(privateKey as webcrypto.CryptoKey)
  return `${input}.${signOctets('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const strangersJwk = { ...stranger.publicKey.export({ format: 'jwk' }), kid: 'key-1' }
const strangersKey = () =>
  importJWK(stranger.privateKey.export({ format: 'jwk' }), 'ES256') as Promise<CryptoKey>

const CLAIM_ROWS: readonly Row[] = [
  {
    title: 'T18 a token that names another issuer',
    reason: 'token-issuer',
    wrong: claims({ iss: 'https://other.example' }),
  },
  {
    title: 'T18 a token whose issuer differs by a slash at the end',
    reason: 'token-issuer',
    wrong: claims(({ issuer }) => ({ iss: `${issuer}/` })),
  },
  {
    title: 'T18 a token for another application',
    reason: 'token-audience',
    wrong: claims({ aud: 'wiki' }),
  },
  {
    title: 'T18 a token for a list of other applications',
    reason: 'token-audience',
    wrong: claims({ aud: ['wiki', 'intranet2'] }),
  },
  {
    title: 'T18 a token for the application in another case',
    reason: 'token-audience',
    wrong: claims({ aud: 'Intranet' }),
  },
  {
    title: 'T18 a token for a list of applications that names no authorised party',
    reason: 'token-audience',
    wrong: claims({ aud: ['intranet', 'wiki'] }),
  },
  {
    title: 'T18 a token that was given to another party',
    reason: 'token-party',
    wrong: claims({ azp: 'wiki' }),
  },
  {
    title: 'T18 a token for a list of applications that was given to another party',
    reason: 'token-party',
    wrong: claims({ aud: ['intranet', 'wiki'], azp: 'wiki' }),
  },
  {
    title: 'T18 a token for another tenant',
    reason: 'token-tenant',
    wrong: claims({ tid: 'fabrikam' }),
  },
  {
    title: 'T17 a token with claims that are null, signed by somebody else',
    reason: 'token-signature',
    wrong: {
      idToken: async ({ sign, claims, keys }) =>
        sign(
          { ...claims, nbf: null },
          { kid: keys[0]!.kid },
          (await generateKeyPair('ES256')).privateKey,
        ),
    },
  },
  {
    title: 'T17 a token with claims that are null, which has expired',
    reason: 'token-expired',
    wrong: claims({ nbf: null, exp: 1 }),
  },
  {
    title: 'T17 a token whose nonce is null',
    reason: 'token-claims',
    wrong: claims({ nonce: null }),
  },
  {
    title: 'T17 a token without a nonce',
    reason: 'token-claims',
    wrong: claims({ nonce: undefined }),
  },
  {
    title: 'T17 a token with another nonce',
    reason: 'token-nonce',
    wrong: claims({ nonce: 'another' }),
  },
  {
    title: 'T17 a token with a list of nonces, the right one among them',
    reason: 'token-claims',
    wrong: claims(({ nonce }) => ({ nonce: ['another', nonce] })),
  },
  {
    title: 'T17 a token with two nonces, of which the last is right',
    reason: 'token-malformed',
    wrong: token((scene) => {
      const body = JSON.stringify(scene.claims).replace('{', '{"nonce":"another",')
      return signedByHand(scene, '{"alg":"ES256","kid":"key-1"}', body)
    }),
  },
  {
    title: 'T18 a token that has ended',
    reason: 'token-expired',
    wrong: claims(({ seconds }) => ({ iat: seconds - 400, exp: seconds - 61 })),
  },
  {
    title: 'T18 a token that is good only because clocks differ: its session would be over',
    reason: 'token-expired',
    wrong: claims(({ seconds }) => ({ iat: seconds - 400, exp: seconds - 5 })),
  },
  {
    title: 'T18 a token that has not begun',
    reason: 'token-not-yet-valid',
    wrong: claims(({ seconds }) => ({ nbf: seconds + 120 })),
  },
  {
    title: 'T18 a token from the future',
    reason: 'token-not-yet-valid',
    wrong: claims(({ seconds }) => ({ iat: seconds + 120 })),
  },
  ...['sub', 'iat', 'exp', 'iss', 'aud'].map((name) => ({
    title: `T18 a token without "${name}"`,
    reason: 'token-claims',
    wrong: claims({ [name]: undefined }),
  })),
  {
    title: 'T18 a token with an empty subject',
    reason: 'token-claims',
    wrong: claims({ sub: '' }),
  },
  {
    title: 'T18 a token whose subject is a number',
    reason: 'token-claims',
    wrong: claims({ sub: 7 }),
  },
  {
    title: 'T18 a token whose subject is endless',
    reason: 'token-claims',
    wrong: claims({ sub: 'u'.repeat(256) }),
  },
  {
    title: 'T18 a token whose end is text',
    reason: 'token-claims',
    wrong: token((scene) =>
      signedByHand(
        scene,
        '{"alg":"ES256","kid":"key-1"}',
        JSON.stringify({ ...scene.claims, exp: '9999999999' }),
      ),
    ),
  },
  {
    title: 'T18 a token whose beginning is text',
    reason: 'token-claims',
    wrong: token((scene) =>
      signedByHand(
        scene,
        '{"alg":"ES256","kid":"key-1"}',
        JSON.stringify({ ...scene.claims, nbf: 'yesterday' }),
      ),
    ),
  },
  {
    title: 'T18 a token whose hash is of another access token',
    reason: 'token-hash',
    wrong: claims({ at_hash: '77QmUPtjPfzWtF2AnpK9RQ' }),
  },
  {
    title: 'T18 a token whose hash is of another code',
    reason: 'token-hash',
    wrong: claims({ c_hash: '77QmUPtjPfzWtF2AnpK9RQ' }),
  },
]

const SIGNATURE_ROWS: readonly Row[] = [
  {
    title: 'T19 a token that is not signed (alg none)',
    reason: 'token-algorithm',
    wrong: token(({ claims }) => written({ alg: 'none' }, claims, '')),
  },
  ...['NONE', 'nOnE', '', 'ES256K', 'RS1', 'ES-256'].map((alg) => ({
    title: `T19 a token whose algorithm is "${alg}"`,
    reason: 'token-algorithm',
    wrong: token(({ claims }) => written({ alg, kid: 'key-1' }, claims)),
  })),
  {
    title: 'T19 a token without an algorithm',
    reason: 'token-algorithm',
    wrong: token(({ claims }) => written({ kid: 'key-1' }, claims)),
  },
  {
    title: 'T19 a token signed with the client secret (HS256)',
    reason: 'token-algorithm',
    wrong: token(({ claims, clientSecret }) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'HS256' })
        .sign(new TextEncoder().encode(clientSecret)),
    ),
  },
  {
    title: 'T19 a token signed with the public key as a secret (HS256)',
    reason: 'token-algorithm',
    wrong: token(async ({ claims, keys }) => {
      const key = (await importJWK({ ...keys[0]!.publicJwk }, 'ES256', {
        extractable: true,
      })) as CryptoKey
      return new SignJWT(claims)
        .setProtectedHeader({ alg: 'HS256', kid: 'key-1' })
        .sign(new TextEncoder().encode(await exportSPKI(key)))
    }),
  },
  {
    title: 'T19 a token of an algorithm that the issuer does not announce',
    reason: 'token-algorithm',
    wrong: {
      metadata: (good) => ({ ...good, id_token_signing_alg_values_supported: ['RS256'] }),
    },
  },
  {
    title: 'T19 a token signed with a key of another kind than its algorithm',
    reason: 'token-key',
    wrong: token(({ claims }) => written({ alg: 'RS256', kid: 'key-1' }, claims)),
  },
  {
    title: 'T19 a token signed by somebody else',
    reason: 'token-signature',
    wrong: token(async ({ claims, sign }) => sign(claims, {}, await strangersKey())),
  },
  {
    title: 'T19 a token that was changed after it was signed',
    reason: 'token-signature',
    wrong: token(async ({ claims, sign }) => {
      const [head, , signature] = (await sign({ ...claims, sub: 'u2' })).split('.')
      return `${head}.${part(claims)}.${signature}`
    }),
  },
  {
    title: 'T19 a token without its signature',
    reason: 'token-signature',
    wrong: token(async ({ claims, sign }) => (await sign(claims)).replace(/[^.]+$/, '')),
  },
  {
    title: 'T19 a token whose signature is all zeroes',
    reason: 'token-signature',
    wrong: token(({ claims }) =>
      written({ alg: 'ES256', kid: 'key-1' }, claims, Buffer.alloc(64).toString('base64url')),
    ),
  },
  {
    title: 'T20 a token that names an unknown key',
    reason: 'token-key',
    wrong: header({ kid: 'key-9' }),
  },
  ...[
    '../../../dev/null',
    '/etc/passwd',
    "x' UNION SELECT 'key-1",
    '__proto__',
    'key-1\u0000',
    'key-1 ',
  ].map((kid) => ({
    title: `T19 a token whose key is named ${JSON.stringify(kid)}`,
    reason: 'token-key',
    wrong: header({ kid }),
  })),
  {
    title: 'T19 a token whose key is named by an object',
    reason: 'token-header',
    wrong: token(({ claims }) => written({ alg: 'ES256', kid: { $ne: null } }, claims)),
  },
  {
    title: 'T19 a token that names no key, where there are several',
    reason: 'token-key',
    wrong: {
      ...header({ kid: undefined }),
      keys: ({ keys }) => ({ keys: [...keys, { ...strangersJwk, kid: 'key-2' }] }),
    },
  },
  {
    title: 'T19 a token that brings its key (jwk)',
    reason: 'token-header',
    wrong: token(async ({ claims, sign }) =>
      sign(claims, { jwk: strangersJwk }, await strangersKey()),
    ),
  },
  {
    title: 'T19 a token that says where its key is (jku)',
    reason: 'token-header',
    wrong: header(({ issuer }) => ({ jku: `${issuer}/keys` })),
  },
  {
    title: 'T19 a token that says where its certificate is (x5u)',
    reason: 'token-header',
    wrong: header(({ issuer }) => ({ x5u: `${issuer}/certificate` })),
  },
  {
    title: 'T19 a token that brings its certificate (x5c)',
    reason: 'token-header',
    wrong: header({ x5c: ['MIIB'] }),
  },
  {
    title: 'T19 a token with a critical extension',
    reason: 'token-header',
    wrong: token(({ claims }) =>
      written({ alg: 'ES256', kid: 'key-1', crit: ['exp'], exp: 1 }, claims),
    ),
  },
  {
    title: 'T19 a token whose payload is not encoded (b64)',
    reason: 'token-header',
    wrong: token(({ claims }) => written({ alg: 'ES256', kid: 'key-1', b64: false }, claims)),
  },
  {
    title: 'T18 an access token in the place of an ID token',
    reason: 'token-header',
    wrong: header({ typ: 'at+jwt' }),
  },
  {
    title: 'T18 a logout token in the place of an ID token',
    reason: 'token-header',
    wrong: header({ typ: 'application/logout+jwt' }),
  },
]

const SHAPE_ROWS: readonly Row[] = [
  { title: 'T21 a token that is none', reason: 'token-malformed', wrong: token(() => 'rubbish') },
  {
    title: 'T21 a token of dots',
    reason: 'token-malformed',
    wrong: token(() => '.'.repeat(20_000)),
  },
  {
    title: 'T21 a token of two parts',
    reason: 'token-malformed',
    wrong: token(({ claims }) => `${part({ alg: 'ES256' })}.${part(claims)}`),
  },
  {
    title: 'T21 a token whose header is no JSON',
    reason: 'token-malformed',
    wrong: token(({ claims }) => written('{', claims)),
  },
  {
    title: 'T21 a token whose header is a list',
    reason: 'token-malformed',
    wrong: token(({ claims }) => written([{ alg: 'ES256' }], claims)),
  },
  {
    title: 'T21 a token whose header says its algorithm twice',
    reason: 'token-malformed',
    wrong: token((scene) =>
      signedByHand(
        scene,
        '{"alg":"none","\\u0061lg":"ES256","kid":"key-1"}',
        JSON.stringify(scene.claims),
      ),
    ),
  },
  {
    title: 'T21 a token whose claims are no JSON',
    reason: 'token-malformed',
    wrong: token(() => written({ alg: 'ES256', kid: 'key-1' }, 'claims')),
  },
  {
    title: 'T21 a token whose claims are text',
    reason: 'token-malformed',
    wrong: token(() => written({ alg: 'ES256', kid: 'key-1' }, '"claims"')),
  },
  {
    title: 'T21 a token that is no text',
    reason: 'token-malformed',
    wrong: { token: (good) => ({ ...good, id_token: { claims: {} } }) },
  },
  {
    title: 'T21 an encrypted token',
    reason: 'token-encrypted',
    wrong: token(({ claims }) =>
      new CompactEncrypt(new TextEncoder().encode(JSON.stringify(claims)))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
        .encrypt(new Uint8Array(32)),
    ),
  },
  {
    title: 'T21 an encrypted token that would cost a million hashes (p2c)',
    reason: 'token-encrypted',
    wrong: token(() => {
      const head = { alg: 'PBES2-HS256+A128KW', enc: 'A128GCM', p2c: 1_000_000, p2s: 'c2FsdA' }
      return `${part(head)}.AA.AA.AA.AA`
    }),
  },
  {
    title: 'T21 a token that is too large',
    reason: 'token-too-large',
    wrong: claims({ padding: 'x'.repeat(40_000) }),
  },
  {
    title: 'T21 a token whose header is too large',
    reason: 'token-too-large',
    wrong: header({ padding: 'x'.repeat(4_000) }),
  },
]

export const TOKEN_ROWS: readonly Row[] = [...CLAIM_ROWS, ...SIGNATURE_ROWS, ...SHAPE_ROWS]
