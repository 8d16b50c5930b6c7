/**
 * The claims that an application's sign-on names, held against what its issuer assigns.
 *
 * @module
 */
import {
  accountMappingFault,
  MAX_SIGN_ON_CLAIMS,
  type AccountMapping,
} from '../../protocol/internal.ts'
import type { TellMistake } from '../../runtime/configuration-mistakes.ts'
import { claimsOfSignOn, isListClaim } from '../rules/identity-claims.ts'
import { claimFault } from './claim-names.ts'
import type { IssuerProfile } from './issuer-configuration.ts'

/** `issuer`: what is particular about the tenant's; absent: it is not known. */
export function tellSignOnClaims(
  signOn: object,
  issuer: IssuerProfile | undefined,
  path: string,
  tell: TellMistake,
): void {
  const { user, claims = [] } = signOn as {
    readonly user?: AccountMapping
    readonly claims?: readonly string[]
  }
  if (user?.claim !== undefined) {
    const fault = claimFault(user.claim, issuer)
    if (fault !== undefined) tell(`${path}.user.claim`, fault.detail, fault.meant)
    else if (isListClaim(user.claim)) tell(`${path}.user.claim`, 'is a list, and names no account')
    else if (issuer !== undefined && !isAssignedBy(issuer, user.claim))
      tell(`${path}.user.claim`, unassigned(user.claim))
    const mapping = accountMappingFault(user)
    if (mapping !== undefined) tell(`${path}.user.${mapping.member}`, mapping.detail)
  }
  claims.forEach((claim, i) => {
    const at = `${path}.claims[${i}]`
    const fault = claimFault(claim, issuer)
    if (fault !== undefined) tell(at, fault.detail, fault.meant)
    else if (isListClaim(claim)) tell(at, 'is told with every request')
  })
  if (claimsOfSignOn(signOn).length > MAX_SIGN_ON_CLAIMS)
    tell(`${path}.claims`, `must not name more than ${MAX_SIGN_ON_CLAIMS} claims`)
}

/** Whether no user can choose what the claim says. */
function isAssignedBy(issuer: IssuerProfile, claim: string): boolean {
  if (claim === 'subject' || claim === 'upn') return true
  if (claim === 'email') return issuer.emailsAreAssigned
  return issuer.assignedClaims?.includes(claim) === true
}

function unassigned(claim: string): string {
  const where = claim === 'email' ? '`emailsAreAssigned`' : '`assignedClaims`'
  return `may be chosen by users, as far as is known: what is assigned, ${where} of the tenant's \`issuer\` says`
}
