/** The example issuer by itself: how strongly it has users authenticate, and that it tells applications when they leave. */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeJwt, type JWTPayload } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { signInWithForms } from '../../examples/registrar-token.ts'
import { Example } from '../integration/processes.ts'
import { listen } from '../integration/tunnel.ts'

const ALICE = { username: 'alice', password: 'wonderland', pin: '2718' }
const VERIFIER = 'a-verifier-of-forty-three-characters-at-least'
const root = mkdtempSync(join(tmpdir(), 'app-proxy-sts-test-'))
const application = createServer()
let sts: Example<{ issuer: string }>
let redirectUri: string
beforeAll(async () => {
  const port = await listen(application)
  // Only the issuer has to know where this name is.
  const origin = `http://vault.localhost:${port}`
  redirectUri = `${origin}/callback`
  const configuration = {
    tenantId: 'contoso',
    audience: 'urn:registration',
    users: [ALICE],
    clients: [
      {
        client_id: 'vault',
        client_secret: 'a-secret-for-tests',
        redirect_uris: [redirectUri],
        post_logout_redirect_uris: [`${origin}/signed-out`],
        backchannel_logout_uri: `${origin}/back-channel-logout`,
        backchannel_logout_session_required: true,
      },
    ],
  }
  writeFileSync(join(root, 'sts.json'), JSON.stringify(configuration), { mode: 0o600 })
  sts = await Example.start('sts', ['--config', join(root, 'sts.json')])
})
afterAll(async () => {
  await sts?.stop()
  application.close()
  rmSync(root, { recursive: true, force: true })
})

/** Signs in and resolves with what the ID token says. */
async function signIn(
  more: Readonly<Record<string, string>>,
  user = ALICE,
  jar = new Map<string, string>(),
): Promise<JWTPayload> {
  const url = new URL('/auth', sts.ready.issuer)
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: 'vault',
    redirect_uri: redirectUri,
    scope: 'openid',
    state: 'some',
    code_challenge_method: 'S256',
    ...more,
  }).toString()
  const digest = await crypto.subtle.digest('SHA-256', Buffer.from(VERIFIER))
  url.searchParams.set('code_challenge', Buffer.from(digest).toString('base64url'))
  const back = await signInWithForms(url.href, redirectUri, user, jar)
  const response = await fetch(new URL('/token', sts.ready.issuer), {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: back.searchParams.get('code')!,
      redirect_uri: redirectUri,
      code_verifier: VERIFIER,
    }),
    headers: { authorization: `Basic ${btoa('vault:a-secret-for-tests')}` },
  })
  return decodeJwt(((await response.json()) as { id_token: string }).id_token)
}

test('a password is one factor, and the token says when', async () => {
  const claims = await signIn({})
  expect(claims).toMatchObject({ acr: 'one-factor', amr: ['pwd'], sid: expect.any(String) })
  expect(claims['auth_time']).toBeLessThanOrEqual(claims.iat!)
})

test('who is signed in by one factor is asked again where two are wanted, and then no more', async () => {
  const jar = new Map<string, string>()
  await signIn({}, ALICE, jar)
  const two = { acr_values: 'two-factor' }
  // Only for what is missing.
  const claims = await signIn(two, { ...ALICE, password: 'never asked for' }, jar)
  expect(claims).toMatchObject({ acr: 'two-factor', amr: ['pwd', 'pin', 'mfa'] })
  const unasked = { username: 'alice', password: 'never asked for', pin: '0000' }
  expect(await signIn(two, unasked, jar)).toMatchObject({ acr: 'two-factor' })
})

test('a PIN is not guessed: after five wrong ones the password is asked as well', async () => {
  const jar = new Map<string, string>()
  await signIn({}, ALICE, jar)
  const two = { acr_values: 'two-factor' }
  const guess = { username: 'alice', password: 'never asked for', pin: '0000' }
  for (let i = 0; i < 5; i++)
    await expect(signIn(two, guess, jar)).rejects.toThrow('sign-in ended: 401')
  await expect(signIn(two, { ...guess, pin: ALICE.pin }, jar)).rejects.toThrow()
  expect(await signIn(two, ALICE, jar)).toMatchObject({ acr: 'two-factor' })
})

test('a wrong PIN is not accepted', async () => {
  await expect(signIn({ acr_values: 'two-factor' }, { ...ALICE, pin: '2719' })).rejects.toThrow(
    'sign-in ended: 401',
  )
})

test('who signs out is asked, and each application is told by a token of its own', async () => {
  const jar = new Map<string, string>()
  const { sid } = await signIn({}, ALICE, jar)
  const cookie = () => [...jar].map((pair) => pair.join('=')).join('; ')
  const told = once(application, 'request').then(async ([request, response]) => {
    const form = new URLSearchParams(await text(request as IncomingMessage))
    response.end()
    return decodeJwt(form.get('logout_token')!)
  })
  const asked = await fetch(new URL('/session/end?client_id=vault', sts.ready.issuer), {
    headers: { cookie: cookie() },
  })
  const page = await asked.text()
  expect(page).toContain('Sign out?')
  for (const one of asked.headers.getSetCookie()) {
    const [name, value] = one.split(';')[0]!.split('=')
    jar.set(name!, value!)
  }
  const [, xsrf] = /name="xsrf" value="([^"]+)"/.exec(page)!
  await fetch(new URL('/session/end/confirm', sts.ready.issuer), {
    method: 'POST',
    headers: { cookie: cookie() },
    body: new URLSearchParams({ xsrf: xsrf!, logout: 'yes' }),
    redirect: 'manual',
  })
  expect(await told).toMatchObject({ aud: 'vault', sub: 'user-alice', sid })
})
