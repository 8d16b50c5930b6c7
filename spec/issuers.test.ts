/** Each tenant has an issuer of its own, and users are whom their own issuer says: with two real ones. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isAssigned } from '../src/cloud/policy/assignment.ts'
import { USUAL_ISSUER } from '../src/cloud/directory/issuer-configuration.ts'
import { identityOf } from '../src/cloud/issuer/identity-claims.ts'
import type { Application, Tenant } from '../src/cloud/directory/directory-port.ts'
import { PreAuthentication } from '../src/cloud/sign-in/sign-in.ts'
import { onlyCookie, ownCookies } from '../src/cloud/directory/cookies.ts'
import type { SignedIn } from '../src/cloud/sign-in/sign-in-outcome.ts'
import {
  ALICE,
  cookieOf,
  HOST,
  preAuthenticationAt,
  startSts,
  throughTheForms,
  type StsProcess,
} from '../test/cloud/sts-process.ts'

let [contoso, fabrikam]: StsProcess[] = []
beforeAll(async () => {
  ;[contoso, fabrikam] = await Promise.all([startSts(), startSts()])
})
afterAll(() => Promise.all([contoso?.stop(), fabrikam?.stop()]))

/** One cloud with both tenants; their applications have the same client id, and even the same host. */
async function both() {
  const bench = await preAuthenticationAt(contoso!.issuer)
  const [one] = bench.options.directory.tenants() as Tenant[]
  // The example issuers both say `tid: contoso`: that must not be what keeps them apart.
  const other: Tenant = {
    ...one!,
    id: 'fabrikam',
    issuer: fabrikam!.issuer,
    issuerProfile: { ...USUAL_ISSUER, claims: { ...USUAL_ISSUER.claims, tenant: ['no-claim'] } },
  }
  const directory = {
    tenant: (id: string) => [one!, other].find((tenant) => tenant.id === id),
    tenants: () => [one!, other],
    applicationsOn: () => [],
  }
  const preAuthentication = new PreAuthentication({ ...bench.options, directory })
  const foreign: Application = { ...bench.intranet, tenantId: 'fabrikam' }
  return { ...bench, preAuthentication, foreign }
}

test('R4.10a T18 the answer of one tenant’s issuer opens no other tenant’s application', async () => {
  const world = await both()
  const { preAuthentication, intranet, foreign } = world
  const ours = await throughTheForms(world, ALICE)
  const theirs = await throughTheForms(world, ALICE, '/', foreign)
  expect(theirs.location.origin).toBe(fabrikam!.issuer)
  const callback = (query: string, cookie: string) =>
    preAuthentication.callback(intranet, HOST, query, [cookie])

  // Their answer as it is, their answer to our question, and theirs made to look like ours.
  expect(await callback(theirs.query, theirs.cookie)).toMatchObject({ reason: 'attempt-missing' })
  const mixed = new URLSearchParams(theirs.query)
  mixed.set('state', new URLSearchParams(ours.query).get('state')!)
  expect(await callback(`${mixed}`, ours.cookie)).toMatchObject({ reason: 'issuer-mismatch' })
  const again = await throughTheForms(world, ALICE)
  mixed.set('state', new URLSearchParams(again.query).get('state')!)
  mixed.set('iss', contoso!.issuer)
  expect(await callback(`${mixed}`, again.cookie)).toMatchObject({ reason: 'code-refused' })
})

test('R4.10b T18 a session of one tenant is none of another’s, on the same host under the same name', async () => {
  const world = await both()
  const { preAuthentication, sessions, intranet, foreign, clocks } = world
  const { query, cookie } = await throughTheForms(world, ALICE, '/', foreign)
  const signedIn = (await preAuthentication.callback(foreign, HOST, query, [cookie])) as SignedIn
  expect(signedIn.session.user).toMatchObject({ subject: 'user-alice', issuer: fabrikam!.issuer })
  const read = (application: Application) =>
    sessions.read(application, HOST, [cookieOf(signedIn.setCookies)], clocks.wallClock())
  expect(await read(foreign)).toBeDefined()
  expect(await read(intranet)).toBeUndefined()
})

test('R4.10c T22 a user is named by issuer and subject; an e-mail address is whole, verified, or nothing', () => {
  const claims = { iss: 'https://one.example', sub: 'u1', iat: 1, exp: 2 }
  const email = 'alice@contoso.example'
  expect(identityOf({ ...claims, email, email_verified: true }).email).toBe(email)
  for (const said of [{}, { email_verified: false }, { email_verified: null }])
    expect(identityOf({ ...claims, email, ...said }).email).toBeUndefined()
  const application = {
    assigned: { users: [`email:${email}`], groups: [], roles: [] },
  } as unknown as Application
  const isIn = (address: string) =>
    isAssigned(application, identityOf({ ...claims, email: address, email_verified: true }))
  expect(isIn('Alice@Contoso.Example')).toBe(true)
  for (const address of [
    ...['alice@contoso.example@evil.example', 'evil@alice@contoso.example', 'alice@evil.example'],
    // The Kelvin sign is a k, and a dotless i an i, only to who folds more than ASCII.
    ...['al\u0131ce@contoso.example', 'AL\u0130CE@contoso.example'],
    ...['"x"alice@contoso.example', 'alice@contoso.example ', 'alice@contoso.example\0', 'alice'],
  ])
    expect(isIn(address)).toBe(false)
})

test('R4.1e T15 cookies are not looked at beyond a size, whatever they announce', async () => {
  const bench = await preAuthenticationAt(contoso!.issuer)
  const { preAuthentication, intranet, sessions, clocks } = bench
  const crowd = Array.from({ length: 5_000 }, (_, i) => `app-proxy-attempt-${i}=x`).join('; ')
  expect(ownCookies([crowd])).toEqual([])
  expect(onlyCookie([crowd], 'app-proxy-attempt-7')).toBeUndefined()
  const begun = await preAuthentication.begin(intranet, HOST, '/', [crowd])
  expect(begun.setCookies).toHaveLength(1)
  const name = 'app-proxy-session-intranet'
  for (const value of ['99999999', 'a.'.repeat(10_000), `${'x'.repeat(5_000)}....`])
    expect(
      await sessions.read(intranet, HOST, [`${name}=${value}`], clocks.wallClock()),
    ).toBeUndefined()
})
