/**
 * The `Authorization: Bearer` of a request, and what is said about it. A program is answered and never redirected, and no cookie is set for it or taken from it: a token decides
 * alone, also where it is bad.
 *
 * @see spec/PROTOCOL.md, "Bearer tokens"; RFC 6750 section 3; RFC 9728 section 5.1
 * @module
 */
import { headerValues, isNamed, type HeaderList } from '../../protocol/index.ts'
import { SIGN_IN_DENIALS, type SignInReason } from '../../protocol/sign-in-denials.ts'
import type { BearerTokens } from './bearer-tokens.ts'
import type { Caller } from '../edge/caller.ts'
import type { EdgeRequest } from '../edge/edge-request.ts'
import type { Published } from '../directory/published.ts'
import { protectedResourceUrl } from './protected-resource.ts'
import { SignInDenied } from '../sign-in/sign-in-errors.ts'

/**
 * Who shows a token; `none`: the request shows none, or it is not for us. `undefined`: it was answered.
 *
 * Costs nothing for applications that take no tokens: theirs are their own affair.
 */
export function bearerOf(
  request: EdgeRequest,
  application: Published,
  tokens: BearerTokens,
): 'none' | Caller | undefined | Promise<Caller | undefined> {
  const { bearer } = application.application
  if (bearer === undefined) return 'none'
  const fields = headerValues(request.user.head.headers, 'authorization')
  if (!fields.some((field) => /^bearer(?:\s|$)/i.test(field))) return 'none'
  const token = fields.length === 1 ? TOKEN.exec(fields[0]!)?.[1] : undefined
  const verdict =
    token === undefined
      ? new SignInDenied('token-malformed')
      : tokens.verify(application.application, bearer, token, request.id)
  return verdict instanceof Promise
    ? verdict.then((later) => callerOf(request, application, later))
    : callerOf(request, application, verdict)
}

/** RFC 6750, section 2.1. */
const TOKEN = /^bearer +([A-Za-z0-9\-._~+/]+=*) *$/i

function callerOf(
  request: EdgeRequest,
  application: Published,
  verdict: Caller | SignInDenied,
): Caller | undefined {
  if (!(verdict instanceof SignInDenied)) return verdict
  const { reason } = verdict
  const denial = SIGN_IN_DENIALS[reason]
  if (denial.source === 'issuer' && !(reason in BAD_TOKENS)) {
    // Nobody knows whether the token is good.
    const retry = denial.status === 503 ? { retryAfterMs: 5_000 } : {}
    request.answer({ ...denial, ...retry, code: reason })
    return undefined
  }
  const because = BAD_TOKENS[reason] ?? 'It cannot be used.'
  const isLacking = LACKING.has(reason)
  const error = isLacking ? 'insufficient_scope' : 'invalid_token'
  const scopes = application.application.bearer!.scopes.join(' ')
  const parameters = [
    ['error', error],
    ['error_description', `${reason}: ${because}`],
    ...(isLacking && scopes !== '' ? [['scope', scopes]] : []),
  ]
  request.answer({
    status: isLacking ? 403 : 401,
    code: reason,
    title: isLacking ? denial.title : 'Token not accepted',
    detail: because,
    source: 'sign-in',
    headers: ['WWW-Authenticate', challenge(application, parameters)],
  })
  return undefined
}

const LACKING: ReadonlySet<SignInReason> = new Set(['token-scope', 'token-role', 'not-assigned'])

/** In words for who writes the program; no octet of the token. */
const BAD_TOKENS: Readonly<Partial<Record<SignInReason, string>>> = {
  'token-malformed': 'It is no signed token.',
  'token-too-large': 'It is too long.',
  'token-encrypted': 'It is encrypted.',
  'token-header': 'Its header says something that is not accepted, or that it is no access token.',
  'token-algorithm': 'Its signature is of a kind that is not accepted.',
  'token-key': 'Its issuer has no such key.',
  'token-signature': 'Its signature is not that of its issuer.',
  'token-claims': 'A claim is missing or of the wrong kind, or it is bound to a key.',
  'token-issuer': 'It comes from another issuer.',
  'token-audience': 'It is not for this application.',
  'token-expired': 'It has expired.',
  'token-not-yet-valid': 'It is not valid yet.',
  'token-tenant': 'It is for another tenant.',
  'token-revoked': 'It was revoked.',
  'token-scope': 'It lacks a scope that this application needs.',
  'token-role': 'It lacks a role that this application needs.',
  'not-assigned': 'Its subject is not assigned to this application.',
}

/** The value of `WWW-Authenticate`: how to ask this application. */
export function challenge(
  application: Published,
  parameters: readonly (readonly string[])[] = [],
): string {
  const metadata = protectedResourceUrl(application)
  return `Bearer ${[
    ['realm', application.host],
    ...parameters,
    ...(metadata === undefined ? [] : [['resource_metadata', metadata]]),
  ]
    .map(([name, value]) => `${name}="${value!.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '')}"`)
    .join(', ')}`
}

/** A list without the token, which has done its service. */
export function withoutAuthorization(headers: HeaderList): HeaderList {
  return headers.filter((_, i) => !isNamed(headers[i - (i % 2)]!, 'authorization'))
}
