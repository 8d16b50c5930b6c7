import { expect, test } from 'vitest'
import { isAssigned } from '../../src/cloud/sign-in/assignment.ts'
import { identityOf } from '../../src/cloud/issuer/issuer.ts'
import { decideAccess } from '../../src/cloud/policy/decide-access.ts'
import type { Application } from '../../src/cloud/ports.ts'

const assigned = (users: string[], groups: string[] = [], roles: string[] = []) =>
  ({ assigned: { users, groups, roles } }) as unknown as Application
const user = (claims: object) =>
  identityOf({ sub: 'u1', iss: 'https://login.example', iat: 100, exp: 200, ...claims })
const alice = user({
  email: 'Alice@contoso.example',
  preferred_username: 'alice',
  groups: ['staff', 7],
  roles: ['reader'],
})

test.each<[string, Application, boolean]>([
  ['to everybody', {} as Application, true],
  ['to nobody', assigned([]), false],
  ['to the subject', assigned(['u1']), true],
  ['to the user name', assigned(['alice']), true],
  ['to the e-mail address, in any letter case', assigned(['alice@CONTOSO.example']), true],
  ['to a user name in another letter case', assigned(['Alice']), false],
  ['to an address that only ends alike', assigned(['contoso.example']), false],
  ['to a group of the user', assigned([], ['sales', 'staff']), true],
  ['to a group named like the user', assigned([], ['alice']), false],
  ['to a user named like a group', assigned(['staff']), false],
  ['to a role of the user', assigned([], [], ['writer', 'reader']), true],
  ['to a role that is another user’s', assigned([], [], ['writer']), false],
  ['to a role named like a group', assigned([], [], ['staff']), false],
])('an application assigned %s', (_, application, expected) =>
  expect(isAssigned(application, alice)).toBe(expected),
)

test('T22 an address that the issuer did not verify counts for nothing', () => {
  const mallory = user({ email: 'alice@contoso.example', email_verified: false })
  expect(mallory.email).toBeUndefined()
  expect(isAssigned(assigned(['alice@contoso.example']), mallory)).toBe(false)
})

test('T22 nor one that it says so of in words', () =>
  expect(user({ email: 'alice@contoso.example', email_verified: 'false' }).email).toBeUndefined())

test('claims of a wrong type are left out; of lists it is known that they may lack something', () => {
  const odd = user({
    name: 7,
    email: {},
    groups: { 0: 'staff' },
    roles: [1, 'reader'],
    auth_time: '9',
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

test.each([
  ['of groups as its member', { groups: 'contractors' }],
  ['of groups as numbers', { groups: [7] }],
  ['of groups as an object', { groups: { name: 'contractors' } }],
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
  const context = { applicationId: 'a', authentication: {}, now: 0, user: user(claims) }
  expect(decideAccess(rules as never, context)).toMatchObject({ effect: 'deny', policy: 'no' })
})
