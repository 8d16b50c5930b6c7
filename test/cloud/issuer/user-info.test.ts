import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  dripping,
  endless,
  hangUp,
  HostileIssuer,
  redirect,
  status,
  text,
  type Answer,
  type Json,
  type Misbehaviour,
} from '../../hostile-issuer/issuer.ts'
import { scripted } from '../sign-in/scripted-sign-in.ts'

let issuer: HostileIssuer
beforeAll(async () => {
  issuer = await HostileIssuer.start()
})
afterAll(() => issuer.close())
beforeEach(() => {
  issuer.misbehaviour = {}
  issuer.asked.clear()
})

const idToken =
  (claims: Json): NonNullable<Misbehaviour['idToken']> =>
  ({ sign, claims: good }) =>
    sign({ ...good, groups: undefined, ...claims })
const says = (claims: Json, more: Json = {}): Misbehaviour => ({
  idToken: idToken(more),
  userInfo: (good) => ({ ...good, ...claims }),
})
const STAFF = { application: { assigned: { groups: ['staff'] } } }
const POLICIES = [
  { id: 'all', effect: 'allow' },
  { id: 'no-staff', effect: 'deny', reason: 'Not you.', when: { who: { groups: ['staff'] } } },
]
const asked = () => issuer.asked.get('/userinfo') ?? 0
const lastDetail = (world: Awaited<ReturnType<typeof scripted>>) => world.audit.at(-1)!.detail

describe('a claim that rules name and the ID token does not have is read at UserInfo', () => {
  test('groups, for an assignment and for a policy that denies', async () => {
    issuer.misbehaviour = says({ groups: ['staff'] })
    expect(await (await scripted(issuer, STAFF)).signIn()).toMatchObject({
      kind: 'signed-in',
      session: { user: { groups: ['staff'] } },
    })
    const denying = await scripted(issuer, { application: { policies: POLICIES } })
    expect(await denying.signIn()).toMatchObject({ kind: 'denied', reason: 'policy-denies' })
    expect(asked()).toBe(2)
    issuer.misbehaviour = says({ groups: [] })
    expect(await denying.signIn()).toMatchObject({ kind: 'signed-in' })
  })

  test('an address that is verified there, a name, other claims, and what the application is told', async () => {
    issuer.misbehaviour = says({
      ...{ email: 'mick@contoso.example', email_verified: true, login: 'mick', compliant: true },
      ...{ name: 'Mick', realm_access: { roles: ['writer'] } },
    })
    const world = await scripted(issuer, {
      issuer: { claims: { upn: 'login', roles: 'realm_access.roles' } },
      application: {
        assigned: { users: ['email:Mick@contoso.example'] },
        policies: [
          {
            id: 'p',
            effect: 'allow',
            when: {
              who: { users: ['upn:mick'], roles: ['other'] },
              device: { compliant: [true] },
            },
          },
        ],
        identityHeaders: { 'X-Name': 'name' },
      },
    })
    expect(await world.signIn()).toMatchObject({
      kind: 'signed-in',
      session: {
        user: { email: 'mick@contoso.example', name: 'Mick', roles: ['writer'] },
        upn: 'mick',
        claims: { compliant: true },
      },
    })
    expect(asked()).toBe(1)
  })

  test('as a signed token too', async () => {
    const signed = (claims: Json): Misbehaviour => ({
      idToken: idToken({}),
      userInfo: async (_, { sign, issuer: iss, clientId: aud }) =>
        text(await sign({ iss, aud, sub: 'u1', groups: ['staff'], ...claims }), 'application/jwt'),
    })
    const world = await scripted(issuer, STAFF)
    issuer.misbehaviour = signed({})
    expect(await world.signIn()).toMatchObject({ kind: 'signed-in' })
    for (const claims of [{ aud: 'other' }, { iss: 'https://other.example' }, { exp: 1 }]) {
      issuer.misbehaviour = signed(claims)
      expect(await world.signIn()).toMatchObject({ kind: 'denied', reason: 'not-assigned' })
      expect(lastDetail(world)).toMatchObject({ userInfo: expect.stringMatching(/^token-/) })
    }
  })

  test('and is not asked for where nothing is missing, nor where the configuration says never', async () => {
    issuer.misbehaviour = { userInfo: () => ({ sub: 'u1', groups: [] }) }
    expect(await (await scripted(issuer, STAFF)).signIn()).toMatchObject({ kind: 'signed-in' })
    issuer.misbehaviour = says({ groups: ['staff'] })
    expect(await (await scripted(issuer)).signIn()).toMatchObject({ kind: 'signed-in' })
    const never = await scripted(issuer, { ...STAFF, issuer: { userInfo: 'never' } })
    expect(await never.signIn()).toMatchObject({ kind: 'denied', reason: 'not-assigned' })
    expect(lastDetail(never)).toMatchObject({ unknown: ['groups'] })
    expect(asked()).toBe(0)
  })
})

