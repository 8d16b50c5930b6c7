/**
 * What accounts are called: of a mapping and the claims of a user, the name; none where the user is refused. Both ends are held against it.
 */
import type { AccountMapping, TypedClaims } from '../src/protocol/internal.ts'

export interface AccountVector {
  readonly what: string
  readonly mapping: AccountMapping
  readonly claims: TypedClaims
  readonly account: string | undefined
}

const upn: AccountMapping = { from: 'user-part', claim: 'upn', domains: ['corp.example'] }
const employee: AccountMapping = {
  ...{ from: 'template', claim: 'employee', template: 'emp-{value}' },
}
const guest: AccountMapping = {
  ...{ from: 'template', claim: 'email', template: 'x.{user}', domains: ['guests.example'] },
}
const whole: AccountMapping = { from: 'claim', claim: 'account' }
const lower: AccountMapping = { ...whole, letterCase: 'lower' }

// prettier-ignore
export const ACCOUNT_VECTORS: readonly AccountVector[] = [
  { what: 'the user part',                 mapping: upn,      claims: { upn: 'alice@corp.example' },            account: 'alice' },
  { what: 'its letters are kept',          mapping: upn,      claims: { upn: 'Alice@CORP.Example' },            account: 'Alice' },
  { what: 'another domain',                mapping: upn,      claims: { upn: 'alice@corp.example.org' },        account: undefined },
  { what: 'two domains',                   mapping: upn,      claims: { upn: 'alice@x@corp.example' },          account: undefined },
  { what: 'no domain',                     mapping: upn,      claims: { upn: 'alice' },                         account: undefined },
  { what: 'no user',                       mapping: upn,      claims: { upn: '@corp.example' },                 account: undefined },
  { what: 'another claim',                 mapping: upn,      claims: { email: 'alice@corp.example' },          account: undefined },
  { what: 'a number in fixed text',        mapping: employee, claims: { employee: 4711 },                       account: 'emp-4711' },
  { what: 'half a number',                 mapping: employee, claims: { employee: 0.5 },                        account: undefined },
  { what: 'a number as text',              mapping: employee, claims: { employee: '4711' },                     account: 'emp-4711' },
  { what: 'a truth value',                 mapping: employee, claims: { employee: true },                       account: undefined },
  { what: 'a list of one',                 mapping: employee, claims: { employee: ['4711'] },                   account: undefined },
  { what: 'nothing',                       mapping: employee, claims: {},                                       account: undefined },
  { what: 'an empty text',                 mapping: employee, claims: { employee: '' },                         account: undefined },
  { what: 'a pattern of replacements',     mapping: employee, claims: { employee: "$&$'" },                     account: undefined },
  { what: 'a user part in fixed text',     mapping: guest,    claims: { email: 'bob@guests.example' },          account: 'x.bob' },
  { what: 'the same of a stranger',        mapping: guest,    claims: { email: 'bob@corp.example' },            account: undefined },
  { what: 'a whole claim',                 mapping: whole,    claims: { account: 'carol' },                     account: 'carol' },
  { what: 'a whole claim with a realm',    mapping: whole,    claims: { account: 'carol@CORP.EXAMPLE' },        account: undefined },
  { what: 'folded letters',                mapping: lower,    claims: { account: 'CAROL' },                     account: 'carol' },
  { what: 'the Kelvin sign',               mapping: lower,    claims: { account: '\u212arbt' },                 account: undefined },
  { what: 'a blank at its end',            mapping: whole,    claims: { account: 'carol ' },                    account: undefined },
  { what: 'the folder above',              mapping: whole,    claims: { account: '..' },                        account: undefined },
  { what: '64 letters',                    mapping: whole,    claims: { account: 'a'.repeat(64) },              account: 'a'.repeat(64) },
  { what: '65 letters',                    mapping: whole,    claims: { account: 'a'.repeat(65) },              account: undefined },
]
