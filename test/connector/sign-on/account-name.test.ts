import fc from 'fast-check'
import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import {
  accountNames,
  DENIED_ACCOUNTS,
  principalOf,
} from '../../../src/connector/sign-on/account-name.ts'
import {
  AccountMapping,
  accountMappingFault,
  mappedAccount,
} from '../../../src/protocol/wire/account-mapping.ts'
import type { TypedClaim } from '../../../src/protocol/wire/typed-claims.ts'

const account = accountNames({ realm: 'CORP.EXAMPLE', denied: ['svc-*', 'Root'] })
const whole: AccountMapping = { from: 'claim', claim: 'sam' }
const part: AccountMapping = { from: 'user-part', claim: 'upn', domains: ['corp.example'] }
const template: AccountMapping = { from: 'template', claim: 'number', template: 'emp-{value}' }
const guest: AccountMapping = {
  ...{ from: 'template', claim: 'upn', template: 'x.{user}' },
  domains: ['guests.example'],
}

test.each<[AccountMapping, TypedClaim, string]>([
  [whole, 'alice', 'alice'],
  [whole, 'Alice.Smith_2-x', 'Alice.Smith_2-x'],
  [{ ...whole, letterCase: 'lower' }, 'Alice', 'alice'],
  [{ ...whole, letterCase: 'upper' }, 'Alice', 'ALICE'],
  [whole, 4711, '4711'],
  [part, 'alice@corp.example', 'alice'],
  [part, 'Alice@CORP.Example', 'Alice'],
  [template, 4711, 'emp-4711'],
  [template, '$&', ''],
  [guest, 'bob@guests.example', 'x.bob'],
  [whole, 'a'.repeat(64), 'a'.repeat(64)],
])('%j of %j is %j', (mapping, value, name) => {
  const verdict = account({ claims: { [mapping.claim]: value } }, mapping)
  if (name === '') expect(verdict).toMatchObject({ refused: 'user-refused' })
  else expect(verdict).toEqual({ name })
})

test.each<[string, AccountMapping, TypedClaim]>([
  ['an address that is taken whole', whole, 'alice@corp.example'],
  ['a realm of its own', whole, 'alice@EVIL.EXAMPLE'],
  ['an instance', whole, 'alice/admin'],
  ['a down-level name', whole, 'CORP\\alice'],
  ['a computer', whole, 'WEB01$'],
  ['blanks', whole, ' alice'],
  ['a line', whole, 'alice\n'],
  ['an end of text', whole, 'alice\0bob'],
  ['letters that look like ASCII', whole, 'аlice'],
  ['full-width letters', whole, 'ａdministrator'],
  ['the Kelvin sign, which folds into k', { ...whole, letterCase: 'lower' }, '\u212arbtgt'],
  ['a dotless i', { ...whole, letterCase: 'upper' }, 'adm\u0131nistrator'],
  ['65 letters', whole, 'a'.repeat(65)],
  ['this folder', whole, '.'],
  ['the folder above', whole, '..'],
  ['a list', whole, ['alice']],
  ['a list of two', whole, ['alice', 'bob']],
  ['a truth value', whole, true],
  ['a fraction', whole, 1.5],
  ['more than a number can tell', whole, 2 ** 60],
  ['a negative exponent', whole, 1e-7],
  ['no number', whole, Number.NaN],
  ['another domain', part, 'alice@evil.example'],
  ['a domain below', part, 'alice@evil.corp.example'],
  ['a domain that ends so', part, 'alice@evilcorp.example'],
  ['a domain with a dot behind', part, 'alice@corp.example.'],
  ['two domains', part, 'alice@evil.example@corp.example'],
  ['a quoted domain', part, '"alice@evil.example"@corp.example'],
  ['no domain', part, 'alice'],
  ['an empty domain', part, 'alice@'],
  ['no user', part, '@corp.example'],
  ['no user in fixed text', guest, '@guests.example'],
  ['an address with a tag', part, 'alice+admin@corp.example'],
  ['a domain that folds into ours by Unicode', part, 'alice@cor\u1e57.example'],
  ['a template of an address', template, 'a@b'],
])('%s is refused', (_, mapping, value) =>
  expect(account({ claims: { [mapping.claim]: value } }, mapping)).toMatchObject({
    refused: 'user-refused',
  }),
)

test.each([
  ...['administrator', 'Administrator', 'ADMINISTRATOR', 'krbtgt', 'KRBTGT', 'krbtgt_1234'],
  ...['svc-backup', 'SVC-', 'root', 'rOOt'],
])('nobody is signed on as %s', (name) => {
  expect(account({ claims: { sam: name } }, whole)).toMatchObject({ refused: 'user-refused' })
  expect(account({ claims: { upn: `${name}@corp.example` } }, part)).toMatchObject({
    refused: 'user-refused',
  })
})

