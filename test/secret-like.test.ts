import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { secretLike } from './secret-like.ts'

test.each([
  `{"evidence":"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.AAAA"}`,
  'cookie: __Host-app-proxy-session-intranet=eyJ',
  '-----BEGIN PRIVATE KEY-----',
  'GET /.app-proxy/sign-in/callback?code=abc&state=def',
  'authorization: Bearer abcdefgh',
  `verifier ${randomBytes(32).toString('base64url')}A1a`,
])('T24 %s looks like a secret', (text) => expect(secretLike(text)).not.toEqual([]))

test.each([
  '{"version":1,"id":"50ec0c521b6ce730-11","requestId":"h4t0FzyuNXo5","connectorId":"e02a390eeb54fd5a973c5d625cc79c4e"}',
  '{"reason":"OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED","type":"sign-in.denied","detail":{"source":"issuer"}}',
  `{"keyId":"${'0f'.repeat(32)}"}`,
  'Error: connect ECONNREFUSED 127.0.0.1:1',
])('T24 %s does not', (text) => expect(secretLike(text)).toEqual([]))