describe('UserInfo replaces nothing', () => {
  test.each<[string, Json, Json, object]>([
    ['groups of the token', { groups: [] }, { groups: ['staff'] }, STAFF],
    [
      'an address that the token has unverified',
      { email: 'mick@contoso.example' },
      { email: 'mick@contoso.example', email_verified: true },
      { application: { assigned: { users: ['email:mick@contoso.example'] } } },
    ],
    [
      'an address of which the token says that it is not verified',
      { email_verified: false },
      { email: 'mick@contoso.example', email_verified: true },
      { application: { assigned: { users: ['email:mick@contoso.example'] } } },
    ],
    [
      'whether an address is verified',
      { email: 'mick@contoso.example' },
      { email_verified: true },
      { application: { assigned: { users: ['email:mick@contoso.example'] } } },
    ],
    [
      'nor fills an address that is not verified there',
      {},
      { email: 'mick@contoso.example' },
      { application: { assigned: { users: ['email:mick@contoso.example'] } } },
    ],
  ])('%s', async (_, token, info, written) => {
    issuer.misbehaviour = says(info, token)
    const world = await scripted(issuer, written)
    expect(await world.signIn()).toMatchObject({ kind: 'denied', reason: 'not-assigned' })
  })

  test('nor fills what only a token can vouch for', async () => {
    issuer.misbehaviour = says(
      { acr: 'gold', amr: ['mfa'], auth_time: 1, sid: 's', tid: 'x', acrs: ['c1'], groups: [] },
      { tid: undefined },
    )
    const device = { sid: ['s'] }
    const policies = [
      { id: 'p', effect: 'allow', unless: [{ who: { groups: ['x'] } }, { device }] },
    ]
    const world = await scripted(issuer, { application: { policies } })
    // Not known, so the exception may hold.
    expect(await world.signIn()).toMatchObject({ kind: 'denied', reason: 'no-policy-allows' })
    const open = await scripted(issuer, STAFF)
    issuer.misbehaviour = says({ acr: 'gold', amr: ['mfa'], groups: ['staff'], sid: 's' })
    const { session } = (await open.signIn()) as { session?: object }
    expect(session).toMatchObject({ user: { groups: ['staff'] } })
    for (const claim of ['strength', 'methods', 'authenticatedAt', 'issuerSession'])
      expect(session).not.toHaveProperty(claim)
  })
})

describe('what goes wrong at UserInfo leaves the claims unknown, and is told to the audit:', () => {
  test.each<[string, Answer, string]>([
    ['another subject', { sub: 'u2', groups: ['staff'] }, 'issuer-malformed: user-info-sub'],
    ['no subject', { groups: ['staff'] }, 'issuer-malformed: user-info-sub'],
    ['a redirect', redirect('http://127.0.0.1:1/'), 'issuer-redirected'],
    ['a failure', status(500), 'issuer-unavailable: user-info-500'],
    ['no answer for that token', status(401), 'issuer-unavailable: user-info-401'],
    ['more than is read', endless, 'issuer-too-large'],
    ['a broken connection', hangUp, 'issuer-unavailable'],
    ['an answer that never ends', dripping, 'issuer-timeout'],
    ['a list', text('[]'), 'issuer-malformed: user-info'],
    ['no JSON', text('{'), 'issuer-malformed: user-info'],
    ['a page', text('{"sub":"u1"}', 'text/html'), 'issuer-malformed: content-type'],
    ['a token that is not signed', text('e30.e30.', 'application/jwt'), 'token-algorithm'],
  ])('%s', async (_, answer, told) => {
    issuer.misbehaviour = { idToken: idToken({}), userInfo: () => answer }
    const world = await scripted(issuer, STAFF)
    expect(await world.signIn()).toMatchObject({ kind: 'denied', reason: 'not-assigned' })
    const detail = lastDetail(world)!
    expect(detail).toMatchObject({ unknown: ['groups'] })
    expect(detail['userInfo']).toMatch(told)
    const record = JSON.stringify(world.audit)
    for (const secret of issuer.secrets) expect(record.includes(secret)).toBe(false)
  })

  test('metadata that name an address in the clear, or none', async () => {
    issuer.misbehaviour = {
      ...says({ groups: ['staff'] }),
      metadata: (good) => ({ ...good, userinfo_endpoint: 'http://info.example/' }),
    }
    const world = await scripted(issuer, STAFF)
    expect(await world.signIn()).toMatchObject({ kind: 'denied', reason: 'not-assigned' })
    expect(lastDetail(world)).toMatchObject({ userInfo: 'issuer-insecure', unknown: ['groups'] })
    issuer.misbehaviour = {
      ...says({ groups: ['staff'] }),
      metadata: ({ userinfo_endpoint: _, ...good }) => good,
    }
    const without = await scripted(issuer, STAFF)
    expect(await without.signIn()).toMatchObject({ kind: 'denied', reason: 'not-assigned' })
    expect(asked()).toBe(0)
  })

  test('lists that are somewhere else, or partly unreadable', async () => {
    const denying = await scripted(issuer, { application: { policies: POLICIES } })
    for (const info of [
      { groups: ['others'], _claim_names: { groups: 'src1' } },
      { groups: ['others', 7] },
      { groups: null },
      { groups: {} },
    ]) {
      issuer.misbehaviour = says(info)
      expect(await denying.signIn()).toMatchObject({ kind: 'denied', reason: 'policy-denies' })
    }
  })
})
