import { expect, test } from 'vitest'
import {
  injectSignOn,
  type BackendRequest,
  type InjectedSecret,
  type PortFailure,
  type Preparation,
  type SecretWanted,
} from '../../../src/connector/index.ts'
import type { ApplicationDetails, UserClaims } from '../../../src/protocol/internal.ts'
import { detailsAt, requestTo } from '../node/observed-call.ts'

const CANARY = 'canary-5f0c1d'
const origins = ['https://wiki.corp.example']
const SECRET: InjectedSecret = { form: 'bearer', token: CANARY, origins }
const basic = { form: 'basic', username: 'svc', password: CANARY, origins } as const
const header = { form: 'header', header: 'X-Api-Key', value: CANARY, origins } as const
const alice: UserClaims = { issuer: 'https://login.example', subject: 'alice' }

const signal = new AbortController().signal
const request = (
  application: Partial<ApplicationDetails> = {},
  parts: Partial<BackendRequest> = {},
) =>
  requestTo(
    detailsAt(0, {
      internalUrl: 'https://wiki.corp.example/base/',
      signOn: { kind: 'inject' },
      ...application,
    }),
    parts,
  )

const prepare = async (
  secret: InjectedSecret | undefined,
  ...parts: Parameters<typeof request>
): Promise<Preparation> =>
  injectSignOn({ secrets: { secretFor: () => secret } }).prepare(request(...parts), signal)

test('a secret becomes a field that nobody else may say', async () => {
  expect(await prepare(SECRET)).toMatchObject({
    reserved: ['Authorization'],
    headers: ['Authorization', `Bearer ${CANARY}`],
  })
  expect(await prepare(header)).toMatchObject({
    reserved: ['X-Api-Key'],
    headers: ['X-Api-Key', CANARY],
  })
})

test('its source is asked for a place, not for a name alone', async () => {
  const asked: SecretWanted[] = []
  const secrets = { secretFor: (wanted: SecretWanted) => (asked.push(wanted), SECRET) }
  const signOn = { kind: 'inject', secret: 'wiki' }
  await injectSignOn({ secrets }).prepare(request({ signOn }, { user: alice }), signal)
  expect(asked).toEqual([
    {
      ...{ internalOrigin: 'https://wiki.corp.example', application: 'wiki', name: 'wiki' },
      ...{ user: alice, signal },
    },
  ])
})

test('a source that knows no accounts is never asked for one', async () => {
  const user = { from: 'claim', claim: 'subject' }
  const asked: SecretWanted[] = []
  const secretFor = (wanted: SecretWanted) => (asked.push(wanted), SECRET)
  const mapped = request(
    { signOn: { kind: 'inject', user } },
    { user: { ...alice, claims: { subject: 'alice' } } },
  )
  const unaware = injectSignOn({ secrets: { secretFor } })
  expect(unaware.features).toEqual([])
  expect(() => unaware.prepare(mapped, signal)).toThrow(
    expect.objectContaining({ reason: 'misconfigured' }),
  )
  expect(asked).toEqual([])
  const aware = injectSignOn({ secrets: { knowsAccounts: true, secretFor } })
  expect(aware.features).toEqual(['sign-on/inject-account'])
  await aware.prepare(mapped, signal)
  expect(asked).toMatchObject([{ account: 'alice', name: undefined }])
})

