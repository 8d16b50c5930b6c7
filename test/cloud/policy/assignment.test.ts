import { expect, test } from 'vitest'
import { isAssigned } from '../../../src/cloud/policy/assignment.ts'
import { USUAL_ISSUER } from '../../../src/cloud/directory/issuer-configuration.ts'
import { identityOf, type IdentityOptions } from '../../../src/cloud/issuer/identity-claims.ts'
import { decideAccess } from '../../../src/cloud/rules/decide-access.ts'
import type { Application } from '../../../src/cloud/directory/directory-port.ts'

const assigned = (users: string[], groups: string[] = [], roles: string[] = []) =>
  ({ assigned: { users, groups, roles } }) as unknown as Application
const user = (claims: object, options?: IdentityOptions) =>
  identityOf({ sub: 'u1', iss: 'https://login.example', iat: 100, exp: 200, ...claims }, options)
const ASSIGNS = {
  profile: { ...USUAL_ISSUER, claims: { ...USUAL_ISSUER.claims, upn: ['upn'] } },
} satisfies IdentityOptions
const alice = user(
  {
    email: 'Alice@contoso.example',
    email_verified: true,
    upn: 'alice@corp.example',
    preferred_username: 'alice',
    name: 'Alice',
    nickname: 'ali',
    groups: ['staff', 7],
    roles: ['reader'],
  },
  ASSIGNS,
)

test.each<[string, Application, boolean]>([
  ['to everybody', {} as Application, true],
  ['to nobody', assigned([]), false],
  ['to the subject', assigned(['sub:u1']), true],
  ['to the subject in another letter case', assigned(['sub:U1']), false],
  ['to the e-mail address, in any letter case', assigned(['email:alice@CONTOSO.example']), true],
  ['to the assigned name, in any letter case', assigned(['upn:ALICE@corp.example']), true],
  ['to the address as another kind', assigned(['upn:alice@contoso.example']), false],
  ['to the assigned name as an address', assigned(['email:alice@corp.example']), false],
  ['to the subject as another kind', assigned(['upn:u1']), false],
  ['to names that users choose', assigned(['sub:alice', 'upn:alice', 'upn:Alice']), false],
  ['to a name without a kind', assigned(['u1', 'alice', 'alice@contoso.example']), false],
  ['to an address that only ends alike', assigned(['email:x@contoso.example']), false],
  ['to a group of the user', assigned([], ['sales', 'staff']), true],
  ['to a group named like the user', assigned([], ['u1', 'alice']), false],
  ['to a user named like a group', assigned(['sub:staff']), false],
  ['to a role of the user', assigned([], [], ['writer', 'reader']), true],
  ['to a role that is another user’s', assigned([], [], ['writer']), false],
  ['to a role named like a group', assigned([], [], ['staff']), false],
])('an application assigned %s', (_, application, expected) =>
  expect(isAssigned(application, alice)).toBe(expected),
)

// Every place for a name that another user has as well.
const WANTED = assigned([
  'sub:user-owner',
  'email:mick@contoso.example',
  'upn:mick@contoso.example',
])
test.each<[string, object]>([
  ['a chosen user name', { preferred_username: 'user-owner' }],
  ['a chosen user name like an address', { preferred_username: 'mick@contoso.example' }],
  [
    'a chosen user name beside an address that is not verified',
    { preferred_username: 'mick@contoso.example', email_verified: false },
  ],
  ['an address like a subject', { email: 'user-owner', email_verified: true }],
  ['an address that nobody verified', { email: 'mick@contoso.example' }],
  ['an address that is not verified', { email: 'mick@contoso.example', email_verified: false }],
  ['one of which it is said in words', { email: 'mick@contoso.example', email_verified: 'false' }],
  ['an address like an assigned name', { upn: 'x', email: 'x', email_verified: true }],
  ['a name', { name: 'mick@contoso.example', nickname: 'user-owner' }],
  ['an assigned name like a subject', { upn: 'user-owner' }],
  ['an assigned name in the chosen claim', { preferred_username: 'mick@contoso.example' }],
])('T22 nobody is taken for another by %s', (_, claims) => {
  for (const options of [undefined, ASSIGNS])
    expect(isAssigned(WANTED, user(claims, options))).toBe(false)
})

