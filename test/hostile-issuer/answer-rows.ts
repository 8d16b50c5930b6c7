/** What an issuer can do wrong with its metadata, its callback, its token endpoint and its keys. */
import { generateKeyPairSync } from 'node:crypto'
import {
  dripping,
  endless,
  hangUp,
  redirect,
  silence,
  status,
  text,
  type Answer,
  type Json,
} from './issuer.ts'
import type { Row } from './token-rows.ts'

const WELL = 'http://127.0.0.1:1/well'
const BIG = { padding: 'x'.repeat(300 * 1024) }

/** How any answer can be bad, whatever it is for. */
const BAD_ANSWERS: readonly (readonly [string, string, Answer])[] = [
  ['are redirected', 'issuer-redirected', redirect(WELL)],
  ['are redirected for good', 'issuer-redirected', redirect(WELL, 308)],
  ['have no end', 'issuer-too-large', endless],
  ['never come', 'issuer-timeout', silence],
  ['come octet by octet', 'issuer-timeout', dripping],
  ['end with the connection', 'issuer-unavailable', hangUp],
  ['are a failure of the issuer', 'issuer-unavailable', status(500)],
]

const METADATA_ROWS: readonly Row[] = [
  ...BAD_ANSWERS.map(([title, reason, answer]) => ({
    title: `T20 metadata that ${title}`,
    reason,
    wrong: { metadata: () => answer },
  })),
  {
    title: 'T18 metadata of another issuer',
    reason: 'issuer-mismatch',
    wrong: { metadata: (good) => ({ ...good, issuer: 'https://other.example' }) },
  },
  {
    title: 'T18 metadata of an issuer that differs by a slash at the end',
    reason: 'issuer-mismatch',
    wrong: { metadata: (good) => ({ ...good, issuer: `${String(good['issuer'])}/` }) },
  },
  {
    title: 'T18 metadata that names no issuer',
    reason: 'issuer-malformed',
    wrong: { metadata: (good) => ({ ...good, issuer: undefined }) },
  },
  {
    title: 'T20 metadata that is no JSON',
    reason: 'issuer-malformed',
    wrong: { metadata: () => text('<html>') },
  },
  {
    title: 'T20 metadata that does not call itself JSON',
    reason: 'issuer-malformed',
    wrong: { metadata: (good) => text(JSON.stringify(good), 'text/html') },
  },
  {
    title: 'T20 metadata that is a list',
    reason: 'issuer-malformed',
    wrong: { metadata: () => text('[]') },
  },
  {
    title: 'T20 metadata that is too large',
    reason: 'issuer-too-large',
    wrong: { metadata: (good) => ({ ...good, ...BIG }) },
  },
  ...['authorization_endpoint', 'token_endpoint', 'jwks_uri'].flatMap((name): readonly Row[] => [
    {
      title: `T20 metadata without "${name}"`,
      reason: 'issuer-malformed',
      wrong: { metadata: (good) => ({ ...good, [name]: undefined }) },
    },
    {
      title: `T20 metadata whose "${name}" is no text`,
      reason: 'issuer-malformed',
      wrong: { metadata: (good) => ({ ...good, [name]: [good[name]] }) },
    },
    {
      title: `T20 metadata whose "${name}" is plain http elsewhere`,
      reason: 'issuer-insecure',
      wrong: { metadata: (good) => ({ ...good, [name]: 'http://169.254.169.254/latest' }) },
    },
    {
      title: `T20 metadata whose "${name}" is a file`,
      reason: 'issuer-insecure',
      wrong: { metadata: (good) => ({ ...good, [name]: 'file:///etc/passwd' }) },
    },
  ]),
]

/** Rows of an issuer that is reached over https: there, not even a loopback address may be plain. */
export const HTTPS_ROWS: readonly Row[] = [
  'authorization_endpoint',
  'token_endpoint',
  'jwks_uri',
].map((name) => ({
  title: `T20 metadata over https whose "${name}" is plain http`,
  reason: 'issuer-insecure',
  wrong: { metadata: (good: Json) => ({ ...good, [name]: 'http://127.0.0.1:1/x' }) },
}))

const CALLBACK_ROWS: readonly Row[] = [
  {
    title: 'T17 a callback that does not name the issuer, which announced that it would',
    reason: 'issuer-mismatch',
    wrong: { callback: (parameters) => parameters.delete('iss') },
  },
  {
    title: 'T17 a callback that names another issuer',
    reason: 'issuer-mismatch',
    wrong: { callback: (parameters) => parameters.set('iss', 'https://other.example') },
  },
  {
    title: 'T17 a callback that names another issuer, though nothing was announced',
    reason: 'issuer-mismatch',
    wrong: {
      metadata: (good) => ({ ...good, authorization_response_iss_parameter_supported: false }),
      callback: (parameters) => parameters.set('iss', 'https://other.example'),
    },
  },
  ...['iss', 'state', 'code'].map((name): Row => ({
    title: `T17 a callback with "${name}" twice`,
    reason: 'callback-malformed',
    wrong: { callback: (parameters) => parameters.append(name, parameters.get(name)!) },
  })),
  {
    title: 'T17 a callback without a state',
    reason: 'callback-malformed',
    wrong: { callback: (parameters) => parameters.delete('state') },
  },
  {
    title: 'T17 a callback with the state of another attempt',
    reason: 'attempt-missing',
    wrong: { callback: (parameters) => parameters.set('state', 'A'.repeat(43)) },
  },
  {
    title: 'T17 a callback without a code',
    reason: 'callback-malformed',
    wrong: { callback: (parameters) => parameters.delete('code') },
  },
  {
    title: 'T17 a callback with a token in its query',
    reason: 'callback-malformed',
    wrong: { callback: (parameters) => parameters.set('id_token', 'e30.e30.') },
  },
  {
    title: 'T17 a callback with an error, whatever code it brings',
    reason: 'issuer-failed',
    wrong: { callback: (parameters) => parameters.set('error', 'server_error') },
  },
  {
    title: 'T17 a callback that says access was denied',
    reason: 'access-denied',
    wrong: { callback: (parameters) => parameters.set('error', 'access_denied') },
  },
]

