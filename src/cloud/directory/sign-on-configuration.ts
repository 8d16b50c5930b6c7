/**
 * How an application gets to know who its user is, as an operator writes it: a kind, and what that
 * kind needs to be told.
 *
 * @see docs/single-sign-on.md
 * @module
 */
import * as v from 'valibot'
import {
  AccountMapping,
  accountMappingFault,
  readServicePrincipal,
  SIGN_ON_PREFIX,
  type SignOnDetails,
} from '../../protocol/internal.ts'
import type { TellMistake } from '../../runtime/configuration-mistakes.ts'
import { text } from './configuration-values.ts'

/** A secret that the connector has, by a name. */
const InjectSignOn = v.strictObject({
  kind: v.literal('inject'),
  secret: v.exactOptional(text),
})

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

type KerberosSignOn = v.InferOutput<typeof KerberosSignOn>

/** Every kind. */
export const SignOnConfiguration = v.variant('kind', [InjectSignOn, KerberosSignOn])

/** How an application gets to know who its user is. */
export type SignOn = v.InferOutput<typeof SignOnConfiguration>

/** The kinds that work for users whom nobody has signed in. */
const FOR_ANYBODY: ReadonlySet<SignOn['kind']> = new Set(['inject'])

/** Tells what is wrong with it. */
export function tellSignOn(
  signOn: Partial<SignOn>,
  preAuthentication: 'oidc' | 'passthrough' | undefined,
  path: string,
  tell: TellMistake,
): void {
  const { kind } = signOn
  if (kind === 'kerberos') {
    const { user } = signOn as Partial<KerberosSignOn>
    const fault = user && accountMappingFault(user)
    if (fault !== undefined) tell(`${path}.user.${fault.member}`, fault.detail)
  }
  if (kind === undefined || preAuthentication !== 'passthrough') return
  if (!FOR_ANYBODY.has(kind)) tell(`${path}.kind`, 'needs "preAuthentication" to be "oidc"')
}

/** The features that a connector must have named to make it. */
export function signOnNeeds({ kind }: SignOn): readonly string[] {
  return [`${SIGN_ON_PREFIX}${kind}`]
}

/** What a connector is told of it; undefined: it has nothing to do. */
export function signOnDetails(signOn: SignOn | undefined): SignOnDetails | undefined {
  return signOn
}
