/**
 * Which account at the application a user is: how its name follows from one claim that the issuer
 * assigns.
 *
 * The cloud refuses a mapping that reads another claim, and tells the name to its audit and to the
 * application; the connector makes the same name of the same claim, and holds its own rules against
 * it. One claim, and nothing beside it but fixed text: names of two users never run into one.
 *
 * @see docs/single-sign-on.md
 * @module
 */
import * as v from 'valibot'
import { MAX_CLAIM_NAME, type TypedClaims } from './typed-claims.ts'

/** The name of a claim. */
export const ClaimName = v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_CLAIM_NAME))

const claim = ClaimName
const domains = v.pipe(
  v.array(
    v.pipe(
      v.string(),
      v.maxLength(253),
      v.regex(
        /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*$/,
        'must be a domain, such as "corp.example"',
      ),
    ),
  ),
  v.minLength(1),
  v.maxLength(64),
)
const letterCase = v.exactOptional(v.picklist(['kept', 'lower', 'upper']))

/** Fixed text around one mark: the whole claim, or the user part of the address that it is. */
const TEMPLATE = /^[A-Za-z0-9._-]{0,32}\{(?:value|user)\}[A-Za-z0-9._-]{0,32}$/

/** How the name of the account follows from a claim. */
export const AccountMapping = v.variant('from', [
  /** The claim is the name. */
  v.strictObject({ from: v.literal('claim'), claim, letterCase }),
  /** The claim is an address; the name stands before the `@`. */
  v.strictObject({ from: v.literal('user-part'), claim, domains, letterCase }),
  /** The claim, or the user part of the address that it is, in fixed text. */
  v.strictObject({
    from: v.literal('template'),
    claim,
    template: v.pipe(
      v.string(),
      v.regex(TEMPLATE, 'must be letters, digits, ".", "_", "-" and one "{value}" or "{user}"'),
    ),
    domains: v.exactOptional(domains),
    letterCase,
  }),
])
export type AccountMapping = v.InferOutput<typeof AccountMapping>

/** What is wrong with a mapping that its schema takes, and where. */
export function accountMappingFault(
  mapping: AccountMapping,
): { readonly member: 'domains'; readonly detail: string } | undefined {
  if (mapping.from !== 'template') return undefined
  const takesPart = mapping.template.includes('{user}')
  if (takesPart && mapping.domains === undefined)
    return { member: 'domains', detail: 'is missing: of whose addresses "{user}" is a part' }
  if (!takesPart && mapping.domains !== undefined)
    return { member: 'domains', detail: 'has no meaning without "{user}" in the template' }
  return undefined
}

/** What every account name is made of; `.` and `..` are names of folders. */
const ACCOUNT_NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/

/** Whether an account can have this name. */
export const isAccountName = (text: string) => ACCOUNT_NAME.test(text)

/**
 * The name, or why there is none: the issuer has not told the claim (`user-unknown`), or told one
 * of which no name may be made (`user-refused`). `detail` quotes no value.
 */
export type AccountName =
  | { readonly name: string }
  | { readonly refused: 'user-unknown' | 'user-refused'; readonly detail: string }

/** The name of a user's account. @see spec/PROTOCOL.md, "Sign-on" */
export function mappedAccount(mapping: AccountMapping, claims: TypedClaims = {}): AccountName {
  const told = Object.hasOwn(claims, mapping.claim) ? claims[mapping.claim] : undefined
  if (told === undefined || told === '')
    return { refused: 'user-unknown', detail: 'the claim of the account name is not known' }
  const value = typeof told === 'number' && Number.isSafeInteger(told) ? String(told) : told
  if (typeof value !== 'string') return refuse('the claim of the account name is no text')
  const made = madeOf(mapping, value)
  if (typeof made !== 'string') return made
  // Folding comes last: it makes ASCII letters of some that are none.
  if (!ACCOUNT_NAME.test(made)) return refuse('what the claim says is no account name')
  const { letterCase = 'kept' } = mapping
  if (letterCase === 'kept') return { name: made }
  return { name: letterCase === 'lower' ? made.toLowerCase() : made.toUpperCase() }
}

function madeOf(mapping: AccountMapping, value: string): string | AccountName {
  switch (mapping.from) {
    case 'claim':
      return value
    case 'user-part':
      return userPart(value, mapping.domains)
    case 'template': {
      const { template, domains = [] } = mapping
      if (!template.includes('{user}')) return template.replace('{value}', () => value)
      const part = userPart(value, domains)
      return typeof part === 'string' ? template.replace('{user}', () => part) : part
    }
    default:
      return unknownKind(mapping)
  }
}

function userPart(address: string, domains: readonly string[]): string | AccountName {
  const [user = '', domain, ...more] = address.split('@')
  if (domain === undefined || more.length > 0)
    return refuse('the claim of the account name is no address')
  // An empty user would leave the fixed text of a template alone.
  if (user === '') return refuse('the address has no user part')
  const isPermitted = domains.some((one) => folded(one) === folded(domain))
  return isPermitted ? user : refuse('the domain of the address is not permitted')
}

/** ASCII letters, and no others: Unicode folds letters of strangers' domains into them. */
const folded = (domain: string) => domain.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())

/** A mapping that came unchecked, of a later version. */
const unknownKind = (_: never) => refuse('the mapping is of a kind that is not known here')

const refuse = (detail: string): AccountName => ({ refused: 'user-refused', detail })