test('a name is denied as it results, not as the claim has it', () => {
  const made: AccountMapping = { from: 'template', claim: 'c', template: 'admin{value}' }
  expect(account({ claims: { c: 'istrator' } }, made)).toMatchObject({ refused: 'user-refused' })
  expect(account({ claims: { c: 'i' } }, made)).toEqual({ name: 'admini' })
})

test('what is denied by default stays denied beside what a file names', () => {
  expect(DENIED_ACCOUNTS).toEqual(['administrator', 'krbtgt', 'krbtgt_*', '*$'])
  const own = accountNames({ denied: ['nobody'] })
  expect(own({ claims: { sam: 'administrator' } }, whole)).toMatchObject({
    refused: 'user-refused',
  })
  expect(own({ claims: { sam: 'administrators' } }, whole)).toEqual({ name: 'administrators' })
})

describe('unknown is not none', () => {
  test.each<[string, { claims?: Record<string, TypedClaim> } | undefined]>([
    ['nobody is signed in', undefined],
    ['no claims came', {}],
    ['another claim came', { claims: { upn: 'alice' } }],
    ['an empty one came', { claims: { sam: '' } }],
    ['a name that every object has', { claims: {} }],
  ])('%s', (_, user) => expect(account(user, whole)).toMatchObject({ refused: 'user-unknown' }))

  test('what objects inherit is no claim', () =>
    expect(account({ claims: {} }, { from: 'claim', claim: 'constructor' })).toMatchObject({
      refused: 'user-unknown',
    }))
})

test('a mapping of a kind that is not known refuses', () => {
  const later = { from: 'directory', claim: 'sam' } as unknown as AccountMapping
  expect(account({ claims: { sam: 'alice' } }, later)).toMatchObject({ refused: 'user-refused' })
})

test('no detail tells what the claim says', () => {
  const values = ['secret@evil.example', 'sec/ret', '@secret', 'secret\n']
  for (const value of values)
    for (const mapping of [whole, part])
      expect(
        JSON.stringify(account({ claims: { sam: value, upn: value } }, mapping)),
      ).not.toContain('secret')
})

test('the names of two users never run into one', () => {
  const value = fc.oneof(
    fc.string({
      unit: fc.constantFrom('a', 'A', '.', '-', '{', '}', '$', '&', '@', '1'),
      maxLength: 8,
    }),
    fc.string({ maxLength: 6 }),
  )
  const mappings: AccountMapping[] = [whole, template, part, guest]
  fc.assert(
    fc.property(value, value, fc.constantFrom(...mappings), (one, other, mapping) => {
      const inDomain = (text: string) =>
        mapping === part
          ? `${text}@corp.example`
          : mapping === guest
            ? `${text}@guests.example`
            : text
      const [a, b] = [one, other].map((text) =>
        mappedAccount(mapping, { [mapping.claim]: inDomain(text) }),
      )
      if ('name' in a! && 'name' in b!) {
        expect(a.name === b.name).toBe(one === other)
        expect(a.name).toMatch(/^[A-Za-z0-9._-]{1,64}$/)
        expect(principalOf(a.name, 'R').split(/[@/\\]/)).toEqual([a.name, 'R'])
      }
    }),
    { numRuns: 1000 },
  )
})

describe('a mapping as it is written', () => {
  test.each([
    { from: 'user-part', claim: 'upn' },
    { from: 'user-part', claim: 'upn', domains: [] },
    { from: 'user-part', claim: 'upn', domains: ['*.example'] },
    { from: 'user-part', claim: 'upn', domains: ['corp.example.'] },
    { from: 'template', claim: 'upn', template: 'fixed' },
    { from: 'template', claim: 'upn', template: '{value}{value}' },
    { from: 'template', claim: 'upn', template: '{value}@EVIL' },
    { from: 'template', claim: 'upn', template: 'host/{value}' },
    { from: 'claim', claim: '' },
    { from: 'claim', claim: 'upn', domains: ['corp.example'] },
    { from: 'claim', claim: 'upn', realm: 'EVIL' },
    { claim: 'upn' },
  ])('%j is none', (written) => expect(v.is(AccountMapping, written)).toBe(false))

  test('the part of an address needs the domains, and what is taken whole has none', () => {
    const at = (mapping: AccountMapping) => accountMappingFault(mapping)?.member
    expect(at({ from: 'template', claim: 'c', template: '{user}' })).toBe('domains')
    expect(at({ from: 'template', claim: 'c', template: '{value}', domains: ['d'] })).toBe(
      'domains',
    )
    expect([at(whole), at(part), at(template), at(guest)]).toEqual(Array(4).fill(undefined))
  })
})

test.each(['', 'A B', 'A/B', 'A@B', '.A', 'A\n', '*'])('%j is no realm', (realm) =>
  expect(() => accountNames({ realm })).toThrow('realm'),
)
test.each(['', '*', '**', 'a*b'])('%j denies no account', (denied) =>
  expect(() => accountNames({ denied: [denied] })).toThrow('denied account'),
)
