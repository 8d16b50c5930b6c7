/** The recipes in the documentation, with an issuer that is scripted to behave as each is documented to. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { HostileIssuer, type Json } from '../../hostile-issuer/issuer.ts'
import { scripted, type Written } from '../sign-in/scripted-sign-in.ts'

let issuer: HostileIssuer
beforeAll(async () => {
  issuer = await HostileIssuer.start()
})
afterAll(() => issuer.close())

/** The configuration that a page shows. */
function recipe(page: string): Written & { readonly issuer: Json } {
  const text = readFileSync(new URL(`../../../docs/issuers/${page}.md`, import.meta.url), 'utf8')
  expect(text).toMatch(/^_From documents, \d{4}-\d{2}-\d{2}: not run/m)
  return JSON.parse(/```json\n([\s\S]*?)```/.exec(text)![1]!) as never
}

const GUID = '8d0f0000-0000-0000-0000-000000000000'
const MICK = { email: 'mick@company.example', email_verified: true }
/** What a good ID token has besides what the issuer is documented to send. */
const BARE: Json = { groups: undefined, tid: undefined }
const PAPE = 'http://schemas.openid.net/pape/policies/2007/06/multi-factor'

type Case = readonly [says: string, token: Json, outcome: string, userInfo?: Json]
const BEHAVIOURS: Readonly<Record<string, readonly Case[]>> = {
  'entra-id': [
    ['an assigned name', { tid: GUID, upn: 'Mick@Company.example' }, 'signed-in'],
    ['a group', { tid: GUID, groups: ['3f2a0000-0000-0000-0000-000000000000'] }, 'signed-in'],
    ['a chosen name', { tid: GUID, preferred_username: 'mick@company.example' }, 'not-assigned'],
    ['an address as a name', { tid: GUID, email: 'mick@company.example' }, 'not-assigned'],
    ['too many groups', { tid: GUID, _claim_names: { groups: 'src1' } }, 'not-assigned'],
    ['too many groups, in short', { tid: GUID, hasgroups: true }, 'not-assigned'],
    ['another tenant', { tid: 'other', upn: 'mick@company.example' }, 'token-tenant'],
    ['no tenant', { upn: 'mick@company.example' }, 'token-tenant'],
  ],
  keycloak: [
    ['groups at UserInfo only', {}, 'signed-in', { groups: ['/staff'] }],
    ['realm roles', { realm_access: { roles: ['intranet-user'] } }, 'signed-in'],
    ['realm roles at UserInfo', {}, 'signed-in', { realm_access: { roles: ['intranet-user'] } }],
    ['a verified address', MICK, 'signed-in'],
    ['an address not yet verified', { ...MICK, email_verified: false }, 'not-assigned'],
    ['a mapped name', { upn: 'mick' }, 'signed-in'],
    ['a chosen name', { preferred_username: 'mick' }, 'not-assigned'],
    ['a group by another path', { groups: ['staff', '/other/staff'] }, 'not-assigned'],
  ],
  okta: [
    ['groups', { groups: ['staff'] }, 'signed-in'],
    ['a short ID token', {}, 'signed-in', { groups: ['staff'] }],
    ['an address at UserInfo', {}, 'signed-in', MICK],
    ['a login of its own claim', { login: 'mick@company.example' }, 'signed-in'],
    ['a chosen name', { preferred_username: 'mick@company.example' }, 'not-assigned'],
    ['no groups at all', {}, 'not-assigned'],
  ],
  auth0: [
    ['namespaced groups', { 'https://company.example/groups': ['staff'] }, 'signed-in'],
    ['namespaced roles', { 'https://company.example/roles': ['intranet-user'] }, 'signed-in'],
    ['them at UserInfo', {}, 'signed-in', { 'https://company.example/groups': ['staff'] }],
    ['a verified address', MICK, 'signed-in'],
    ['groups under the bare name', { groups: ['staff'] }, 'not-assigned'],
    ['a nickname', { nickname: 'mick@company.example' }, 'not-assigned'],
  ],
  google: [
    ['an account of the domain', { ...MICK, hd: 'company.example' }, 'signed-in'],
    ['an account of another domain', { ...MICK, hd: 'other.example' }, 'token-tenant'],
    ['an account of no domain', MICK, 'token-tenant'],
    ['a domain at UserInfo only', MICK, 'token-tenant', { hd: 'company.example' }],
    [
      'somebody else',
      { email: 'x@company.example', email_verified: true, hd: 'company.example' },
      'not-assigned',
    ],
  ],
}

