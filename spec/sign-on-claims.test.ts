/**
 * What an offer tells connectors of its user, and which account at the application that is.
 *
 * @module
 */
import { describe, expect, test } from 'vitest'
import { accountNames, principalOf } from '../src/connector/sign-on/account-name.ts'
import { ConnectorFitness } from '../src/cloud/offers/connector-fitness.ts'
import { publishedOf } from '../src/cloud/directory/published.ts'
import {
  ConfigurationInvalid,
  decodeOffer,
  encodeOffer,
  SignOnFailed,
  type AccountMapping,
} from '../src/protocol/internal.ts'
import type { Application } from '../src/cloud/index.ts'
import { tellSignOnClaims } from '../src/cloud/directory/sign-on-claims.ts'
import { readIssuerProfile } from '../src/cloud/directory/issuer-configuration.ts'
import { edgeWorld, HOST } from '../test/cloud/edge/edge-world.ts'

const CLAIMS = { employee: 4711, sites: ['a,b', 'c'], secret: 'of another application' }
const inject = { kind: 'inject', secret: 'wiki' }
const features = ['upgrade', 'sign-on/inject']

/** An application whose sign-on names claims. */
const naming = (application: Application, signOn: object) =>
  publishedOf({ ...application, signOn: { ...application.signOn, ...signOn } } as Application)

describe('R6.6a an offer carries the claims that sign-on names', () => {
  test('typed, by their names, and no others', async () => {
    const world = await edgeWorld(
      {},
      { secure: { signOn: inject }, user: { upn: 'al', claims: CLAIMS }, features },
    )
    const published = naming(world.application, { claims: ['employee', 'sites', 'upn', 'absent'] })
    const user = published.offered(world.session)!
    expect(user.claims).toEqual({ employee: 4711, sites: ['a,b', 'c'], upn: 'al' })
    // Made once for a session, not once for a request.
    expect(published.offered(world.session)).toBe(user)
    world.ask({ authority: HOST, headers: ['Cookie', world.cookie] })
    expect(decodeOffer(encodeOffer({ ...world.offers[0]!, user })).user).toEqual(user)
  })

  test('none where it names none', async () => {
    const world = await edgeWorld(
      {},
      { secure: { signOn: inject }, user: { claims: CLAIMS }, features },
    )
    world.ask({ authority: HOST, headers: ['Cookie', world.cookie] })
    const { user } = world.offers[0]!
    expect(user).toEqual(world.session.user)
    expect(user).not.toHaveProperty('claims')
  })
})

test('R6.6b claims beyond the bounds fail the request, with words for the operator', async () => {
  const world = await edgeWorld({}, { user: { claims: CLAIMS } })
  const published = naming(world.application, { claims: ['employee'] })
  const session = { ...world.session, claims: { employee: 'x'.repeat(9_000) } }
  const failing = () => published.offered({ ...session, user: { ...session.user } })
  expect(failing).toThrow(expect.objectContaining({ reason: 'sign-on-failed', source: 'cloud' }))
  let cause: unknown
  try {
    failing()
  } catch (error) {
    cause = (error as Error).cause
  }
  expect(cause).toBeInstanceOf(SignOnFailed)
  expect(cause).toMatchObject({ reason: 'misconfigured' })
  expect((cause as Error).message).not.toContain('xxx')
})

const account = accountNames({ realm: 'CORP.EXAMPLE', denied: ['svc-*'] })
const part: AccountMapping = { from: 'user-part', claim: 'upn', domains: ['corp.example'] }
const named = (upn: string, mapping = part) => account({ claims: { upn } }, mapping)

test('R6.6c a name is made of one assigned claim, within its alphabet and domains', () => {
  expect(named('Alice.S@Corp.Example')).toEqual({ name: 'Alice.S' })
  expect(
    account({ claims: { n: 4711 } }, { from: 'template', claim: 'n', template: 'emp-{value}' }),
  ).toEqual({
    name: 'emp-4711',
  })
  for (const upn of [
    ...['alice@evil.example', 'alice@corp.example@evil.example', 'alice', 'a b@corp.example'],
    ...['al/ice@corp.example', 'CORP\\alice@corp.example', '@corp.example', 'аlice@corp.example'],
    ...[`${'a'.repeat(65)}@corp.example`, '..@corp.example'],
  ])
    expect(named(upn)).toMatchObject({ refused: 'user-refused' })
  expect(account({ claims: {} }, part)).toMatchObject({ refused: 'user-unknown' })
  expect(account(undefined, part)).toMatchObject({ refused: 'user-unknown' })
})

