import * as fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ISSUER_ERRORS, issuerErrorCode } from '../../../src/protocol/machines/issuer-errors.ts'
import { SIGN_IN_DENIALS } from '../../../src/protocol/machines/sign-in-denials.ts'
import { HostileIssuer, status, type Misbehaviour } from '../../hostile-issuer/issuer.ts'
import { cookieOf, HOST, preAuthenticationAt } from '../sts-process.ts'

let issuer: HostileIssuer
beforeAll(async () => {
  issuer = await HostileIssuer.start()
})
afterAll(() => issuer.close())
beforeEach(() => (issuer.misbehaviour = {}))

const FREE = 'Ask mallory@evil.example <script> https://evil.example'

async function refusedWith(wrong: Misbehaviour) {
  issuer.misbehaviour = wrong
  const bench = await preAuthenticationAt(issuer.url, { secret: issuer.clientSecret })
  const begun = await bench.preAuthentication.begin(bench.intranet, HOST, '/')
  if (begun.kind !== 'redirect') throw new Error(begun.reason)
  const answer = await fetch(begun.location, { redirect: 'manual' })
  const query = new URL(answer.headers.get('location')!).search.slice(1)
  const cookies = [cookieOf(begun.setCookies)]
  const result = await bench.preAuthentication.callback(bench.intranet, HOST, query, cookies)
  if (result.kind !== 'denied') throw new Error(result.kind)
  expect(JSON.stringify([result, bench.audit])).not.toContain('evil')
  return { ...result, record: bench.audit.at(-1)!.detail }
}

const says = (error: string): Misbehaviour => ({
  callback: (parameters) => {
    parameters.delete('code')
    parameters.set('error', error)
    parameters.set('error_description', FREE)
    parameters.set('error_uri', 'https://evil.example')
  },
})
const answers = (code: number, error: unknown, headers = {}): Misbehaviour => ({
  token: () => (response) => {
    const body = JSON.stringify({ error, error_description: FREE })
    response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(body)
  },
})

describe('what the issuer says at the callback is told in plain words, and kept for the operator:', () => {
  test.each([
    ['temporarily_unavailable', 'issuer-busy', 503, undefined],
    ['server_error', 'issuer-failed', 502, undefined],
    ['access_denied', 'access-denied', 403, undefined],
    ['login_required', 'interaction-needed', 403, undefined],
    ['interaction_required', 'interaction-needed', 403, undefined],
    ['consent_required', 'interaction-needed', 403, undefined],
    ['account_selection_required', 'interaction-needed', 403, undefined],
    ['unmet_authentication_requirements', 'strength-refused', 403, undefined],
    ['unauthorized_client', 'client-refused', 502, /client\.id/],
    ['invalid_scope', 'request-refused', 502, /issuer\.scopes/],
    ['invalid_request', 'request-refused', 502, /redirect URI/],
    ['unsupported_response_type', 'request-refused', 502, /response types/],
  ])('%s', async (error, reason, code, setting) => {
    const { record, ...result } = await refusedWith(says(error))
    expect(result).toMatchObject({ reason, status: code })
    expect(record).toMatchObject({
      issuerError: error,
      ...(setting && { setting: expect.stringMatching(setting) }),
    })
    expect(result.retryAfterMs !== undefined).toBe(code === 503)
  })

  test.each(['Not_Registered', FREE, '__proto__', 'constructor', 'ACCESS_DENIED', ''])(
    'and of %j only that it is unregistered',
    async (error) =>
      expect(await refusedWith(says(error))).toMatchObject({
        ...{ reason: 'issuer-refused', record: { issuerError: 'unregistered' } },
      }),
  )

  test('but not what a stranger says in the place of the issuer', async () => {
    const forged: Misbehaviour = {
      callback: (parameters) => {
        parameters.set('error', 'access_denied')
        parameters.set('iss', 'https://elsewhere.example')
      },
    }
    const { reason, record } = await refusedWith(forged)
    expect(reason).toBe('issuer-mismatch')
    expect(record).not.toHaveProperty('issuerError')
  })
})

describe('and at its token endpoint:', () => {
  const basic = { 'www-authenticate': `Basic realm="x", error="invalid_token"` }
  test.each<[string, Misbehaviour, string, number, object]>([
    [
      'a secret that is wrong',
      answers(401, 'invalid_client', basic),
      'client-refused',
      502,
      { issuerError: 'invalid_client', setting: expect.stringContaining('client.secret') },
    ],
    [
      'a code that is used',
      answers(400, 'invalid_grant'),
      'code-refused',
      403,
      { issuerError: 'invalid_grant' },
    ],
    [
      'a client that may not',
      answers(400, 'unauthorized_client'),
      'client-refused',
      502,
      { issuerError: 'unauthorized_client' },
    ],
    [
      'it is busy',
      answers(503, 'temporarily_unavailable'),
      'issuer-busy',
      503,
      { issuerError: 'temporarily_unavailable' },
    ],
    [
      'too many requests',
      answers(429, 'slow_down'),
      'issuer-busy',
      503,
      { issuerError: 'slow_down' },
    ],
    [
      'it fails',
      answers(500, 'server_error'),
      'issuer-unavailable',
      503,
      { issuerError: 'server_error' },
    ],
    [
      'words of its own',
      answers(400, FREE),
      'issuer-refused',
      403,
      { issuerError: 'unregistered' },
    ],
    ['no words at all', answers(400, 7), 'issuer-refused', 403, { issuerError: 'unregistered' }],
    ['no error at all', { token: () => status(400, {}) }, 'issuer-unavailable', 503, {}],
  ])('%s', async (_, wrong, reason, code, detail) => {
    const result = await refusedWith(wrong)
    expect(result).toMatchObject({ reason, status: code, record: detail })
    expect(result.retryAfterMs !== undefined).toBe(code === 503)
  })
})

test('whatever an issuer says, only registered codes are kept', () =>
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.jsonValue(), fc.constant('valueOf')), (said) => {
      const code = issuerErrorCode(said)
      expect(code === 'unregistered' || Object.keys(ISSUER_ERRORS).includes(code)).toBe(true)
    }),
  ))

test('a refusal does not claim which of its causes it was', () =>
  expect(SIGN_IN_DENIALS['access-denied'].detail).toMatch(/denied .* or .* cancelled/))
