/**
 * One account for one user: what policies, the audit, the application and its connector are told is one name.
 */
import { decodeJwt } from 'jose'
import { describe, expect, test } from 'vitest'
import { Assertions } from '../src/cloud/sign-on/assertions.ts'
import { publishedOf } from '../src/cloud/directory/published.ts'
import { testPolicies, type Application, type DirectoryInput } from '../src/cloud/index.ts'
import { accountNames } from '../src/connector/sign-on/account-name.ts'
import {
  ConfigurationInvalid,
  decodeOffer,
  encodeOffer,
  headerValues,
  type AccountMapping,
} from '../src/protocol/internal.ts'
import { edgeWorld, HOST } from '../test/cloud/edge/edge-world.ts'
import { ACCOUNT_VECTORS } from './account-vectors.ts'

const tenant = {
  issuer: {
    url: 'https://sts.example',
    ...{ claims: { upn: 'user_principal' }, assignedClaims: ['employee', 'account'] },
  },
}
const user: AccountMapping = {
  ...{ from: 'user-part', claim: 'upn', domains: ['corp.example'], letterCase: 'lower' },
}
const features = ['upgrade', 'sign-on/inject', 'sign-on/inject-account', 'sign-on/kerberos']
const asked = (cookie: string) => ({ authority: HOST, headers: ['Cookie', cookie] })

describe('R6.6g the cloud and the connector make the same name', () => {
  const local = accountNames()
  test.each(ACCOUNT_VECTORS)('$what', async ({ mapping, claims, account }) => {
    const world = await edgeWorld({}, { features })
    const signOn = { kind: 'inject', user: mapping }
    const published = publishedOf({ ...world.application, signOn } as Application)
    const { upn, email, ...others } = claims
    const caller = {
      user: { ...world.session.user, ...(email !== undefined && { email: String(email) }) },
      ...(upn !== undefined && { upn: String(upn) }),
      claims: others,
    }
    expect(published.account(caller)).toBe(account)
    const offer = { ...OFFER, user: published.offered(caller)! }
    // What the connector makes of what came over the wire.
    const verdict = local(decodeOffer(encodeOffer(offer)).user, mapping)
    expect('name' in verdict ? verdict.name : undefined).toBe(account)
  })
})

describe.each([
  ['inject', { kind: 'inject', user }],
  ['kerberos', { kind: 'kerberos', servicePrincipal: 'HTTP/wiki.corp.example', user }],
])('with %s', (_, signOn) => {
  const secure = { signOn, identityHeaders: { 'X-Account': 'account', 'X-User': 'subject' } }
  const edge = { auditRequests: true }

  test('R6.6g the application is told it, and its connector what it follows from', async () => {
    const who = { upn: 'Alice@CORP.example' }
    const world = await edgeWorld({}, { tenant, secure, user: who, features, edge })
    const { said } = world.ask(asked(world.cookie))
    expect(said).toEqual([])
    const [offer] = world.offers
    expect(headerValues(offer!.headers, 'x-account')).toEqual(['alice'])
    expect(offer!.user!.claims).toEqual({ upn: 'Alice@CORP.example' })
  })

  test('R6.6g events of exchanges name it, of requests and of failures', async () => {
    const who = { upn: 'alice@corp.example' }
    const options = { tenant, secure, user: who, features: ['upgrade'] }
    for (const [type, more] of [
      ['access.failure', {}],
      ['access.request', { edge }],
    ] as const) {
      const world = await edgeWorld({}, { ...options, ...more })
      const asking = world.ask(asked(world.cookie))
      expect(asking.status).toBe(501)
      asking.events.gone(true)
      expect(world.audit.events.at(-1)).toMatchObject({
        ...{ type, account: 'alice', subject: 'alice', reason: 'connector-too-old' },
      })
    }
  })

  test('R6.6g of whom none follows nobody is told one, nor what the issuer said', async () => {
    const who = { upn: 'alice@elsewhere.example', claims: { account: 'boss' } }
    const world = await edgeWorld({}, { tenant, secure, user: who, features })
    world.ask(asked(world.cookie))
    const { headers } = world.offers[0]!
    expect(headerValues(headers, 'x-account')).toEqual([])
    expect(headerValues(headers, 'x-user')).toEqual(['alice'])
  })

  test('R6.6g a policy that names it is held against it, and restricts where it is not known', async () => {
    const policies = [
      { id: 'all', effect: 'allow' },
      {
        ...{ id: 'not-bob', effect: 'deny', reason: 'Not you.' },
        when: { who: { accounts: ['bob'] } },
      },
    ]
    const status = async (upn: string) => {
      const options = { tenant, secure: { ...secure, policies }, user: { upn }, features }
      const world = await edgeWorld({}, options)
      const asking = world.ask(asked(world.cookie))
      return [asking.status, world.offers.length, world.audit.events.at(-1)]
    }
    expect((await status('alice@corp.example')).slice(0, 2)).toEqual([undefined, 1])
    // In another letter case it may be the same: it is neither let in nor told from it.
    const kept = { ...signOn, user: { ...user, letterCase: 'kept' } }
    for (const effect of ['allow', 'deny'] as const) {
      const list = [
        {
          id: 'p',
          effect,
          ...(effect === 'deny' && { reason: 'No.' }),
          when: { who: { accounts: ['bob'] } },
        },
        ...(effect === 'deny' ? [{ id: 'all', effect: 'allow' }] : []),
      ]
      const options = { tenant, secure: { ...secure, signOn: kept, policies: list }, features }
      const asBob = async (upn: string) => {
        const world = await edgeWorld({}, { ...options, user: { upn } })
        return world.ask(asked(world.cookie)).status
      }
      expect(await asBob('Bob@corp.example')).toBe(403)
      expect(await asBob('bob@corp.example')).toBe(effect === 'allow' ? undefined : 403)
    }
    const decided = { type: 'access.decided', detail: { policy: 'not-bob' } }
    expect(await status('Bob@corp.example')).toMatchObject([403, 0, { account: 'bob' }])
    expect(await status('b@elsewhere.example')).toMatchObject([403, 0, { type: 'access.failure' }])
    const world = await edgeWorld(
      {},
      { tenant, secure: { ...secure, policies }, user: { upn: 'b@elsewhere.example' }, features },
    )
    world.ask(asked(world.cookie))
    expect(world.audit.events.find(({ type }) => type === decided.type)).toMatchObject({
      detail: {
        matched: expect.arrayContaining([expect.objectContaining({ unknown: ['account'] })]),
      },
    })
  })
})

