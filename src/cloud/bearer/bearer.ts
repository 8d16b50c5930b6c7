/**
 * The token in the `Authorization` of a request, and what is said about it. It comes as `Bearer`
 * or, by option, as the password of `Basic`, for clients that know nothing else (git, package and
 * container clients, file managers). A program is answered and never redirected, and no cookie is
 * set for it or taken from it: a token decides alone, also where it is bad.
 *
 * @see spec/PROTOCOL.md, "Bearer tokens"; RFC 6750 section 3; RFC 9728 section 5.1
 * @module
 */
import { ExchangeFailed, headerValues } from '../../protocol/internal.ts'
import { SIGN_IN_DENIALS, type SignInReason } from '../../protocol/machines/sign-in-denials.ts'
import type { BearerTokens, BearerVerdict } from './bearer-tokens.ts'
import {
  challenge,
  isFromOtherSite,
  withoutAuthorization,
  type ShownBy,
} from '../request/challenge.ts'
import type { UserRequestHead } from '../request/user-exchange.ts'
import type { Bearer } from '../directory/bearer-configuration.ts'
import type { Caller } from '../identity/caller.ts'
import type { EdgeRequest } from '../request/edge-request.ts'
import { isUnmetWebSocket, upgradeWish } from '../request/upgrade.ts'
import { clientNetwork } from '../rules/network.ts'
import type { Published } from '../directory/published.ts'
import { SignInDenied } from '../identity/sign-in-errors.ts'

/**
 * Who shows a token; `none`: the request shows none, or it is not for us. `undefined`: it was
 * answered.
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
  const { headers } = request.user.head
  const fields = headerValues(headers, 'authorization')
  const shownBy = schemeOf(fields, bearer)
  if (shownBy === 'nothing') return 'none'
  if (shownBy === 'basic') checkBasic(request, application)
  const token = fields.length > 1 ? undefined : TOKEN_OF[shownBy](fields[0]!)
  const verdict =
    token === undefined
      ? new SignInDenied('token-malformed')
      : shownBy === 'basic' && isStopped(request, application, tokens, token)
        ? new SignInDenied('token-attempts')
        : tokens.verify(application.application, bearer, token, request.id)
  const answered = (result: BearerVerdict) => {
    if (shownBy === 'basic' && result instanceof SignInDenied && result.reason in BAD_TOKENS)
      tokens.failedAttempts.count(clientNetwork(request.address))
    return callerOf(request, application, result, shownBy)
  }
  return verdict instanceof Promise ? verdict.then(answered) : answered(verdict)
}

/** A head as the application gets it: without a token that it is not to be shown. */
export function withoutHiddenToken(
  head: UserRequestHead,
  application: Published,
  caller: Caller,
): UserRequestHead {
  if (caller.showsToken !== true && !application.hidesTokens) return head
  const { headers } = head
  const bearer = application.application.bearer!
  const isShown = schemeOf(headerValues(headers, 'authorization'), bearer) !== 'nothing'
  return bearer.forward || !isShown ? head : { ...head, headers: withoutAuthorization(headers) }
}

function schemeOf(fields: readonly string[], { basicToken }: Bearer): ShownBy {
  if (fields.some((field) => /^bearer(?:\s|$)/i.test(field))) return 'bearer'
  return basicToken && fields.some((field) => /^basic(?:\s|$)/i.test(field)) ? 'basic' : 'nothing'
}

/**
 * Refuses Basic that a browser sends by itself, after its user typed it in once: it counts only in
 * requests of the application's own pages, and opens no WebSocket.
 *
 * @throws ExchangeFailed `origin-refused`
 */
function checkBasic({ user: { head } }: EdgeRequest, application: Published): void {
  const isUpgrade = upgradeWish(head) !== undefined || isUnmetWebSocket(head)
  if (isUpgrade || isFromOtherSite(application, head.headers))
    throw new ExchangeFailed('user', 'origin-refused')
}

/**
 * A token that is not known to be good is not even looked at while its address has shown too many
 * bad ones.
 */
const isStopped = (
  { address }: EdgeRequest,
  { application }: Published,
  tokens: BearerTokens,
  token: string,
): boolean =>
  !tokens.knows(application, token) && tokens.failedAttempts.waitMs(clientNetwork(address)) > 0

/** The token as it came; undefined: it is none. */
const TOKEN_OF: Readonly<Record<'bearer' | 'basic', (field: string) => string | undefined>> = {
  bearer: (field) => /^bearer +([A-Za-z0-9\-._~+/]+=*) *$/i.exec(field)?.[1],
  basic: (field) => {
    const encoded = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(field)?.[1]
    if (encoded === undefined || encoded.length > MOST_BASIC_CHARACTERS) return undefined
    // Basic's user part is ignored: the token alone says who asks.
    return PASSWORD.exec(octetsOf(encoded))?.[1]
  },
}
/**
 * RFC 6750, section 2.1: what a token is made of; RFC 7617, section 2: where the password begins.
 */
const PASSWORD = /^[^:]*:([A-Za-z0-9\-._~+/]+=*)$/
/** The longest token that `maxTokenBytes` allows, with a user name before it. */
const MOST_BASIC_CHARACTERS = 48_000

/** The octets that base64 stands for, one a character; no text at all where it is not base64. */
function octetsOf(base64: string): string {
  try {
    return atob(base64)
  } catch {
    return ''
  }
}

function callerOf(
  request: EdgeRequest,
  application: Published,
  verdict: BearerVerdict,
  shownBy: ShownBy,
): Caller | undefined {
  if (!(verdict instanceof SignInDenied)) return verdict
  const { reason } = verdict
  const denial = SIGN_IN_DENIALS[reason]
  if (reason === 'token-attempts') {
    const retryAfterMs = 60_000
    request.answer({ ...denial, retryAfterMs, code: reason })
    return undefined
  }
  if (denial.source === 'issuer' && !(reason in BAD_TOKENS)) {
    // The issuer could not be asked, so the token may be good: do not call it bad.
    const retry = denial.status === 503 ? { retryAfterMs: 5_000 } : {}
    request.answer({ ...denial, ...retry, code: reason })
    return undefined
  }
  const because = BAD_TOKENS[reason] ?? 'It cannot be used.'
  const isLacking = LACKING.has(reason)
  const error = isLacking ? 'insufficient_scope' : 'invalid_token'
  const parameters = [
    ['error', error],
    ['error_description', `${reason}: ${because}`],
  ]
  request.answer({
    status: isLacking ? 403 : 401,
    code: reason,
    title: isLacking ? denial.title : 'Token not accepted',
    detail: because,
    source: 'sign-in',
    isAudited: true,
    headers: [
      'WWW-Authenticate',
      challenge(application, request.user.head.headers, parameters, shownBy),
    ],
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
