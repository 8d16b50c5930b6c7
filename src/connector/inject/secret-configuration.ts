/**
 * Secrets as an operator of a connector writes them: their shape, the rules beyond it, and which of
 * them a request gets.
 *
 * @see docs/single-sign-on/inject.md
 * @module
 */
import * as v from 'valibot'
import { isAccountName, SignOnFailed, type UserClaims } from '../../protocol/internal.ts'
import type { TellMistake } from '../../runtime/configuration-mistakes.ts'
import { accountNames } from '../sign-on/account-name.ts'
import type { SecretSource, SecretWanted } from './inject-sign-on.ts'
import {
  headerFault,
  secretFault,
  type HeaderSecret,
  type InjectedSecret,
} from './injected-secret.ts'
import { closeness, parsePlace, placeName } from './places.ts'

const text = v.pipe(v.string(), v.minLength(1), v.maxLength(1024))
const secretText = v.pipe(v.string(), v.maxLength(16_384))
const basic = { username: secretText, password: secretText }
const bearer = { token: secretText }
const header = { value: secretText }

const common = {
  name: v.exactOptional(text),
  origins: v.pipe(v.array(text), v.minLength(1)),
  allowHttp: v.exactOptional(v.boolean(), false),
  issuer: v.exactOptional(text),
}
/** What is either the connector's own, or one of each user's. */
const ownOrEach = <E extends v.ObjectEntries>(members: E) => ({
  ...(Object.fromEntries(
    Object.entries(members).map(([name, member]) => [
      name,
      v.exactOptional(member as v.GenericSchema),
    ]),
  ) as { [K in keyof E]: v.ExactOptionalSchema<E[K] & v.GenericSchema, undefined> }),
  users: v.exactOptional(v.record(text, v.strictObject(members))),
})

/** One secret, or that of each of several users. */
export const SecretConfiguration = v.variant('form', [
  v.strictObject({ form: v.literal('basic'), ...common, ...ownOrEach(basic) }),
  v.strictObject({ form: v.literal('bearer'), ...common, ...ownOrEach(bearer) }),
  v.strictObject({
    form: v.literal('header'),
    ...common,
    header: text,
    unauthorized: v.exactOptional(v.picklist(['refuse', 'pass']), 'refuse'),
    ...ownOrEach(header),
  }),
])

type Checked = v.InferOutput<typeof SecretConfiguration>
/** As much of a secret as its schema takes. */
export type SecretPart = Partial<Checked> | undefined

/** Tells what a schema cannot say of secrets; none of their values is told. */
export function tellSecrets(secrets: readonly SecretPart[], path: string, tell: TellMistake): void {
  const places = new Set<string>()
  secrets.forEach((secret, i) => {
    if (secret === undefined) return
    const at = `${path}[${i}]`
    const { name = '', origins = [], allowHttp } = secret
    origins.forEach((origin, n) => {
      const place = parsePlace(origin)
      const originAt = `${at}.origins[${n}]`
      if (place === undefined)
        return tell(
          originAt,
          'must be an origin, "https://wiki.corp.example" or all below a host, "https://*.corp.example"',
        )
      if (place.scheme === 'http:' && allowHttp !== true)
        tell(originAt, 'is http: a secret goes there only with "allowHttp": true')
      const key = JSON.stringify([name, placeName(place)])
      if (places.has(key)) tell(originAt, 'is a place of another secret of that name')
      places.add(key)
    })
    const { header } = secret as { readonly header?: string }
    const fault = header === undefined ? undefined : headerFault(header)
    if (fault !== undefined) tell(`${at}.header`, fault)
    else tellValues(secret, at, tell)
  })
}

const MEMBERS = { basic: ['username', 'password'], bearer: ['token'], header: ['value'] } as const

/** It has either values of its own, or `users` that have. */
function tellValues(secret: SecretPart & object, at: string, tell: TellMistake): void {
  const { form, users, issuer } = secret
  if (form === undefined) return
  const members: readonly string[] = MEMBERS[form]
  const given = members.filter((member) => Object.hasOwn(secret, member))
  if (users !== undefined) {
    for (const member of given) tell(`${at}.${member}`, 'cannot be combined with "users"')
    if (issuer === undefined) tell(`${at}.issuer`, 'is missing: whose users are they?')
    return tellUsers(secret, users, at, tell)
  }
  if (issuer !== undefined) tell(`${at}.issuer`, 'has no meaning without "users"')
  for (const member of members)
    if (!given.includes(member)) tell(`${at}.${member}`, 'is missing, or "users" is')
  if (given.length === members.length) tellFault(secret, {}, at, tell)
}