describe('R6.6d a mapping reads only what the issuer assigns', () => {
  const issuers = {
    usual: { url: 'https://sts.example' },
    assigning: {
      ...{ url: 'https://sts.example', emailsAreAssigned: true },
      ...{ claims: { upn: 'user_principal' }, assignedClaims: ['employee'] },
    },
  }
  const mistakes = (claim: string, issuer: keyof typeof issuers) => {
    const told: string[] = []
    const profile = readIssuerProfile(issuers[issuer], 'i')
    const signOn = { user: { from: 'claim', claim } }
    tellSignOnClaims(signOn, profile, 's', (path) => void told.push(path))
    return told
  }

  test.each([
    'upn',
    'email',
    'employee',
    'department',
    'name',
    'preferred_username',
    'nickname',
    'groups',
  ])('not %s of an issuer of which nothing is said', (claim) =>
    expect(mistakes(claim, 'usual')).toEqual(['s.user.claim']),
  )
  test.each(['subject', 'upn', 'email', 'employee'])('%s of one that says so', (claim) =>
    expect(mistakes(claim, 'assigning')).toEqual([]),
  )
  test.each(['department', 'name', 'preferred_username', 'groups', 'user_principal', 'sub'])(
    'not %s of one that says nothing of it',
    (claim) => expect(mistakes(claim, 'assigning')).toEqual(['s.user.claim']),
  )
  test.each(['preferred_username', 'nickname', 'email', 'upn', 'groups'])(
    '%s cannot be said to be assigned so',
    (claim) =>
      expect(() =>
        readIssuerProfile({ url: 'https://sts.example', assignedClaims: [claim] }, 'i'),
      ).toThrow(ConfigurationInvalid),
  )
})

describe('R6.6e nobody is signed on as', () => {
  test.each([
    ...['administrator', 'Administrator', 'ADMINISTRATOR', 'krbtgt', 'KrbTgt', 'krbtgt_42'],
    ...['svc-backup', 'SVC-Backup'],
  ])('T7 %s', (name) =>
    expect(named(`${name}@corp.example`)).toMatchObject({ refused: 'user-refused' }),
  )
  test.each([
    'DC01$',
    'ａdministrator',
    'administrator\u200b',
    'a\u200bdministrator',
    'administrator ',
  ])('T7 %j, which is no name', (name) =>
    expect(named(`${name}@corp.example`)).toMatchObject({ refused: 'user-refused' }),
  )

  test('T7 somebody of another realm', () => {
    const verdict = named('alice@corp.example')
    expect('name' in verdict && principalOf(verdict.name, 'CORP.EXAMPLE')).toBe(
      'alice@CORP.EXAMPLE',
    )
    for (const upn of ['alice@EVIL', 'alice@EVIL@corp.example', 'alice\\@EVIL@corp.example'])
      expect(named(upn)).toMatchObject({ refused: 'user-refused' })
  })
})

/** What connectors named before sign-on was. */
const OF_BEFORE = ['link', 'upgrade', 'extensible']

test('R6.6f a connector of before is not offered it; its users and its operator are told why', async () => {
  const before = await edgeWorld({}, { secure: { signOn: inject }, features: OF_BEFORE })
  const headers = ['Cookie', before.cookie, 'Accept', 'text/html']
  const user = before.ask({ authority: HOST, headers })
  expect(before.offers).toEqual([])
  expect(user.status).toBe(501)
  expect(user.one('write')![0]).toContain('The private side cannot do what this application needs.')
  const claimer = { tenantId: 'contoso', groupId: 'default', connectorId: 'c' }
  const links = [{ featured: () => [[claimer, OF_BEFORE] as const] }]
  const clocks = { wallClock: () => before.clock.wall }
  new ConnectorFitness(before.directory, before.audit, clocks, links).look()
  expect(before.audit.events.at(-1)).toMatchObject({
    ...{ type: 'connector.too-old', connectorId: 'c', outcome: 'refused' },
    detail: { features: ['sign-on/inject'], applications: ['secure'] },
  })
  // What needs nothing of it is offered as ever: headers are the cloud's.
  const signOn = { kind: 'headers', headers: { 'X-User': 'subject' } }
  const served = await edgeWorld(
    {},
    { secure: { identityHeaders: undefined, signOn }, features: OF_BEFORE },
  )
  served.ask({ authority: HOST, headers: ['Cookie', served.cookie] })
  expect(served.offers).toHaveLength(1)
})
