/**
 * How an application gets to know who its user is, as an operator writes it: a kind, and what that
 * kind needs to be told.
 *
 * @see docs/single-sign-on.md
 * @module
 */
import * as v from 'valibot'
import {
  AFFINITY,
  AccountMapping,
  readServicePrincipal,
  SIGN_ON_PREFIX,
  type SignOnDetails,
} from '../../protocol/internal.ts'
import type { TellMistake } from '../../runtime/configuration-mistakes.ts'
import type { IdentityHeader } from '../rules/identity-claims.ts'
import { assertionHeader, AssertionSignOn, tellAssertion } from './assertion-sign-on.ts'
import type { AssertedApplication } from './assertion-sign-on.ts'
import { text } from './configuration-values.ts'
import { IdentityHeaderConfiguration } from './identity-headers.ts'
import { tellIdentityHeaders } from './identity-header-checks.ts'
import type { IssuerProfile } from './issuer-configuration.ts'
import { tellSignOnClaims } from './sign-on-claims.ts'

/** A secret that the connector has, by a name. */
const InjectSignOn = v.strictObject({
  kind: v.literal('inject'),
  secret: v.exactOptional(text),
  user: v.exactOptional(AccountMapping),
})

/** The application asks by itself, and knows its user by the connection from then on. */
const ConnectionBoundSignOn = v.strictObject({ kind: v.literal('connection-bound') })

/** A ticket of the user's, made by the connector's account. */
const KerberosSignOn = v.strictObject({
  kind: v.literal('kerberos'),
  servicePrincipal: v.pipe(
    v.string(),
    v.check(
      (name) => readServicePrincipal(name) !== undefined,
      'must be like "HTTP/wiki.corp.example", without a realm',
    ),
  ),
  user: AccountMapping,
  mutual: v.exactOptional(v.boolean()),
})

/** Fields of the edge: `identityHeaders`, said as a kind. */
const HeadersSignOn = v.strictObject({
  kind: v.literal('headers'),
  headers: v.record(v.string(), IdentityHeaderConfiguration),
  user: v.exactOptional(AccountMapping),
})

/** Every kind. */
export const SignOnConfiguration = v.variant('kind', [
  AssertionSignOn,
  ConnectionBoundSignOn,
  HeadersSignOn,
  InjectSignOn,
  KerberosSignOn,
])
type Written = v.InferOutput<typeof SignOnConfiguration>

/** How an application gets to know who its user is, beside identity headers. */
export type SignOn = Exclude<Written, { readonly kind: 'headers' }>

/**
 * The identity headers of an application, the rest of its sign-on, and how accounts there are
 * named.
 */
export function readSignOn(
  written: Written | undefined,
  identityHeaders: Readonly<Record<string, IdentityHeader>> = {},
) {
  const account = mappingOf(written)
  return written?.kind === 'headers'
    ? { identityHeaders: written.headers, signOn: undefined, account }
    : { identityHeaders, signOn: written, account }
}

/** How accounts are named, where a sign-on says it. */
export const mappingOf = (signOn: object | undefined) =>
  (signOn as { readonly user?: AccountMapping } | undefined)?.user

/** The kinds that work for users whom nobody has signed in. */
const FOR_ANYBODY: ReadonlySet<Written['kind']> = new Set<Written['kind']>([
  'connection-bound',
  'inject',
])

/** Tells what is wrong with it. */
export function tellSignOn(
  application: SignedOn,
  issuer: IssuerProfile | undefined,
  path: string,
  tell: TellMistake,
): void {
  const { signOn, preAuthentication, identityHeaders = {} } = application
  if (signOn?.kind === undefined) return
  if (preAuthentication === 'passthrough' && !FOR_ANYBODY.has(signOn.kind))
    tell(`${path}.kind`, 'needs "preAuthentication" to be "oidc"')
  if (signOn.kind === 'assertion') return tellAssertion(signOn, application, issuer, path, tell)
  if (preAuthentication === 'passthrough' && mappingOf(signOn) !== undefined)
    tell(`${path}.user`, 'has no meaning with "passthrough": nobody signs in')
  tellSignOnClaims(signOn, issuer, path, tell)
  if (signOn.kind !== 'headers') return
  if (Object.keys(identityHeaders).length > 0)
    tell(path, 'says the same as "identityHeaders": only one of them may be there')
  const namesAccounts = signOn.user !== undefined
  tellIdentityHeaders(signOn.headers, { issuer, namesAccounts }, `${path}.headers`, tell)
}

/** What of an application matters here, as far as it is known. */
interface SignedOn extends AssertedApplication {
  readonly signOn?: Partial<Written> | undefined
  readonly preAuthentication?: 'oidc' | 'passthrough' | undefined
  readonly identityHeaders?: Readonly<Record<string, IdentityHeader>> | undefined
}

/** The features that a connector must have named to make it. */
export function signOnNeeds(signOn: SignOn): readonly string[] {
  const { kind } = signOn
  if (kind === 'connection-bound') return CONNECTIONS_OF_THEIR_OWN
  // The cloud makes it; whether a connector looks at it as well is the application's wish.
  if (signOn.kind === 'assertion' && signOn.verify !== true) return []
  // One that knows no accounts would show everybody's secret, or nobody's.
  if (signOn.kind === 'inject' && signOn.user !== undefined) return SECRETS_BY_ACCOUNT
  return [`${SIGN_ON_PREFIX}${kind}`]
}

const SECRETS_BY_ACCOUNT: readonly string[] = [
  `${SIGN_ON_PREFIX}inject`,
  `${SIGN_ON_PREFIX}inject-account`,
]
const CONNECTIONS_OF_THEIR_OWN: readonly string[] = [AFFINITY]

/** What a connector is told of it; undefined: it has nothing to do, or each offer says it. */
export function signOnDetails(signOn: SignOn | undefined): SignOnDetails | undefined {
  if (signOn?.kind === 'connection-bound') return undefined
  if (signOn?.kind !== 'assertion') return signOn
  return signOn.verify === true ? { kind: 'assertion', header: assertionHeader(signOn) } : undefined
}
