/**
 * What goes wrong at the issuer, told as one of the stable reasons.
 *
 * The libraries' errors hold tokens and bodies in their `cause`: nothing of them is kept but their
 * stable code.
 *
 * @module
 */
import { errors as jose } from 'jose'
import * as oauth from 'oauth4webapi'
import { AppProxyError, PortFailed } from '../../protocol/wire/errors.ts'
import {
  issuerErrorCode,
  issuerErrorMeaning,
  type IssuerErrorCode,
} from '../../protocol/machines/issuer-errors.ts'
import type { SignInReason } from '../../protocol/machines/sign-in-denials.ts'

/** A part of the sign-in failed. Internal: it ends as a denial, with the source of the problem. */
export class SignInDenied extends AppProxyError {
  override readonly name = 'SignInDenied'
  readonly code = 'ERR_SIGN_IN_DENIED'
  readonly reason: SignInReason
  /** The stable code of the library that noticed; for the audit record. */
  readonly evidence: string | undefined
  /** Words for the user, where an operator has better ones than the reason's. */
  readonly detail: string | undefined
  /** What the issuer said, if it said it. */
  readonly issuerError: IssuerErrorCode | undefined

  constructor(
    reason: SignInReason,
    evidence?: string,
    detail?: string,
    issuerError?: IssuerErrorCode,
  ) {
    super(reason)
    this.reason = reason
    this.evidence = evidence
    this.detail = detail
    this.issuerError = issuerError
  }
}

const CLAIMS: Readonly<Record<string, SignInReason>> = {
  iss: 'token-issuer',
  aud: 'token-audience',
  azp: 'token-party',
  nonce: 'token-nonce',
  exp: 'token-expired',
  nbf: 'token-not-yet-valid',
  iat: 'token-not-yet-valid',
}

const ANSWERS: Readonly<Record<string, SignInReason>> = {
  [oauth.RESPONSE_IS_NOT_CONFORM]: 'issuer-unavailable',
  // The `issuer` in the metadata is not the one that was asked.
  [oauth.JSON_ATTRIBUTE_COMPARISON]: 'issuer-mismatch',
}

/**
 * One function from whatever the fetches and checks throw to the reason of the denial.
 *
 * @throws PortFailed as it is: nobody has decided anything
 */
export function denialOf(error: unknown): SignInDenied {
  if (error instanceof PortFailed) throw error
  if (error instanceof SignInDenied) return error
  if (error instanceof oauth.ResponseBodyError) return issuerDenial(error.error, error.status)
  return new SignInDenied(reasonOf(error), codeOf(error))
}

function reasonOf(error: unknown): SignInReason {
  if (error instanceof jose.JWKSTimeout) return 'issuer-timeout'
  if (error instanceof oauth.WWWAuthenticateChallengeError) return 'client-refused'
  if (error instanceof oauth.OperationProcessingError)
    return CLAIMS[claimOf(error.cause)] ?? ANSWERS[error.code ?? ''] ?? 'issuer-malformed'
  if (error instanceof oauth.UnsupportedOperationError) return 'issuer-malformed'
  if (error instanceof jose.JWTExpired) return 'token-expired'
  if (error instanceof jose.JWTClaimValidationFailed)
    return error.reason === 'missing' ? 'token-claims' : (CLAIMS[error.claim] ?? 'token-claims')
  if (error instanceof jose.JWSSignatureVerificationFailed) return 'token-signature'
  if (error instanceof jose.JOSEAlgNotAllowed) return 'token-algorithm'
  if (error instanceof jose.JWKSNoMatchingKey || error instanceof jose.JWKSMultipleMatchingKeys)
    return 'token-key'
  if (error instanceof jose.JWKSInvalid) return 'issuer-keys'
  if (error instanceof jose.JWSInvalid || error instanceof jose.JWTInvalid) return 'token-malformed'
  // Any other error of the key look-up is an answer with another status than 200.
  if (error instanceof jose.JOSEError) return 'issuer-unavailable'
  return 'internal'
}

/** What an endpoint's answer of this status and error means. */
export function issuerDenial(error: unknown, status: number): SignInDenied {
  const said = issuerErrorCode(error)
  const { reason } = issuerErrorMeaning(said)
  const isDown = status >= 500 && reason !== 'issuer-busy'
  const isBusy = status === 429
  return new SignInDenied(
    isDown ? 'issuer-unavailable' : isBusy ? 'issuer-busy' : reason,
    ...([undefined, undefined, said] as const),
  )
}

/** What the audit record is told of a denial besides its reason. */
export function evidenceOf({ evidence, issuerError }: SignInDenied) {
  const { setting } = issuerError === undefined ? {} : issuerErrorMeaning(issuerError)
  return {
    ...(evidence !== undefined && { evidence }),
    ...(issuerError !== undefined && { issuerError }),
    ...(setting !== undefined && { setting }),
  }
}

const claimOf = (cause: unknown) =>
  typeof cause === 'object' && cause !== null && 'claim' in cause ? String(cause.claim) : ''

const codeOf = (error: unknown) =>
  error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined
