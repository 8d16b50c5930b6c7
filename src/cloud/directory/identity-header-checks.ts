/**
 * What a schema cannot say of identity headers: names that mean something else, claims that are
 * called otherwise, and settings that do not go together.
 *
 * @module
 */
import { foldName, isFieldValue, isToken, MAX_SIGN_ON_CLAIMS } from '../../protocol/internal.ts'
import type { TellMistake } from '../../runtime/configuration-mistakes.ts'
import { probableName } from '../../runtime/probable-name.ts'
import {
  ACCOUNT,
  IDENTITY_CLAIMS,
  isIdentityClaim,
  isListClaim,
  type IdentityHeader,
  type IdentityHeaderForm,
} from '../rules/identity-claims.ts'
import { claimFault, NO_MAPPING } from './claim-names.ts'
import type { IssuerProfile } from './issuer-configuration.ts'

/** What headers may tell of users. */
export interface TellableClaims {
  /** What is particular about the tenant's; undefined: it is not known. */
  readonly issuer: IssuerProfile | undefined
  /** The application's sign-on has a mapping. */
  readonly namesAccounts: boolean
}

export function tellIdentityHeaders(
  headers: Readonly<Record<string, IdentityHeader>> = {},
  tellable: TellableClaims,
  path: string,
  tell: TellMistake,
): void {
  const seen = new Set<string>()
  const custom = new Set<string>()
  for (const [name, header] of Object.entries(headers)) {
    const [folded, at] = [foldName(name), `${path}.${name}`]
    if (!isToken(name)) tell(at, 'is no header name')
    else if (NOT_IDENTITY.has(folded)) tell(at, 'has a meaning in HTTP already')
    else if (seen.has(folded)) tell(at, 'is another spelling of one before')
    seen.add(folded)
    if (typeof header === 'string') {
      const meant =
        isIdentityClaim(header) || header === ACCOUNT
          ? undefined
          : probableName(header, IDENTITY_CLAIMS)
      if (meant !== undefined)
        tell(at, `is no claim that is known here; if it is the issuer's: {"claim": …}`, meant)
      else tellClaim(header, tellable, at, tell)
    } else tellForm(header, tellable, at, tell)
    const claim = typeof header === 'string' ? header : header.claim
    if (claim !== undefined && claim !== ACCOUNT && !isIdentityClaim(claim)) custom.add(claim)
  }
  if (custom.size > MAX_SIGN_ON_CLAIMS)
    tell(path, `must not tell more than ${MAX_SIGN_ON_CLAIMS} claims of the issuer's names`)
}

function tellForm(
  form: IdentityHeaderForm,
  tellable: TellableClaims,
  path: string,
  tell: TellMistake,
): void {
  const { claim, value, list, separator, encoding } = form
  if ((claim === undefined) === (value === undefined))
    return tell(path, 'must have either "claim" or "value"')
  if (claim === undefined) {
    for (const option of ['list', 'separator', 'encoding'] as const)
      if (form[option] !== undefined) tell(`${path}.${option}`, 'has no meaning with "value"')
    if (value!.trim() !== value || !isFieldValue(unescape(encodeURIComponent(value))))
      tell(`${path}.value`, 'must be a text that a header can carry, without blanks at its edges')
    return
  }
  tellClaim(claim, tellable, `${path}.claim`, tell)
  const isText = claim === ACCOUNT || (isIdentityClaim(claim) && !isListClaim(claim))
  if (list !== undefined && isText) tell(`${path}.list`, `has no meaning: "${claim}" is a text`)
  if (list === 'json')
    for (const option of ['separator', 'encoding'] as const)
      if (form[option] !== undefined) tell(`${path}.${option}`, 'has no meaning with "json"')
  const isList = !isText && (isListClaim(claim) || list !== undefined || separator !== undefined)
  if (isList && (encoding === 'rfc8187' || encoding === 'base64url'))
    tell(`${path}.encoding`, 'is for texts: a list has "utf-8", "percent" or "quoted-printable"')
  if (encoding === 'quoted-printable' && separator?.includes('=') === true)
    tell(`${path}.separator`, 'must not have "=", which is the mark of "quoted-printable"')
}

function tellClaim(
  claim: string,
  { issuer, namesAccounts }: TellableClaims,
  path: string,
  tell: TellMistake,
): void {
  if (claim === ACCOUNT) return namesAccounts ? undefined : tell(path, NO_MAPPING)
  const fault = claimFault(claim, issuer)
  if (fault !== undefined) tell(path, fault.detail, fault.meant)
}

/** Names whose meaning the protocol, or the gateway itself, gives. */
export const NOT_IDENTITY: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'authorization',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'cookie',
  'expect',
  'forwarded',
  'host',
  'keep-alive',
  'origin',
  'proxy-authorization',
  'proxy-connection',
  'range',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
])
