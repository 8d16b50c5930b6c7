/**
 * Sign-on by signed assertions, as an operator writes it.
 *
 * @see docs/single-sign-on/assertion.md
 * @module
 */
import * as v from 'valibot'
import { ASSERTION_HEADER } from '../../assertion/assertion-claims.ts'
import { AccountMapping, foldName, isToken, MAX_SIGN_ON_CLAIMS } from '../../protocol/internal.ts'
import type { TellMistake } from '../../runtime/configuration-mistakes.ts'
import { ACCOUNT } from '../rules/identity-claims.ts'
import { claimFault, NO_MAPPING } from './claim-names.ts'
import { text, texts } from './configuration-values.ts'
import { NOT_IDENTITY } from './identity-header-checks.ts'
import type { IssuerProfile } from './issuer-configuration.ts'
import { tellSignOnClaims } from './sign-on-claims.ts'

export const AssertionSignOn = v.strictObject({
  kind: v.literal('assertion'),
  header: v.exactOptional(text),
  claims: v.exactOptional(texts),
  verify: v.exactOptional(v.boolean()),
  user: v.exactOptional(AccountMapping),
})

/** Sign-on by signed assertions. */
export type AssertionSignOn = v.InferOutput<typeof AssertionSignOn>

/** The field that carries them. */
export const assertionHeader = ({ header = ASSERTION_HEADER }: AssertionSignOn) => header

/** What of an application has to do with them. */
export interface AssertedApplication {
  readonly identityHeaders?: Readonly<Record<string, unknown>> | undefined
  readonly bearer?: object | undefined
}

/** `issuer`: what is particular about the tenant's; absent: it is not known. */
export function tellAssertion(
  signOn: Partial<AssertionSignOn>,
  application: AssertedApplication,
  issuer: IssuerProfile | undefined,
  path: string,
  tell: TellMistake,
): void {
  const { header, claims = [], user } = signOn
  if (user !== undefined) tellSignOnClaims({ user }, issuer, path, tell)
  if (header !== undefined) tellHeader(header, application, `${path}.header`, tell)
  claims.forEach((claim, i) => {
    const at = `${path}.claims[${i}]`
    const fault = claimFault(claim, issuer)
    if (claim === ACCOUNT) {
      if (user === undefined) tell(at, NO_MAPPING)
    } else if (OWN_CLAIMS.has(claim)) tell(at, 'has a meaning in assertions already')
    else if (fault !== undefined) tell(at, fault.detail, fault.meant)
  })
  if (claims.length > MAX_SIGN_ON_CLAIMS)
    tell(`${path}.claims`, `must not be more than ${MAX_SIGN_ON_CLAIMS}`)
}

function tellHeader(
  header: string,
  { identityHeaders = {}, bearer }: AssertedApplication,
  at: string,
  tell: TellMistake,
): void {
  const folded = foldName(header)
  const isAuthorization = folded === 'authorization'
  if (!isToken(header)) tell(at, 'is no header name')
  else if (isAuthorization && bearer !== undefined) tell(at, 'is what "bearer" uses')
  else if (NOT_IDENTITY.has(folded) && !isAuthorization) tell(at, 'has a meaning in HTTP already')
  else if (Object.keys(identityHeaders).some((name) => foldName(name) === folded))
    tell(at, 'is one of "identityHeaders" already')
}

/** What every assertion says by itself (RFC 7519, RFC 7800), or by another of our words. */
const OWN_CLAIMS: ReadonlySet<string> = new Set([
  ...['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'cnf', 'sub_iss', 'tid', 'htm', 'htu'],
  ...['subject', 'issuer'],
])
