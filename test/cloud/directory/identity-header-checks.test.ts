import { expect, test } from 'vitest'
import { claimFault } from '../../../src/cloud/directory/claim-names.ts'
import { tellIdentityHeaders } from '../../../src/cloud/directory/identity-header-checks.ts'
import {
  USUAL_ISSUER,
  type IssuerProfile,
} from '../../../src/cloud/directory/issuer-configuration.ts'
import type { IdentityHeader } from '../../../src/cloud/rules/identity-claims.ts'

const issuer: IssuerProfile = {
  ...USUAL_ISSUER,
  claims: { ...USUAL_ISSUER.claims, email: ['mail'], groups: ['realm_access', 'groups'] },
}
const assigning = { ...issuer, claims: { ...issuer.claims, upn: ['userPrincipalName'] } }

function told(header: IdentityHeader, profile: IssuerProfile | undefined = issuer): string[] {
  const mistakes: string[] = []
  const tellable = { issuer: profile, namesAccounts: false }
  tellIdentityHeaders({ 'X-One': header }, tellable, 'h', (path, _detail, meant) =>
    mistakes.push(meant === undefined ? path : `${path} ${meant}`),
  )
  return mistakes
}

test.each<[IdentityHeader, ...string[]]>([
  ['subject'],
  ['department'],
  ['https://corp.example/claims/department'],
  [{ claim: 'department', list: 'json' }],
  [{ claim: 'groups', encoding: 'quoted-printable', separator: ';' }],
  [{ claim: 'name', encoding: 'rfc8187' }],
  [{ claim: 'department', encoding: 'base64url' }],
  [{ value: 'contoso' }],
  [{ value: 'Zoë GmbH' }],
  // A slip, and the same on purpose.
  ['emial', 'h.X-One email'],
  ['group', 'h.X-One groups'],
  [{ claim: 'group' }],
  // By another name the address would not be held against what the issuer says of it.
  ['mail', 'h.X-One email'],
  [{ claim: 'mail' }, 'h.X-One.claim email'],
  ['sub', 'h.X-One subject'],
  [{ claim: 'iss' }, 'h.X-One.claim issuer'],
  [{ claim: 'nonce' }, 'h.X-One.claim'],
  [{ claim: 'sid' }, 'h.X-One.claim'],
  [{ claim: '__proto__' }, 'h.X-One.claim'],
  ['upn', 'h.X-One'],
  [{}, 'h.X-One'],
  [{ claim: 'name', value: 'x' }, 'h.X-One'],
  [{ value: 'x', encoding: 'percent' }, 'h.X-One.encoding'],
  [{ value: ' x' }, 'h.X-One.value'],
  [{ value: 'a\r\nX-Admin: 1' }, 'h.X-One.value'],
  [{ claim: 'name', list: 'json' }, 'h.X-One.list'],
  [{ claim: 'groups', list: 'json', separator: ';' }, 'h.X-One.separator'],
  [{ claim: 'groups', list: 'json', encoding: 'percent' }, 'h.X-One.encoding'],
  [{ claim: 'groups', encoding: 'rfc8187' }, 'h.X-One.encoding'],
  [{ claim: 'department', separator: '|', encoding: 'base64url' }, 'h.X-One.encoding'],
  [{ claim: 'groups', encoding: 'quoted-printable', separator: '=' }, 'h.X-One.separator'],
])('of %j is told %j', (header, ...mistakes) => expect(told(header)).toEqual(mistakes))

test('a name that the issuer assigns is told where the issuer has one', () => {
  expect(told('upn', assigning)).toEqual([])
  expect(claimFault('userPrincipalName', assigning)?.meant).toBe('upn')
  expect(claimFault('mail', undefined)).toBeUndefined()
})

test('no more than 32 claims of the issuer’s names are told', () => {
  const headers = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`X-${i}`, `claim-${i}`]))
  const mistakes: string[] = []
  tellIdentityHeaders(headers, { issuer, namesAccounts: false }, 'h', (path) => mistakes.push(path))
  expect(mistakes).toEqual(['h'])
})