const TOKEN_ENDPOINT_ROWS: readonly Row[] = [
  ...BAD_ANSWERS.map(([title, reason, answer]) => ({
    title: `T20 answers of the token endpoint that ${title}`,
    reason,
    wrong: { token: () => answer },
  })),
  {
    title: 'T20 an answer of the token endpoint that is too large',
    reason: 'issuer-too-large',
    wrong: { token: (good) => ({ ...good, ...BIG }) },
  },
  {
    title: 'T20 an answer of the token endpoint that is no JSON',
    reason: 'issuer-malformed',
    wrong: { token: () => text('access_token=a&token_type=bearer') },
  },
  {
    title: 'T20 an answer of the token endpoint that does not call itself JSON',
    reason: 'issuer-malformed',
    wrong: { token: (good) => text(JSON.stringify(good), 'text/html') },
  },
  {
    title: 'T20 an answer of the token endpoint without an access token',
    reason: 'issuer-malformed',
    wrong: { token: (good) => ({ ...good, access_token: undefined }) },
  },
  {
    title: 'T20 an answer of the token endpoint without a token type',
    reason: 'issuer-malformed',
    wrong: { token: (good) => ({ ...good, token_type: undefined }) },
  },
  {
    title: 'T20 an answer of the token endpoint with another token type',
    reason: 'issuer-malformed',
    wrong: { token: (good) => ({ ...good, token_type: 'mac' }) },
  },
  {
    title: 'T18 an answer of the token endpoint without an ID token',
    reason: 'token-missing',
    wrong: { token: (good) => ({ ...good, id_token: undefined }) },
  },
  {
    title: 'T17 a code that is refused',
    reason: 'code-refused',
    wrong: { token: () => status(400, { error: 'invalid_grant' }) },
  },
  {
    title: 'T17 a client that is refused',
    reason: 'client-refused',
    wrong: { token: () => status(401, { error: 'invalid_client' }) },
  },
  {
    title: 'T17 a request that is refused',
    reason: 'request-refused',
    wrong: { token: () => status(400, { error: 'invalid_request', error_description: 'x' }) },
  },
]

const short = generateKeyPairSync('rsa', { modulusLength: 1024 })

const KEY_ROWS: readonly Row[] = [
  ...BAD_ANSWERS.map(([title, reason, answer]) => ({
    title: `T20 keys that ${title}`,
    reason,
    wrong: { keys: () => answer },
  })),
  {
    title: 'T20 keys that are too large',
    reason: 'issuer-too-large',
    wrong: { keys: (good) => ({ ...good, ...BIG }) },
  },
  {
    title: 'T20 keys that are no JSON',
    reason: 'issuer-keys',
    wrong: { keys: () => text('keys') },
  },
  { title: 'T20 keys that are none', reason: 'issuer-keys', wrong: { keys: () => ({ keys: [] }) } },
  {
    title: 'T20 keys that are no list',
    reason: 'issuer-keys',
    wrong: { keys: ({ keys }) => ({ keys: keys[0] }) },
  },
  {
    title: 'T19 a key that is not on its curve',
    reason: 'issuer-keys',
    wrong: { keys: ({ keys }) => ({ keys: [{ ...keys[0]!, x: keys[0]!.y! }] }) },
  },
  {
    title: 'T19 a key that is a secret',
    reason: 'token-key',
    wrong: { keys: () => ({ keys: [{ kty: 'oct', k: 'c2VjcmV0', kid: 'key-1' }] }) },
  },
  {
    title: 'T19 a key that is for encryption',
    reason: 'token-key',
    wrong: { keys: ({ keys }) => ({ keys: [{ ...keys[0]!, use: 'enc' }] }) },
  },
  {
    title: 'T19 a key that is too short',
    reason: 'issuer-keys',
    wrong: {
      keys: () => ({ keys: [{ ...short.publicKey.export({ format: 'jwk' }), kid: 'short' }] }),
      // The library would not sign with it: the length is noticed before the signature is looked at.
      idToken: ({ claims }) =>
        [{ alg: 'RS256', kid: 'short' }, claims, 'signature']
          .map((value) => Buffer.from(JSON.stringify(value)).toString('base64url'))
          .join('.'),
    },
  },
]

export const ANSWER_ROWS: readonly Row[] = [
  ...METADATA_ROWS,
  ...CALLBACK_ROWS,
  ...TOKEN_ENDPOINT_ROWS,
  ...KEY_ROWS,
]