test('R6.6g an assertion tells it, by the cloud’s own word', async () => {
  const signOn = { kind: 'assertion', claims: ['account', 'name'], user }
  const who = { upn: 'Alice@corp.example', claims: { account: 'boss' } }
  const world = await edgeWorld({}, { tenant, secure: { signOn }, user: who })
  const request = { method: 'GET', path: '/' }
  const prepare = new Assertions().prepare(publishedOf(world.application), world.session, request)!
  const [, token] = (await prepare('00', 1)) as readonly string[]
  expect(decodeJwt(token!)).toMatchObject({ account: 'alice', name: 'Ålice' })
})

test('R6.6g headers alone tell it, of a mapping of their own', async () => {
  const signOn = { kind: 'headers', headers: { 'X-Account': 'account' }, user }
  const secure = { signOn, identityHeaders: undefined }
  const who = { upn: 'Alice@corp.example' }
  const world = await edgeWorld({}, { tenant, secure, user: who })
  world.ask(asked(world.cookie))
  expect(headerValues(world.offers[0]!.headers, 'x-account')).toEqual(['alice'])
  // Connectors have nothing to do with it.
  expect(world.offers[0]!.user).not.toHaveProperty('claims')
})

test('R6.6g a word without a mapping is a mistake where the configuration is read', async () => {
  const mistakes = async (secure: object) => {
    const error: unknown = await edgeWorld({}, { tenant, secure }).catch(
      (thrown: unknown) => thrown,
    )
    return error instanceof ConfigurationInvalid ? error.mistakes.map(({ path }) => path) : []
  }
  const who = { accounts: ['alice'] }
  const policies = [{ id: 'p', effect: 'allow', when: { who }, unless: [{ who }] }]
  const at = 'applications[1]'
  expect(await mistakes({ identityHeaders: { 'X-A': 'account' } })).toEqual([
    `${at}.identityHeaders.X-A`,
  ])
  expect(await mistakes({ signOn: { kind: 'assertion', claims: ['account'] } })).toEqual([
    `${at}.signOn.claims[0]`,
  ])
  expect(await mistakes({ policies })).toEqual([
    `${at}.policies[0].when.who.accounts`,
    `${at}.policies[0].unless[0].who.accounts`,
  ])
  const bad = [{ id: 'p', effect: 'allow', when: { who: { accounts: ['a b'] } } }]
  expect(await mistakes({ signOn: { kind: 'inject', user }, policies: bad })).toEqual([
    `${at}.policies[0].when.who.accounts[0]`,
  ])
  expect(
    await mistakes({ signOn: { kind: 'inject', user: { from: 'claim', claim: 'name' } } }),
  ).toEqual([`${at}.signOn.user.claim`])
})

test('R6.6g policies that are tried out know it', async () => {
  const { configuration } = await edgeWorld({}, { tenant, features })
  const policies = [{ id: 'alice', effect: 'allow', when: { who: { accounts: ['alice'] } } }]
  const directory = configuration({ signOn: { kind: 'inject', user }, policies }) as DirectoryInput
  const results = testPolicies(
    directory,
    [
      ...(['alice@corp.example', 'bob@corp.example'] as const).map((upn, i) => ({
        ...{ application: 'secure', user: { subject: 's', upn } },
        expect: i === 0 ? ('allow' as const) : ('deny' as const),
      })),
    ],
    Date.now(),
  )
  expect(results.map(({ isPassed }) => isPassed)).toEqual([true, true])
})

const OFFER = {
  ...{ id: '0'.repeat(32), attempt: 1, applicationId: 'secure', applicationVersion: '1' },
  ...{ method: 'GET', target: '/', headers: [], body: { kind: 'none' as const } },
  ...{ upgrade: undefined, remainingMs: 1_000, origin: 'cloud-1', requestNumber: 'AAAA-AAAA' },
}
