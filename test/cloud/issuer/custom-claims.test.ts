import { expect, test } from 'vitest'
import { USUAL_ISSUER } from '../../../src/cloud/directory/issuer-configuration.ts'
import { identityOf, missingClaims } from '../../../src/cloud/issuer/identity-claims.ts'
import { namedBy } from '../../../src/cloud/rules/named.ts'
import { claimOf } from '../../../src/cloud/rules/identity-claims.ts'

const token = { sub: 'u1', iss: 'https://sts.example', exp: 2, iat: 1 }
const custom = (claims: object, names: readonly string[], userInfo?: object) =>
  identityOf({ ...token, ...claims }, { custom: names, userInfo: userInfo as never }).claims

test.each<[unknown, unknown]>([
  ['text', 'text'],
  ['', ''],
  [7, 7],
  [0.5, 0.5],
  [false, false],
  [
    ['a,b', 'c'],
    ['a,b', 'c'],
  ],
  [[], []],
  [null, undefined],
  [['a', 1], undefined],
  [[['a']], undefined],
  [{ text: 'a' }, undefined],
])('of a claim %j an application is told %j', (value, told) =>
  expect(custom({ it: value, other: 'x' }, ['it'])).toEqual(
    told === undefined ? undefined : { it: told },
  ),
)

test('UserInfo fills what the token does not have, and replaces nothing', () => {
  const said = { sub: 'u1', department: 'sales', site: 'berlin', acr: 'high', email_verified: true }
  const names = ['department', 'site', 'acr', 'email_verified']
  expect(custom({ site: 'paris' }, names, said)).toEqual({ department: 'sales', site: 'paris' })
})

test('UserInfo is asked for a claim that a header tells', () => {
  const named = namedBy({ identityHeaders: { A: 'department', B: 'name', C: { value: 'x' } } })
  expect(named.custom).toEqual(['department'])
  expect([...named.told]).toEqual(['name'])
  expect(missingClaims({ name: 'n' }, named, USUAL_ISSUER)).toEqual(['department'])
  expect(missingClaims({ name: 'n', department: 7 }, named, USUAL_ISSUER)).toEqual([])
})

test('nobody is known by a half of what is too much', () => {
  const names = ['a', 'b']
  expect(custom({ a: 'x'.repeat(4000), b: 'y'.repeat(4000) }, names)).toBeDefined()
  expect(() => custom({ a: 'x'.repeat(5000), b: 'y'.repeat(5000) }, names)).toThrow(
    expect.objectContaining({ reason: 'token-too-large', evidence: 'claims' }),
  )
})

test('what rules compare keeps its own room', () => {
  const claims = { compliant: true, department: 'x'.repeat(4000) }
  const identity = identityOf(
    { ...token, ...claims },
    { named: ['compliant'], custom: ['department'] },
  )
  expect(identity.claims).toEqual(claims)
})

test('a claim is found by our word, or by the issuer’s name', () => {
  const user = { subject: 's', issuer: 'i', groups: ['g'] }
  const caller = { user, upn: 'u', claims: { department: 'd', odd: [1], name: 'chosen' } }
  expect(claimOf(caller, 'subject')).toBe('s')
  expect(claimOf(caller, 'issuer')).toBe('i')
  expect(claimOf(caller, 'upn')).toBe('u')
  expect(claimOf(caller, 'groups')).toEqual(['g'])
  expect(claimOf(caller, 'department')).toBe('d')
  // A device rule may compare it; it is no name of the user's.
  expect(claimOf(caller, 'name')).toBeUndefined()
  expect(claimOf(caller, 'odd')).toBeUndefined()
  expect(claimOf(caller, 'toString')).toBeUndefined()
})