function tellUsers(secret: object, users: object, at: string, tell: TellMistake): void {
  const keys = new Set<string>()
  for (const [name, values] of Object.entries(users)) {
    const userAt = `${at}.users.${name}`
    const key = userKey(name)
    const account = accountIn(name)
    const misnamed = account === undefined ? undefined : accountFault(account)
    if (misnamed !== undefined) tell(userAt, misnamed)
    else if (key === undefined)
      tell(userAt, 'must be "sub:…" or "email:…" of a user, or "account:…" at the application')
    else if (keys.has(key)) tell(userAt, 'is another spelling of one before')
    else keys.add(key)
    tellFault(secret, values as object, userAt, tell)
  }
}

function tellFault(secret: object, values: object, at: string, tell: TellMistake): void {
  const fault = secretFault({ header: 'x', ...secret, ...values } as HeaderSecret)
  if (fault !== undefined) tell(`${at}.${fault[0]}`, fault[1])
}

/** A source of secrets that {@link tellSecrets} finds nothing wrong with. */
export function configuredSecrets(secrets: readonly Checked[]): SecretSource {
  const known = secrets.map((secret) => ({
    secret,
    name: secret.name,
    places: secret.origins.map((origin) => parsePlace(origin)!),
    ofUser: valuesByUser(secret),
  }))
  return {
    knowsAccounts: true,
    secretFor({ name, internalOrigin, user, account }: SecretWanted): InjectedSecret | undefined {
      const allowed = known
        .map((one) => ({ ...one, closeness: closeness(one.places, internalOrigin) }))
        .filter((one) => one.closeness > 0)
      if (allowed.length === 0)
        throw new SignOnFailed(
          'not-allowed-here',
          `no secret of this connector may go to ${internalOrigin}`,
        )
      const [closest] = allowed
        .filter((one) => one.name === name)
        .sort((one, other) => other.closeness - one.closeness)
      return closest && valuesFor(closest.secret, closest.ofUser, user, account)
    },
  }
}

type Values = Readonly<Record<string, string>>

function valuesByUser({ users = {} }: Checked): ReadonlyMap<string, Values> {
  return new Map(Object.entries(users).map(([name, values]) => [userKey(name)!, values as Values]))
}

function valuesFor(
  secret: Checked,
  ofUser: ReadonlyMap<string, Values>,
  user: UserClaims | undefined,
  account: string | undefined,
): InjectedSecret | undefined {
  if (secret.users === undefined)
    // What is everybody's is no account's own.
    return account === undefined ? (secret as InjectedSecret) : undefined
  if (user === undefined)
    throw new SignOnFailed(
      'user-unknown',
      'each user has a secret of their own, and nobody is signed in',
    )
  if (user.issuer !== secret.issuer)
    throw new SignOnFailed('user-unknown', 'the user is of another issuer')
  const { subject, email } = user
  const values =
    account !== undefined
      ? ofUser.get(`${ACCOUNT}${account}`)
      : (ofUser.get(`sub:${subject}`) ??
        (email === undefined ? undefined : ofUser.get(folded(email))))
  const { users: _, ...shared } = secret
  return values && ({ ...shared, ...values } as InjectedSecret)
}

const ACCOUNT = 'account:'
const accountIn = (name: string) =>
  name.startsWith(ACCOUNT) ? name.slice(ACCOUNT.length) : undefined

const accountOf = accountNames()

/** Undefined: users may be signed on to it. */
function accountFault(account: string): string | undefined {
  const verdict = accountOf({ claims: { account } }, { from: 'claim', claim: 'account' })
  if ('name' in verdict) return undefined
  return isAccountName(account) ? verdict.detail : 'is no name of an account'
}

/** The name of a user, or of an account, as it is compared. */
function userKey(name: string): string | undefined {
  if (name.startsWith(ACCOUNT)) return name
  if (/^sub:\S(?:.*\S)?$/s.test(name)) return name
  return /^email:[^@\s]+@[^@\s]+$/.test(name) ? folded(name.slice('email:'.length)) : undefined
}

/** ASCII letters and no others: Unicode folds some into them, and so a stranger's address. */
const folded = (email: string) =>
  `email:${email.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())}`
