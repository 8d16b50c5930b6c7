/**
 * Claims as an application's configuration names them.
 *
 * @module
 */
import { IDENTITY_CLAIMS, isIdentityClaim, type IdentityClaim } from '../rules/identity-claims.ts'
import type { IssuerProfile } from './issuer-configuration.ts'

/** What is wrong with the name of a claim, in words that quote nothing. */
export interface ClaimFault {
  readonly detail: string
  readonly meant?: string
}

/** What is wrong with `account` where no account is named. */
export const NO_MAPPING = 'needs "user" in "signOn": how the name of the account is made'

/** `issuer`: what is particular about the tenant's; absent: it is not known. */
export function claimFault(
  claim: string,
  issuer: IssuerProfile | undefined,
): ClaimFault | undefined {
  if (claim === 'upn' && issuer !== undefined && issuer.claims.upn === undefined)
    return { detail: "needs `claims.upn` of the tenant's `issuer`" }
  if (isIdentityClaim(claim)) return undefined
  if (OF_SIGN_IN.has(claim))
    return { detail: 'is about the sign-in, and tells nothing of the user' }
  const word = wordFor(claim, issuer)
  return word === undefined ? undefined : { detail: 'is known here by another name', meant: word }
}

/** The service's own word for a claim of this issuer: by it the claim is checked and found. */
function wordFor(claim: string, issuer: IssuerProfile | undefined): IdentityClaim | undefined {
  if (claim === 'sub') return 'subject'
  if (claim === 'iss') return 'issuer'
  return IDENTITY_CLAIMS.find((word) => {
    const path = word === 'subject' || word === 'issuer' ? undefined : issuer?.claims[word]
    return path?.length === 1 && path[0] === claim
  })
}

/** What binds a token to its sign-in; and names that every object has. */
const OF_SIGN_IN: ReadonlySet<string> = new Set([
  ...['aud', 'azp', 'nonce', 'exp', 'nbf', 'iat', 'jti', 'sid'],
  ...['at_hash', 'c_hash', 's_hash', '_claim_names', '_claim_sources'],
  ...['__proto__', 'constructor', 'prototype'],
])