const CASES = Object.entries(BEHAVIOURS).flatMap(([page, cases]) =>
  cases.map(([says, token, outcome, userInfo = {}]) => ({ page, says, token, outcome, userInfo })),
)
test.each(CASES)('$page: a user with $says', async ({ page, token, outcome, userInfo }) => {
  issuer.misbehaviour = {
    idToken: ({ sign, claims }) => sign({ ...claims, ...BARE, ...token }),
    userInfo: (good) => ({ ...good, ...userInfo }),
  }
  const result = await (await scripted(issuer, recipe(page))).signIn()
  expect(result.kind === 'denied' ? result.reason : result.kind).toBe(outcome)
})

test.each<[string, Json, Json, Json, (asked: URLSearchParams) => unknown, unknown]>([
  [
    'entra-id',
    { tid: GUID, upn: 'mick@company.example' },
    { acrs: ['c2'], acr: 'c1' },
    { acrs: ['c2', 'c1'] },
    (asked) => JSON.parse(asked.get('claims')!),
    { id_token: { acrs: { essential: true, value: 'c1' } } },
  ],
  [
    'keycloak',
    { groups: ['/staff'] },
    { acr: 'silver' },
    { acr: 'gold' },
    (asked) => JSON.parse(asked.get('claims')!),
    { id_token: { acr: { essential: true, value: 'gold' } } },
  ],
  [
    'okta',
    { groups: ['staff'] },
    { acr: 'urn:okta:loa:1fa:any' },
    { acr: 'urn:okta:loa:2fa:any' },
    (asked) => asked.get('acr_values'),
    'urn:okta:loa:2fa:any',
  ],
  [
    'auth0',
    { 'https://company.example/groups': ['staff'] },
    {},
    { acr: PAPE },
    (asked) => asked.get('acr_values'),
    PAPE,
  ],
])(
  '%s: a stronger sign-in is asked for, and its answer suffices',
  async (page, user, weak, strong, read, expected) => {
    const world = await scripted(issuer, recipe(page))
    const says = (more: Json) => {
      issuer.misbehaviour = {
        idToken: ({ sign, claims }) => sign({ ...claims, ...BARE, ...user, ...more }),
      }
    }
    says(weak)
    const asked = await world.signIn({}, '198.51.100.7')
    expect(asked.kind).toBe('redirect')
    const { searchParams } = new URL((asked as { location: string }).location)
    expect(read(searchParams)).toEqual(expected)
    expect(searchParams.has('claims') && searchParams.has('acr_values')).toBe(false)
    says(strong)
    expect(await world.signIn({}, '198.51.100.7')).toMatchObject({ kind: 'signed-in' })
  },
)

test('what a page says of tokens is what the configuration is read as', async () => {
  const types = ['entra-id', 'keycloak', 'okta', 'auth0', 'google'].map(
    async (page) =>
      (await scripted(issuer, recipe(page))).directory.tenant('contoso')!.issuerProfile!.tokenType,
  )
  expect(await Promise.all(types)).toEqual(['any', 'any', 'any', 'any', 'at+jwt'])
  const okta = await scripted(issuer, recipe('okta'))
  issuer.misbehaviour = {}
  expect((await okta.signIn()).authorize!.searchParams.get('scope')).toBe(
    'openid profile email groups',
  )
})
