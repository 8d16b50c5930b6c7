/** Refresh tokens of a real issuer that rotates them, from the sign-in to the end of the session. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Application } from '../../../src/cloud/directory/directory-port.ts'
import type { Renewal } from '../../../src/cloud/session/session-renewals.ts'
import type { SignedIn } from '../../../src/cloud/sign-in/sign-in-outcome.ts'
import {
  ALICE,
  HOST,
  preAuthenticationAt,
  startSts,
  throughTheForms,
  type StsProcess,
} from '../sts-process.ts'

let sts: StsProcess
beforeAll(async () => {
  sts = await startSts()
})
afterAll(() => sts?.stop())

const REQUEST = { id: 'r', address: '192.0.2.7' }

async function signedIn(session: Application['session']) {
  const bench = await preAuthenticationAt(sts.issuer)
  const application = { ...bench.intranet, session: session! }
  const { query, cookie, location } = await throughTheForms(bench, ALICE, '/', application)
  const { preAuthentication } = bench
  const result = await preAuthentication.callback(application, HOST, query, [cookie])
  const { session: started } = result as SignedIn
  const { renewals } = preAuthentication
  const renew = (of = started) => renewals.renew(application, HOST, of, REQUEST, true)
  return { ...bench, application, location, started, renewals, renew }
}

test('a session is renewed again and again, each time by another refresh token', async () => {
  const { application, location, started, renew, sessions, audit } = await signedIn({
    sameSite: 'lax',
    lifetime: { absoluteMs: 3_600_000 },
  })
  expect(location.searchParams.get('max_age')).toBe('3600')
  expect(started).toMatchObject({ hasGrant: true, since: started.authenticatedAt })
  const seen = new Set<string>()
  let session = started
  for (let i = 0; i < 3; i++) {
    seen.add((await sessions.grants.read(started.id))!.kept.sealed)
    const renewed = (await renew(session)) as Extract<Renewal, { kind: 'renewed' }>
    expect(renewed.kind, JSON.stringify(audit.at(-1))).toBe('renewed')
    session = renewed.session
    expect(session).toMatchObject({
      ...{ id: started.id, since: started.since, expiresAt: started.expiresAt },
      ...{ user: started.user, authenticatedAt: started.authenticatedAt },
    })
    expect(session.renewedAt).toBeGreaterThan(started.renewedAt!)
    const cookie = renewed.setCookie.split(';')[0]!
    expect(await sessions.read(application, HOST, [cookie], Date.now())).toMatchObject({
      id: started.id,
    })
  }
  expect(seen.size).toBe(3)
})

test('a refresh token that is shown twice ends the session: the issuer takes it for stolen', async () => {
  const { started, renew, sessions } = await signedIn({
    sameSite: 'lax',
    lifetime: { absoluteMs: 3_600_000 },
  })
  const stolen = (await sessions.grants.read(started.id))!.kept
  expect((await renew()).kind).toBe('renewed')
  await sessions.grants.write(started.id, stolen)
  expect((await renew()).kind).toBe('ended')
  expect(await sessions.grants.read(started.id)).toBeUndefined()
})

test('without a policy nothing is kept, and the issuer is asked for no other authentication', async () => {
  const { started, sessions, location } = await signedIn(undefined)
  expect(location.searchParams.has('max_age')).toBe(false)
  expect(started.hasGrant).toBeUndefined()
  expect(await sessions.grants.read(started.id)).toBeUndefined()
})