// prettier-ignore
test.each<[what: string, reason: string, secret: InjectedSecret | undefined, application: Partial<ApplicationDetails>, parts?: Partial<BackendRequest>]>([
  ['another host', 'not-allowed-here', SECRET, { internalUrl: 'https://evil.example/' }],
  ['another scheme', 'not-allowed-here', SECRET, { internalUrl: 'http://wiki.corp.example/' }],
  ['another port', 'not-allowed-here', SECRET, { internalUrl: 'https://wiki.corp.example:8443/' }],
  ['a host below', 'not-allowed-here', SECRET, { internalUrl: 'https://a.wiki.corp.example/' }],
  ['the place in the path', 'not-allowed-here', SECRET, { internalUrl: 'https://evil.example/https://wiki.corp.example/' }],
  ['a dot behind the host', 'not-allowed-here', SECRET, { internalUrl: 'https://wiki.corp.example./' }],
  ['no places', 'not-allowed-here', { ...SECRET, origins: [] }, {}],
  ['what is no place', 'not-allowed-here', { ...SECRET, origins: ['wiki.corp.example', '*', 'https://*'] }, {}],
  ['no verification', 'not-allowed-here', SECRET, { verifyCertificate: false }],
  ['http', 'not-allowed-here', { ...SECRET, origins: ['http://wiki.corp.example'] }, { internalUrl: 'http://wiki.corp.example/' }],
  ['http, and allowed by a word', 'not-allowed-here', { ...SECRET, origins: ['http://wiki.corp.example'], allowHttp: 'no' as never }, { internalUrl: 'http://wiki.corp.example/' }],
  ['TRACE', 'not-allowed-here', SECRET, {}, { method: 'TRACE' }],
  ['trace', 'not-allowed-here', SECRET, {}, { method: 'trace' }],
  ['TRACK', 'not-allowed-here', SECRET, {}, { method: 'TRACK' }],
  ['no secret', 'secret-missing', undefined, {}],
  ['one that is no header', 'secret-missing', { ...SECRET, token: 'a\r\nX: b' }, {}],
  ['a header that is HTTP’s', 'secret-missing', { ...header, header: 'Host' }, {}],
  ['a setting from the future', 'misconfigured', SECRET, { signOn: { kind: 'inject', scope: 'x' } }],
  ['a name that is none', 'misconfigured', SECRET, { signOn: { kind: 'inject', secret: 7 } }],
  ['an empty name', 'misconfigured', SECRET, { signOn: { kind: 'inject', secret: '' } }],
])('nothing is sent with %s', async (_, reason, secret, application, parts) => {
  const error = (await prepare(secret, application, parts).catch((thrown: unknown) => thrown)) as Error
  expect(error).toMatchObject({ code: 'ERR_SIGN_ON_FAILED', reason })
  expect(JSON.stringify([error.message, error.cause, { ...error }])).not.toContain(CANARY)
})

test('http is allowed where the secret says so, and there alone', async () => {
  const secret = { ...SECRET, origins: ['http://wiki.corp.example'], allowHttp: true }
  const internalUrl = 'http://wiki.corp.example/'
  expect((await prepare(secret, { internalUrl })).headers).toContain('Authorization')
  await expect(
    prepare(secret, { internalUrl: 'https://wiki.corp.example/' }),
  ).rejects.toMatchObject({ reason: 'not-allowed-here' })
})

// prettier-ignore
test.each([
  ['basic', basic, [401]],
  ['bearer', SECRET, [401]],
  ['a header', header, [401]],
  ['a header beside the application’s own sign-in', { ...header, unauthorized: 'pass' } as const, []],
])('answers that say that %s was not taken', async (_, secret, refused) => {
  const { answered = (head) => head } = await prepare(secret)
  const statuses = [200, 204, 302, 304, 400, 401, 403, 404, 407, 500, 101]
  const refusing = statuses.filter((status) => {
    const head = { status, headers: ['WWW-Authenticate', 'Basic realm="x"'] }
    try {
      expect(answered(head)).toBe(head)
      return false
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_SIGN_ON_FAILED', reason: 'rejected' })
      return true
    }
  })
  expect(refusing).toEqual(refused)
})

test.each([
  [
    'throws',
    () => {
      throw new Error(`no ${CANARY}`)
    },
  ],
  ['rejects', () => Promise.reject(new Error(`no ${CANARY}`))],
] as const)(
  'a source that %s is unavailable; what it said reaches onError alone',
  async (_, secretFor) => {
    const told: PortFailure[] = []
    const signOn = injectSignOn({
      secrets: { secretFor },
      onError: (failure) => told.push(failure),
    })
    const error = await Promise.resolve()
      .then(() => signOn.prepare(request(), signal))
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ reason: 'unavailable' })
    expect(String((error as Error).stack) + String((error as Error).cause)).not.toContain(CANARY)
    expect(told).toMatchObject([{ port: 'secrets.secretFor', contained: false }])
    expect(String(told[0]!.error)).toContain(CANARY)
  },
)

test('a source may be slow', async () => {
  const secrets = { secretFor: async () => SECRET }
  const prepared = await injectSignOn({ secrets }).prepare(request(), signal)
  expect(prepared.headers).toContain(`Bearer ${CANARY}`)
})

test('a place that is taken from a secret is taken at once', async () => {
  const places = [...origins]
  const secret = { ...SECRET, origins: places }
  expect((await prepare(secret)).headers).toContain('Authorization')
  places.length = 0
  await expect(prepare(secret)).rejects.toMatchObject({ reason: 'not-allowed-here' })
})
