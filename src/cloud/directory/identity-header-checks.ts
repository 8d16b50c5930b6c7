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
  IDENTITY_CLAIMS,
  isIdentityClaim,
  isListClaim,
  type IdentityHeader,
  type IdentityHeaderForm,
} from '../rules/identity-claims.ts'
import { claimFault } from './claim-names.ts'
import type { IssuerProfile } from './issuer-configuration.ts'

/** `issuer`: what is particular about the tenant's; absent: it is not known. */
export function tellIdentityHeaders(
  headers: Readonly<Record<string, IdentityHeader>> = {},
  issuer: IssuerProfile | undefined,
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
      const meant = isIdentityClaim(header) ? undefined : probableName(header, IDENTITY_CLAIMS)
      if (meant !== undefined)
        tell(at, `is no claim that is known here; if it is the issuer's: {"claim": …}`, meant)
      else tellClaim(header, issuer, at, tell)
    } else tellForm(header, issuer, at, tell)
    const claim = typeof header === 'string' ? header : header.claim
    if (claim !== undefined && !isIdentityClaim(claim)) custom.add(claim)
  }
  if (custom.size > MAX_SIGN_ON_CLAIMS)
    tell(path, `must not tell more than ${MAX_SIGN_ON_CLAIMS} claims of the issuer's names`)
}

function tellForm(
  form: IdentityHeaderForm,
  issuer: IssuerProfile | undefined,
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
  tellClaim(claim, issuer, `${path}.claim`, tell)
  const isText = isIdentityClaim(claim) && !isListClaim(claim)
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
  issuer: IssuerProfile | undefined,
  path: string,
  tell: TellMistake,
): void {
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