test('a claim counts as assigned only where the issuer’s configuration says so', () => {
  const mick = { upn: 'mick@contoso.example' }
  expect(isAssigned(WANTED, user(mick))).toBe(false)
  expect(isAssigned(WANTED, user(mick, ASSIGNS))).toBe(true)
  const email = { email: 'Mick@contoso.example' }
  const profile = { ...USUAL_ISSUER, emailsAreAssigned: true }
  expect(isAssigned(WANTED, user(email, { profile }))).toBe(true)
})

test('of an unverified address nobody is told, neither rules nor the application', () =>
  expect(user({ email: 'mick@contoso.example' }).email).toBeUndefined())

test('claims of a wrong type are left out; of lists it is known that they may lack something', () => {
  const odd = user({
    name: 7,
    email: {},
    groups: { 0: 'staff' },
    roles: [1, 'reader'],
    auth_time: '9',
    amr: ['pwd', 7],
  })
  expect(odd).toEqual({
    subject: 'u1',
    issuer: 'https://login.example',
    roles: ['reader'],
    isPartial: true,
    expiresAt: 200_000,
  })
})

test('a list of one that is written as its member is a list', () => {
  const single = user({ groups: 'staff', roles: '', amr: 'pwd' })
  expect(single).toMatchObject({ groups: ['staff'], methods: ['pwd'] })
  expect(isAssigned(assigned([], ['staff']), single)).toBe(true)
})

test('several in one text may be anybody’s: what is not found there is not known', () => {
  for (const groups of ['guests staff', 'guests,staff', 'guests; staff', 'guests|staff']) {
    const several = user({ groups, amr: 'pwd otp' })
    expect(several).toMatchObject({ groups: [groups], isPartial: true })
    expect(several.methods).toBeUndefined()
  }
})

test('an authentication after its own token is not believed: every one would be new', () => {
  const iat = 100
  expect(user({ iat, auth_time: 90 }).authenticatedAt).toBe(90_000)
  expect(user({ iat, auth_time: 160 }).authenticatedAt).toBe(160_000)
  for (const auth_time of [161, 90_000, 1e300, Infinity])
    expect(user({ iat, auth_time }).authenticatedAt).toBeUndefined()
})

test('methods that have no room are not taken for methods that were not used', () => {
  expect(user({ amr: Array.from({ length: 17 }, (_, i) => `m${i}`) }).methods).toBeUndefined()
  expect(user({ amr: ['x'.repeat(600)] }).methods).toBeUndefined()
})

test.each([
  ['that is no text', { groups: 'contractors' }],
  ['of numbers', { groups: [7] }],
  ['that is one text of several', { groups: 'guests contractors' }],
  ['that is an object', { groups: { name: 'contractors' } }],
  ['that is empty text', { groups: '' }],
  ['that did not come', {}],
  ['that is null', { groups: null }],
  ['that is somewhere else', { groups: ['staff'], _claim_names: { groups: 'src1' } }],
  ['of which there are more', { groups: ['staff'], hasgroups: true }],
])('a policy that denies a group is not passed by a list %s', (_, claims) => {
  const rules = {
    locations: [],
    policies: [
      { id: 'all', effect: 'allow', mode: 'enforced', applications: 'all' },
      {
        ...{ id: 'no', effect: 'deny', mode: 'enforced', applications: 'all', reason: 'No.' },
        when: { who: { groups: ['contractors'] } },
      },
    ],
  } as const
  const decide = (claims: object) =>
    decideAccess(rules as never, {
      ...{ applicationId: 'a', authentication: {}, now: 0 },
      user: user(claims),
    })
  expect(decide(claims)).toMatchObject({ effect: 'deny', policy: 'no' })
  expect(decide({ groups: ['staff'] })).toMatchObject({ effect: 'allow' })
  const unknown = new Set<string>()
  expect(isAssigned(assigned([], ['managers']), user(claims), unknown)).toBe(false)
  expect([...unknown]).toEqual(
    'groups' in claims && claims.groups === 'contractors' ? [] : ['groups'],
  )
})
