import { decodeJwt } from 'jose'
import { describe, expect, test } from 'vitest'
import type { Application } from '../../../src/cloud/directory/directory-port.ts'
import { keepTokenHint } from '../../../src/cloud/sign-out/token-hint.ts'
import { SignOut, SIGNED_OUT_PATH, signedOutOf } from '../../../src/cloud/sign-out/sign-out.ts'
import { startIssuer } from '../../issuer.ts'
import { closedPort, HOST, preAuthenticationAt } from '../sts-process.ts'

/** A user signed in to two applications of one host. */
async function signedIn(issuer: string) {
  const bench = await preAuthenticationAt(issuer)
  const { intranet, sessions, clocks, options, preAuthentication } = bench
  const reports: Application = {
    ...intranet,
    ...{ id: 'reports', externalUrl: `http://${HOST}/reports/` },
  }
  const now = clocks.wallClock()
  const begin = async (application: Application) => {
    const { session, setCookie } = await sessions.start(application, HOST, {
      ...{
        subject: 'alice',
        issuer,
        email: 'alice@contoso.example',
        authenticatedAt: now,
        expiresAt: now + 60_000,
      },
    })
    return { session, cookie: setCookie.split(';')[0]! }
  }
  const signOut = new SignOut({ ...options, issuers: preAuthentication.issuers })
  const applications = [reports, intranet]
  return { ...bench, applications, begin, signOut, reports }
}

describe('signing out', () => {
  test('of an issuer that is down ends at the page that says so', async () => {
    const { applications, begin, signOut, intranet, sessions } = await signedIn(await closedPort())
    const { session, cookie } = await begin(intranet)
    const left = await signOut.signOut(applications, [cookie])
    expect(left.location).toMatch(/^\/\.app-proxy\/signed-out\?state=/)
    expect(signedOutOf(applications, left.location.split('?')[1]!)).toBe(intranet)
    expect(sessions.revocations.isRevoked(session, intranet)).toBe(true)
  })

  test('of an issuer without such an end, or with one that is not https, ends there as well', async () => {
    const issuer = await startIssuer()
    const metadata = {
      issuer: issuer.url,
      authorization_endpoint: `${issuer.url}/authorize`,
      token_endpoint: `${issuer.url}/token`,
      jwks_uri: `${issuer.url}/jwks`,
    }
    for (const more of [{}, { end_session_endpoint: 'http://evil.example/' }]) {
      const body = JSON.stringify({ ...metadata, ...more })
      issuer.override('/.well-known/openid-configuration', { body })
      const { applications, begin, signOut, intranet } = await signedIn(issuer.url)
      const { cookie } = await begin(intranet)
      const left = await signOut.signOut(applications, [cookie])
      expect(left.location.split('?')[0]).toBe(SIGNED_OUT_PATH)
    }
    await issuer.close()
  })

  test('ends every session of the host, and clears what is none any more', async () => {
    const { applications, begin, signOut, intranet, reports, sessions, audit } = await signedIn(
      await closedPort(),
    )
    const [one, two] = [await begin(intranet), await begin(reports)]
    const left = await signOut.signOut(applications, [`${one.cookie}; ${two.cookie}`])
    expect(sessions.revocations.isRevoked(one.session, intranet)).toBe(true)
    expect(sessions.revocations.isRevoked(two.session, reports)).toBe(true)
    const cleared = [
      'session-reports=',
      'hint-reports=',
      'session-intranet=',
      'hint-intranet=',
    ].map((name) => expect.stringContaining(name) as string)
    expect(left.setCookies).toEqual(cleared)
    for (const cookie of left.setCookies) expect(cookie).toContain('Max-Age=0')
    const ended = audit.filter(({ type }) => type === 'sign-out.signed-out')
    expect(ended.map(({ applicationId }) => applicationId)).toEqual(['reports', 'intranet'])

    const again = await signOut.signOut(applications, [`${one.cookie}; ${two.cookie}`])
    expect(again).toEqual({ location: SIGNED_OUT_PATH, setCookies: cleared })
    expect(await signOut.signOut(applications, [])).toEqual({
      ...{ location: SIGNED_OUT_PATH, setCookies: [] },
    })
  })

  test('tells the issuer whose session it is', async () => {
    const issuer = await startIssuer()
    const endpoint = `${issuer.url}/end`
    const body = JSON.stringify({
      issuer: issuer.url,
      authorization_endpoint: `${issuer.url}/authorize`,
      token_endpoint: `${issuer.url}/token`,
      jwks_uri: `${issuer.url}/jwks`,
      end_session_endpoint: endpoint,
    })
    issuer.override('/.well-known/openid-configuration', { body })
    const { applications, begin, signOut, intranet, reports, keyRing } = await signedIn(issuer.url)
    const kept = (sub: string, more = {}, application = intranet) =>
      issuer
        .sign({ sub, ...more })
        .then((token) => keepTokenHint(keyRing, application, HOST, token))
    const left = async (hint: string) => {
      const { cookie } = await begin(intranet)
      const cookies = [`${cookie}; ${hint.split(';')[0]}`]
      const { location } = await signOut.signOut(applications, cookies)
      expect(location.startsWith(`${endpoint}?client_id=intranet&`)).toBe(true)
      return Object.fromEntries(new URL(location).searchParams)
    }
    const own = await kept('alice')
    expect(own).toMatch(/; Path=\/\.app-proxy\/sign-out; HttpOnly; SameSite=Lax$/)
    expect(own).not.toContain(Buffer.from('"alice"').toString('base64url'))
    const { id_token_hint: hint } = await left(own)
    expect(decodeJwt(hint!)).toMatchObject({ sub: 'alice', iss: issuer.url })
    // Never somebody else's, another application's, a forged one, nor one too long for a head.
    const none = ['client_id', 'logout_hint', 'post_logout_redirect_uri', 'state']
    for (const other of [
      await kept('bob'),
      await kept('alice', {}, reports),
      `${own.split('=')[0]}=${await issuer.sign({ sub: 'alice' })}`,
      await kept('alice', { groups: 'x'.repeat(2_048) }),
    ])
      expect(Object.keys(await left(other)).sort()).toEqual(none)
    expect(await left('')).toMatchObject({ logout_hint: 'alice@contoso.example' })
    const vault = { ...intranet, externalUrl: `https://${HOST}/` }
    expect(await kept('alice', {}, vault)).toMatch(/^__Secure-app-proxy-hint-intranet=.*; Secure;/)
    await issuer.close()
  })

  test('leads back to an application of this host alone', async () => {
    const { applications, reports } = await signedIn(await closedPort())
    for (const query of ['', 'state=', 'state=aHR0cHM6Ly9ldmlsLmV4YW1wbGU', 'state=%00'])
      expect(signedOutOf(applications, query)).toBe(reports)
    expect(signedOutOf([], 'state=x')).toBeUndefined()
  })
})
