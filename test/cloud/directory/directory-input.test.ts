/**
 * What a person may write, twice: as interfaces, which an editor shows and completes, and as a schema, which files are held against.
 * The compiler holds one against the other; what is refused below must not compile.
 */
import type * as v from 'valibot'
import { expect, test } from 'vitest'
import {
  createDirectory,
  type ApplicationInput,
  type DirectoryInput,
  type PolicyCase,
  type SignInApplicationInput,
  type TenantInput,
} from '../../../src/cloud/index.ts'
import type { WrittenDirectory } from '../../../src/cloud/directory/directory-configuration.ts'
import type { PolicyCases } from '../../../src/cloud/policy-case.ts'
import type {
  CloudServerConfiguration,
  CloudServerInput,
} from '../../../src/cli/cloud/configuration.ts'
import type { SameForm } from '../../same-form.ts'

const tenant = {
  id: 'contoso',
  issuer: 'https://login.contoso.example',
  registrars: { audience: 'cloud' },
} satisfies TenantInput
const place = {
  id: 'wiki',
  groupId: 'berlin',
  externalUrl: 'https://wiki.contoso.example/',
  internalUrl: 'http://10.0.0.7/',
}
const wiki: SignInApplicationInput = { ...place, preAuthentication: 'oidc', client: { id: 'wiki' } }
const directory = {
  tenants: [tenant],
  groups: [{ id: 'berlin', tenantId: 'contoso' }],
  applications: [wiki],
} satisfies DirectoryInput

test('the schema takes exactly what the interfaces say', () => {
  const isSame: SameForm<v.InferInput<typeof WrittenDirectory>, DirectoryInput> = true
  const isSameCase: SameForm<v.InferInput<typeof PolicyCases>, readonly PolicyCase[]> = true
  const isSameServer: SameForm<
    v.InferInput<typeof CloudServerConfiguration>,
    CloudServerInput
  > = true
  expect([isSame, isSameCase, isSameServer]).not.toContain(false)
})

test('one that compares would notice a member too few, too many, optional, or of another type', () => {
  const differs: false[] = [
    false satisfies SameForm<{ a: string }, { a: string; b?: string }>,
    false satisfies SameForm<{ a: string; b?: string }, { a: string }>,
    false satisfies SameForm<{ a: string }, { a?: string }>,
    false satisfies SameForm<{ a: 'b' | 'c' }, { a: 'b' }>,
    false satisfies SameForm<{ a: { b: string[] } }, { a: { b: number[] } }>,
  ]
  expect(differs).not.toContain(true)
})

test('what is written in TypeScript, lists that are constant and members that are undefined too, is read', () => {
  const constant = { ...directory, tenants: [{ ...tenant, name: undefined }] } as const
  expect(createDirectory(constant).tenant('contoso')?.name).toBe('contoso')
})

test('nonsense does not compile', () => {
  const written = (_: DirectoryInput) => undefined
  const published = (_: ApplicationInput) => undefined
  const nonsense = [
    // @ts-expect-error: no tenants
    written({ groups: [], applications: [] }),
    // @ts-expect-error: a slip of the pen
    written({ ...directory, aplications: [] }),
    // @ts-expect-error: one in the place of a list
    written({ ...directory, tenants: tenant }),
    // @ts-expect-error: an issuer that is none
    written({ ...directory, tenants: [{ ...tenant, issuer: 7 }] }),
    // @ts-expect-error: no issuer URL
    written({ ...directory, tenants: [{ ...tenant, issuer: { scopes: ['openid'] } }] }),
    // @ts-expect-error: a claim that there is not
    written({ ...directory, tenants: [{ ...tenant, issuer: { url: '', claims: { mail: '' } } }] }),
    // @ts-expect-error: nobody may register
    written({ ...directory, tenants: [{ id: 'contoso', issuer: tenant.issuer }] }),
    // @ts-expect-error: a number in quotes
    written({ ...directory, tenants: [{ ...tenant, connectorLimit: '5' }] }),
    // @ts-expect-error: a group of no tenant
    written({ ...directory, groups: [{ id: 'berlin' }] }),
    // @ts-expect-error: nobody can sign in
    published({ ...place, preAuthentication: 'oidc' }),
    // @ts-expect-error: nobody signs in
    published({ ...place, preAuthentication: 'passthrough', client: { id: 'wiki' } }),
    // @ts-expect-error: nobody who could be assigned
    published({ ...place, preAuthentication: 'passthrough', assigned: { groups: ['staff'] } }),
    // @ts-expect-error: a third way
    published({ ...place, preAuthentication: 'saml', client: { id: 'wiki' } }),
    // @ts-expect-error: another case
    published({ ...wiki, externalURL: 'https://wiki.contoso.example/' }),
    // @ts-expect-error: an encoding that there is not
    published({ ...wiki, identityHeaders: { 'x-user': { claim: 'name', encoding: 'utf-7' } } }),
    // @ts-expect-error: another way to authenticate
    published({ ...wiki, client: { id: 'wiki', authentication: 'basic' } }),
    // @ts-expect-error: a deny without words
    published({ ...wiki, policies: [{ id: 'p', effect: 'deny' }] }),
    // @ts-expect-error: words of a deny
    published({ ...wiki, policies: [{ id: 'p', effect: 'allow', reason: 'No.' }] }),
    // @ts-expect-error: a tenant's member in an application's own policy
    published({ ...wiki, policies: [{ id: 'p', effect: 'allow', applications: 'all' }] }),
    // @ts-expect-error: a level that there is not
    published({ ...wiki, policies: [{ id: 'p', effect: 'allow', when: { risk: ['huge'] } }] }),
    // @ts-expect-error: milliseconds in words
    published({ ...wiki, responseHeadMs: '90 s' }),
  ]
  expect(nonsense).toHaveLength(21)
})
