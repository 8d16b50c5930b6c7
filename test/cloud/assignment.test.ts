import { expect, test } from 'vitest'
import { isAssigned } from '../../src/cloud/assignment.ts'
import { identityOf } from '../../src/cloud/issuer.ts'
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

test('claims of a wrong type are left out', () => {
  const odd = user({ name: 7, email: {}, groups: 'staff', roles: [1, 'reader'], auth_time: '9' })
  expect(odd).toEqual({
    subject: 'u1',
    issuer: 'https://login.example',
    roles: ['reader'],
    expiresAt: 200_000,
  })
})
