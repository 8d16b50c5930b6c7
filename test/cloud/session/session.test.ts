import { beforeAll, describe, expect, test } from 'vitest'
import { isOwnCookie } from '../../../src/cloud/directory/cookies.ts'
import { KeyRing, type SealingKey } from '../../../src/cloud/session/key-ring.ts'
import type { Application } from '../../../src/cloud/directory/directory-port.ts'
import { MAX_SESSION_CHARACTERS } from '../../../src/cloud/session/sealed-session.ts'
import { sessionCookieName, Sessions } from '../../../src/cloud/session/session.ts'
import { withoutCookies } from '../../../src/protocol/http/cookie-fields.ts'
import type { SignInIdentity } from '../../../src/protocol/machines/sign-in.ts'
import { crypto, PROVIDERS, useProvider } from '../trust.ts'

describe.each(PROVIDERS)('over %s', (_, provider) => {
  beforeAll(() => useProvider(provider))
  const NOW = 1_700_000_000_000
  const HOST = 'intranet.example'
  const application = (over: Partial<Application> = {}): Application => ({
    id: 'intranet',
    tenantId: 'contoso',
    name: 'Intranet',
    version: '1',
    externalUrl: `https://${HOST}/`,
    internalUrl: 'http://10.0.0.1/',
    groupId: 'default',
    preAuthentication: 'oidc',
    client: { id: 'intranet' },
    identityHeaders: {},
    hostHeader: 'internal',
    verifyCertificate: true,
    responseHeadMs: 85_000,
    ...over,
  })
  const identity: SignInIdentity = {
    subject: 'u1',
    issuer: 'https://login.example',
    name: 'Alice',
    email: 'alice@contoso.example',
    groups: ['staff'],
    roles: ['reader'],
    authenticatedAt: NOW - 1000,
    expiresAt: NOW + 3_600_000,
  }

  let keyRing: KeyRing
  let sessions: Sessions
  beforeAll(async () => {
    keyRing = await KeyRing.open({ crypto, wallClock: () => NOW })
    sessions = new Sessions({ crypto, keyRing, wallClock: () => NOW })
  })
  const pair = (setCookie: string) => setCookie.split(';', 1)[0]!
  const start = async (app = application(), user = identity, host = HOST) =>
    pair((await sessions.start(app, host, user)).setCookie)

  describe('the session cookie', () => {
    test('on https is bound to the host, kept from scripts, and not persisted', async () => {
      const { setCookie } = await sessions.start(application(), HOST, identity)
      expect(setCookie).toMatch(
        /^__Host-app-proxy-session-intranet=[\w.-]+; Path=\/; Secure; HttpOnly; SameSite=Lax$/,
      )
    })

    test('on http, for localhost names, carries neither prefix nor Secure', async () => {
      const app = application({ externalUrl: 'http://intranet.localhost:8080/' })
      const { setCookie } = await sessions.start(app, 'intranet.localhost:8080', identity)
      expect(setCookie).toMatch(
        /^app-proxy-session-intranet=[\w.-]+; Path=\/; HttpOnly; SameSite=Lax$/,
      )
    })

    test('tells who the user is until the token ends', async () => {
      const cookie = await start()
      const session = await sessions.read(application(), HOST, [cookie], NOW)
      expect(session).toEqual({
        id: expect.stringMatching(/^[0-9a-f]{32}$/),
        user: {
          subject: 'u1',
          issuer: 'https://login.example',
          name: 'Alice',
          email: 'alice@contoso.example',
          groups: ['staff'],
          roles: ['reader'],
        },
        startedAt: NOW,
        authenticatedAt: NOW - 1000,
        expiresAt: NOW + 3_600_000,
      })
      expect(await sessions.read(application(), HOST, [cookie], NOW + 3_599_999)).toBe(session)
      expect(await sessions.read(application(), HOST, [cookie], NOW + 3_600_000)).toBeUndefined()
    })

    test('is new at every sign-in', async () => {
      const ids = new Set<string>()
      for (let i = 0; i < 3; i++)
        ids.add((await sessions.start(application(), HOST, identity)).session.id)
      expect(ids.size).toBe(3)
    })

    test('is found among others, in one field or several', async () => {
      const cookie = await start()
      for (const fields of [[`a=1; ${cookie};b=2`], ['a=1', cookie], [`a="x; y";\t${cookie}`]])
        expect(await sessions.read(application(), HOST, fields, NOW)).toBeDefined()
    })

    test('is no session for another application, tenant or host', async () => {
      const cookie = await start()
      const name = sessionCookieName(application())
      const value = cookie.slice(name.length + 1)
      const wiki = application({ id: 'wiki' })
      expect(await sessions.read(wiki, HOST, [cookie], NOW)).toBeUndefined()
      expect(
        await sessions.read(wiki, HOST, [`${sessionCookieName(wiki)}=${value}`], NOW),
      ).toBeUndefined()
      expect(
        await sessions.read(application({ tenantId: 'fabrikam' }), HOST, [cookie], NOW),
      ).toBeUndefined()
      expect(await sessions.read(application(), `${HOST}:8443`, [cookie], NOW)).toBeUndefined()
    })

    test('that comes twice is no session: one of them was planted', async () => {
      const cookie = await start()
      for (const fields of [
        [`${cookie}; ${cookie}`],
        [cookie, cookie],
        [cookie, `${sessionCookieName(application())}=x`],
      ])
        expect(await sessions.read(application(), HOST, fields, NOW)).toBeUndefined()
    })

    test('of the other kind, from before the application was partitioned or no more, is not read', async () => {
      const embedding = { ancestors: ['https://portal.example'], partitioned: true }
      const partitioned = application({ session: { sameSite: 'none' }, embedding })
      const [own, other] = [await start(), await start(partitioned)]
      for (const fields of [[`${own}; ${other}`], [other, own]])
        for (const app of [application(), partitioned])
          expect(await sessions.read(app, HOST, fields, NOW)).toMatchObject({
            user: { subject: 'u1' },
          })
      expect(await sessions.read(partitioned, HOST, [own], NOW)).toBeUndefined()
    })

    test('under a name that only resembles ours is no session', async () => {
      const cookie = await start()
      for (const name of ['\u2000', '\u00a0', '\u0085', '$', '=', 'x'])
        expect(await sessions.read(application(), HOST, [name + cookie], NOW)).toBeUndefined()
      expect(
        await sessions.read(application(), HOST, [cookie.replace('__Host-', '__host-')], NOW),
      ).toBeUndefined()
      expect(
        await sessions.read(application(), HOST, [cookie.replace('__Host-', '')], NOW),
      ).toBeUndefined()
    })

    test('T15 among 100 KiB of others is not searched for', async () => {
      const cookie = await start()
      const crowd = 'a=1; '.repeat(20_000)
      expect(await sessions.read(application(), HOST, [crowd + cookie], NOW)).toBeUndefined()
    })

    test('that cannot be opened is no session, and no error', async () => {
      const name = sessionCookieName(application())
      for (const value of ['', 'x', 'a.b.c.d.e', '%', '🙂'])
        expect(await sessions.read(application(), HOST, [`${name}=${value}`], NOW)).toBeUndefined()
    })

    test('is remembered while there is room', async () => {
      const small = new Sessions({ crypto, keyRing, wallClock: () => NOW, cached: 1 })
      const [one, two] = [await start(), await start()]
      const first = await small.read(application(), HOST, [one], NOW)
      expect(await small.read(application(), HOST, [one], NOW)).toBe(first)
      await small.read(application(), HOST, [two], NOW)
      expect(await small.read(application(), HOST, [one], NOW)).not.toBe(first)
    })

    test('is ended by a cookie that is over', () => {
      expect(sessions.end(application())).toBe(
        '__Host-app-proxy-session-intranet=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax',
      )
    })
  })

  describe('what a session tells of its sign-in', () => {
    const strong = {
      ...identity,
      ...{ upn: 'alice', strength: 'urn:mfa', methods: ['pwd', 'otp'], issuerSession: 's-1' },
    }

    test('is the user name, how and how strongly they authenticated, and the issuer’s session', async () => {
      const cookie = await start(application(), strong)
      expect(await sessions.read(application(), HOST, [cookie], NOW)).toMatchObject({
        upn: 'alice',
        strength: 'urn:mfa',
        methods: ['pwd', 'otp'],
        issuerSession: 's-1',
      })
    })

    test('stays when groups and roles are too many', async () => {
      const crowd = Array.from({ length: 500 }, (_, i) => `group-${i}-${'x'.repeat(20)}`)
      const { session } = await sessions.start(application(), HOST, {
        ...strong,
        groups: crowd,
        roles: crowd,
      })
      expect(session).toMatchObject({ upn: 'alice', strength: 'urn:mfa', issuerSession: 's-1' })
      expect(session.user.groups!.length).toBeGreaterThan(10)
      expect(session.user.roles).toEqual([])
    })

    test('keeps first the list that a header of the application tells', async () => {
      const crowd = Array.from({ length: 500 }, (_, i) => `role-${i}-${'x'.repeat(20)}`)
      const app = application({ identityHeaders: { 'X-Roles': 'roles' } })
      const user = { ...strong, groups: crowd, roles: crowd }
      const { session, setCookie } = await sessions.start(app, HOST, user)
      expect(session.user.roles!.length).toBeGreaterThan(10)
      expect(session.user.groups).toEqual([])
      expect(pair(setCookie).length).toBeLessThan(MAX_SESSION_CHARACTERS)
    })

    test('ends after 24 hours, however long the issuer’s token lasts', async () => {
      const user = { ...identity, expiresAt: NOW + 30 * 24 * 3_600_000 }
      const { session } = await sessions.start(application(), HOST, user)
      expect(session.expiresAt).toBe(NOW + 24 * 3_600_000)
    })
  })

  describe('when keys rotate', () => {
    test('the old ones still open, and the new one seals', async () => {
      const ring = await KeyRing.open({ crypto, wallClock: () => NOW })
      const ours = new Sessions({ crypto, keyRing: ring, wallClock: () => NOW })
      const old = pair((await ours.start(application(), HOST, identity)).setCookie)
      await ring.rotate()
      expect(await ours.read(application(), HOST, [old], NOW)).toBeDefined()
      const fresh = pair((await ours.start(application(), HOST, identity)).setCookie)
      const header = JSON.parse(atob(fresh.split('=')[1]!.split('.')[0]!)) as { kid: string }
      expect(header.kid).toBe(ring.newest)
    })

    test('a session whose key has left is over, also when it was remembered', async () => {
      const ring = await KeyRing.open({ crypto, wallClock: () => NOW, keep: 2 })
      const ours = new Sessions({ crypto, keyRing: ring, wallClock: () => NOW })
      const old = pair((await ours.start(application(), HOST, identity)).setCookie)
      for (let i = 0; i < 2; i++) {
        expect(await ours.read(application(), HOST, [old], NOW)).toBeDefined()
        expect(ours.known(application(), HOST, [old], NOW)).toMatchObject({
          user: { subject: 'u1' },
        })
        await ring.rotate()
      }
      expect(ours.known(application(), HOST, [old], NOW)).toBe('unknown')
      expect(await ours.read(application(), HOST, [old], NOW)).toBeUndefined()
    })

    test('looking for what another instance saved forgets nothing when nothing is new', async () => {
      let saved: readonly SealingKey[] = []
      const store = {
        load: () => Promise.resolve(saved),
        save: (keys: readonly SealingKey[]) => {
          saved = keys
          return Promise.resolve(true)
        },
      }
      const [ring, other] = [
        await KeyRing.open({ crypto, store }),
        await KeyRing.open({ crypto, store }),
      ]
      const { version } = ring
      await ring.reload()
      expect(ring.version).toBe(version)
      await other.rotate()
      await ring.reload()
      expect(ring.version).not.toBe(version)
      expect(ring.newest).toBe(other.newest)
    })
  })

  describe('a session with more groups than a cookie holds', () => {
    const many = Array.from({ length: 500 }, (_, i) => `group-${i}-${'x'.repeat(20)}`)

    test('keeps what fits, the assigned ones first, below 3 KiB', async () => {
      const app = application({
        assigned: { users: [], groups: ['group-499-' + 'x'.repeat(20)], roles: [] },
      })
      const { session, setCookie } = await sessions.start(app, HOST, { ...identity, groups: many })
      expect(pair(setCookie).length).toBeLessThan(MAX_SESSION_CHARACTERS)
      expect(pair(setCookie).length).toBeGreaterThan(MAX_SESSION_CHARACTERS - 200)
      expect(session.user.groups![0]).toBe(many[499])
      expect(session.user.name).toBe('Alice')
    })

    test.each([
      ['quotes and backslashes', '"\\'.repeat(2000)],
      ['characters of four octets', '🙂'.repeat(2000)],
    ])('and a name made of %s still fits', async (_, name) => {
      const { session, setCookie } = await sessions.start(application(), HOST, {
        ...identity,
        name,
        groups: many,
      })
      expect(pair(setCookie).length).toBeLessThan(MAX_SESSION_CHARACTERS)
      expect(session.user).toMatchObject({ subject: 'u1' })
      expect(session.user.name).toBeUndefined()
    })

    test('and what policies name the user by stays, however long the name is', async () => {
      const user = { ...identity, ...{ upn: 'alice', email: 'alice@contoso.example' } }
      const { session } = await sessions.start(application(), HOST, {
        ...{ ...user, name: 'x'.repeat(4000), groups: many },
      })
      expect(session).toMatchObject({ upn: 'alice', user: { email: 'alice@contoso.example' } })
      expect(session.user.groups).not.toHaveLength(0)
    })

    test('is over when other rules come into force, which may name what was left out', async () => {
      const app = application({ assigned: { users: [], groups: [many[1]!], roles: [] } })
      const cookie = pair(
        (await sessions.start(app, HOST, { ...identity, groups: many })).setCookie,
      )
      const whole = pair((await sessions.start(app, HOST, identity)).setCookie)
      const read = (over: Application, ...cookies: string[]) =>
        sessions.read(over, HOST, cookies, NOW)
      expect(await read({ ...app, name: 'Another' }, cookie)).toBeDefined()
      const policy = { id: 'no', effect: 'deny', mode: 'enforced', applications: 'all' } as const
      const when = { who: { groups: [many[499]!] } }
      const access = { locations: [], policies: [{ ...policy, reason: 'No.', when }] }
      expect(await read({ ...app, access }, cookie)).toBeUndefined()
      expect(await read({ ...app, access }, whole)).toBeDefined()
    })

    test('what the application is told by the issuer’s name stays whole, or nobody is signed in', async () => {
      const app = application({ identityHeaders: { 'X-Department': 'department' } })
      const told = (department: string) => ({ ...identity, groups: many, claims: { department } })
      const { session, setCookie } = await sessions.start(app, HOST, told('x'.repeat(1000)))
      expect(session.claims).toEqual({ department: 'x'.repeat(1000) })
      expect(pair(setCookie).length).toBeLessThan(MAX_SESSION_CHARACTERS)
      await expect(sessions.start(app, HOST, told('x'.repeat(3000)))).rejects.toMatchObject({
        ...{ reason: 'token-too-large', evidence: 'session' },
      })
    })

    test('is over when the application is told other claims, which the issuer may have', async () => {
      const telling = (...claims: string[]) =>
        application({
          identityHeaders: Object.fromEntries(claims.map((claim, i) => [`X-${i}`, claim])),
        })
      const read = (over: Application, cookie: string) => sessions.read(over, HOST, [cookie], NOW)
      const none = await start(telling('name'))
      const one = await start(telling('department'))
      expect(await read(telling('email'), none)).toBeDefined()
      expect(await read(telling('department'), none)).toBeUndefined()
      expect(await read(telling('department', 'name'), one)).toBeDefined()
      expect(await read(telling('department', 'site'), one)).toBeUndefined()
      // What is told no more is no reason to ask anybody.
      expect(await read(telling('name'), one)).toBeDefined()
    })

    test('a user of whom that does not fit is not signed in', () =>
      expect(
        sessions.start(application(), HOST, { ...identity, upn: '🙂'.repeat(2000) }),
      ).rejects.toMatchObject({ reason: 'token-too-large' }))
  })

  describe('our cookies and the application’s', () => {
    test.each([
      ['a=1', 'a=1'],
      ['a=1; __Host-app-proxy-session-x=y; b=2', 'a=1; b=2'],
      ['__Host-app-proxy-session-x=y', undefined],
      ['app-proxy-attempt-1=y;a=1', 'a=1'],
      ['A=1;  APP-PROXY-session=y ;b="; c"', 'A=1;b="; c"'],
      ['a=app-proxy-session-x', 'a=app-proxy-session-x'],
      ['my-app-proxy-x=1', 'my-app-proxy-x=1'],
      // Without a name it is all value, and a parser may yet read it as our name.
      ['app-proxy-', undefined],
    ])('%j becomes %j', (field, rest) =>
      expect(withoutCookies(['Cookie', field], isOwnCookie)[1]).toBe(rest),
    )

    test('names are ours in any letter case', () => {
      const ours = ['__Host-app-proxy-session-x', '__HOST-APP-PROXY-x', 'app-proxy-attempt-1']
      for (const name of [...ours, '__Secure-app-proxy-hint-x', '__SECURE-app-proxy-hint-x'])
        expect(isOwnCookie(name)).toBe(true)
      for (const name of ['app-prox', 'x-app-proxy-session', '__Other-app-proxy-session'])
        expect(isOwnCookie(name)).toBe(false)
    })

    test('an application id becomes a cookie-name token', () => {
      expect(sessionCookieName(application({ id: 'a b/ü' }))).toBe(
        '__Host-app-proxy-session-a%20b%2F%C3%BC',
      )
    })
  })
})
