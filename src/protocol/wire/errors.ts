/**
 * One error family. The class says who is at fault, `code` is stable per class, `reason` is a
 * closed union, evidence is in `cause`. No message ever carries a token, a cookie, a code or a key.
 *
 * | class                  | who is at fault                                     |
 * | ---------------------- | --------------------------------------------------- |
 * | `ApiMisuse`            | our own caller: a bug, deterministic                |
 * | `PeerViolation`        | the other end of the wire broke the protocol        |
 * | `Refused`              | nobody: the other end said a considered no          |
 * | `ExchangeFailed`       | the hop named by `source`, for one exchange         |
 * | `ConfigurationInvalid` | the operator: a value in a configuration            |
 * | `PortFailed`           | a part that the embedder supplied                   |
 * | `SignInDenied`         | nobody here: the cloud ends a sign-in with it       |
 * | `AssertionRefused`     | whoever made the assertion, or showed it            |
 * | `SignOnFailed`         | whoever `reason` says, for one request              |
 *
 * @module
 */

/** The stable codes, one per class. */
export type ErrorCode =
  | 'ERR_API_MISUSE'
  | 'ERR_PEER_VIOLATION'
  | 'ERR_REFUSED'
  | 'ERR_EXCHANGE_FAILED'
  | 'ERR_CONFIGURATION_INVALID'
  | 'ERR_PORT_FAILED'
  | 'ERR_SIGN_IN_DENIED'
  | 'ERR_ASSERTION_REFUSED'
  | 'ERR_SIGN_ON_FAILED'

/** Every error this library throws on purpose. */
export type AnyAppProxyError =
  | ApiMisuse
  | PeerViolation
  | Refused
  | ExchangeFailed
  | ConfigurationInvalid
  | PortFailed
  | SignOnFailed

/** Root of the family: `error instanceof AppProxyError` catches all of it and nothing else. */
export abstract class AppProxyError extends Error {
  abstract readonly code: ErrorCode
  abstract override readonly name: string
}

/** Our own caller broke the contract of a machine or an option. */
export class ApiMisuse extends AppProxyError {
  override readonly name = 'ApiMisuse'
  readonly code = 'ERR_API_MISUSE'
}

/** What a peer can do wrong. @see spec/PROTOCOL.md, "Error codes" */
export type PeerViolationReason =
  | 'UNEXPECTED_EVENT'
  | 'UNKNOWN_FRAME'
  | 'FRAME_TOO_LARGE'
  | 'FRAME_TRUNCATED'
  | 'MALFORMED_FRAME'
  | 'MALFORMED_MESSAGE'
  | 'UNKNOWN_MESSAGE'
  | 'UNSUPPORTED_VERSION'
  | 'CREDIT_OVERFLOW'
  | 'CREDIT_EXCEEDED'
  | 'GRANT_EXCEEDED'
  | 'UNKNOWN_NUMBER'
  | 'NUMBER_NOT_INCREASING'
  | 'LENGTH_MISMATCH'
  | 'FORBIDDEN_OCTET'
  | 'IGNORED_EXCEEDED'

/** The other end of the wire broke the protocol; whatever it touched is reset or closed. */
export class PeerViolation extends AppProxyError {
  override readonly name = 'PeerViolation'
  readonly code = 'ERR_PEER_VIOLATION'
  readonly reason: PeerViolationReason

  constructor(reason: PeerViolationReason, detail: string, options?: ErrorOptions) {
    super(`${reason}: ${detail}`, options)
    this.reason = reason
  }
}

/** Why a registration, a certificate or a call is refused. Stable: programs may switch on it. */
export type RefusalReason =
  // registration: the token
  | 'token-malformed'
  | 'token-signature'
  | 'token-issuer'
  | 'token-audience'
  | 'token-expired'
  | 'token-not-yet-valid'
  | 'token-tenant'
  | 'token-role'
  | 'token-replayed'
  | 'issuer-unavailable'
  // registration: the ticket; why is never said
  | 'ticket-refused'
  // registration: the certificate request
  | 'request-malformed'
  | 'request-signature'
  | 'request-key'
  | 'connector-limit'
  // any other call: the client certificate
  | 'certificate-missing'
  | 'certificate-untrusted'
  | 'certificate-expired'
  | 'certificate-revoked'
  | 'certificate-profile'
  | 'connector-forgotten'
  | 'connector-unassigned'
  // a change of a connector's record: it is another than was expected; whoever registered it asks
  | 'conflict'
  | 'own-registration'
  // any call
  | 'not-found'
  | 'too-large'
  | 'unavailable'

/**
 * A considered no from the other end; asking again with the same input gives the same answer unless
 * `retryAfterMs` is set.
 */
export class Refused extends AppProxyError {
  override readonly name = 'Refused'
  readonly code = 'ERR_REFUSED'
  readonly reason: RefusalReason
  /** Ask again after so many milliseconds; absent means: do not. */
  readonly retryAfterMs: number | undefined

  constructor(
    reason: RefusalReason,
    detail = '',
    options?: ErrorOptions & { retryAfterMs?: number | undefined },
  ) {
    super(detail === '' ? reason : `${reason}: ${detail}`, options)
    this.reason = reason
    this.retryAfterMs = options?.retryAfterMs
  }
}

/** The hop at which an exchange failed. */
export type FailureSource = 'user' | 'cloud' | 'connector' | 'application'

/** Why an exchange failed. Each maps to one HTTP status. @see {@link failureStatus} */
export type FailureReason =
  | 'no-connector'
  | 'instances-unreachable'
  | 'queue-full'
  | 'connectors-busy'
  | 'application-share'
  | 'user-share'
  | 'connector-too-old'
  | 'claim-timeout'
  | 'attempts-exhausted'
  | 'connector-lost'
  | 'connector-violation'
  | 'connector-aborted'
  | 'connector-exhausted'
  | 'sign-on-failed'
  | 'pin-lost'
  | 'connection-shared'
  | 'unknown-application'
  | 'upgrade-unsupported'
  | 'method-unsupported'
  | 'application-unreachable'
  | 'application-certificate'
  | 'application-timeout'
  | 'application-aborted'
  | 'application-malformed'
  | 'idle-timeout'
  | 'user-aborted'
  | 'user-malformed'
  | 'head-too-large'
  | 'target-too-long'
  | 'user-too-slow'
  | 'origin-refused'
  | 'cancelled'
  | 'internal'

/** One exchange failed; `source` names the hop. */
export class ExchangeFailed extends AppProxyError {
  override readonly name = 'ExchangeFailed'
  readonly code = 'ERR_EXCHANGE_FAILED'
  readonly source: FailureSource
  readonly reason: FailureReason
  /** What the user is told of when to try again; absent means nothing. Milliseconds. */
  readonly retryAfterMs: number | undefined

  constructor(
    source: FailureSource,
    reason: FailureReason,
    options?: ErrorOptions & { retryAfterMs?: number | undefined },
  ) {
    super(`${reason} (at the ${source})`, options)
    this.source = source
    this.reason = reason
    this.retryAfterMs = options?.retryAfterMs
  }
}

/** One thing that is wrong with a configuration, and where. */
export interface ConfigurationMistake {
  /** The file it is in. Absent: the value came from a program, or `path` is the file. */
  readonly file?: string | undefined
  /** Where in a file that cannot be read as JSON, from 1. */
  readonly line?: number | undefined
  /** Which character of the line, from 1. */
  readonly column?: number | undefined
  /** Where, in the form `applications[0].externalUrl`; empty: the whole of it. */
  readonly path: string
  /** What is wrong, in words that quote nothing. */
  readonly detail: string
  /** The value that is there, as JSON, shortened. Absent where there is none, or it is secret. */
  readonly value?: string | undefined
  /** The id of the application it is in. */
  readonly application?: string | undefined
  /** What was probably meant by a name that is not known. */
  readonly meant?: string | undefined
}

/**
 * A configuration is wrong: the operator's mistakes, all of them that were found. The message has a
 * line for each.
 */
export class ConfigurationInvalid extends AppProxyError {
  override readonly name = 'ConfigurationInvalid'
  readonly code = 'ERR_CONFIGURATION_INVALID'
  /** Where the first mistake is. */
  readonly path: string
  /** At least one, in the order in which they are written. */
  readonly mistakes: readonly ConfigurationMistake[]

  /** Of one mistake, or of several, which must be at least one. */
  constructor(path: string, detail: string, options?: ErrorOptions)
  constructor(mistakes: readonly ConfigurationMistake[], options?: ErrorOptions)
  constructor(
    where: string | readonly ConfigurationMistake[],
    detail?: string | ErrorOptions,
    options?: ErrorOptions,
  ) {
    const isOne = typeof where === 'string'
    const given = isOne ? [{ path: where, detail: detail as string }] : where
    const mistakes = given.map(withoutSecret)
    super(toldMistakes(mistakes), isOne ? options : (detail as ErrorOptions | undefined))
    this.path = mistakes[0]?.path ?? ''
    this.mistakes = mistakes
  }
}

/**
 * What looks like a secret, wherever it stands: a key, a token, a ticket or a digest, credentials
 * in a URL. Whoever takes one setting for another pastes it where it is told.
 */
const LIKE_SECRET =
  /-----BEGIN|\beyJ[\w-]{8}|(?<![\w-])[\w-]{43,}(?![\w-])|(?:\bhttps?:|:\/\/).*@/is

function withoutSecret(mistake: ConfigurationMistake): ConfigurationMistake {
  const told = (text: string | undefined) =>
    text !== undefined && LIKE_SECRET.test(text) ? undefined : text
  const { value, application } = mistake
  const [shown, named] = [told(value), told(application)]
  if (shown === value && named === application) return mistake
  return { ...mistake, value: shown, application: named }
}

/**
 * A mistake as one line: where, what, and in brackets what is there.
 *
 *     cloud.json: applications[0].hostHeader: must be "internal" or "external"; "external" was
 *     probably meant (is "externl", in application "wiki")
 */
export function mistakeLine(mistake: ConfigurationMistake): string {
  const { file, line, column, path, detail, value, application, meant } = mistake
  const place = [file, line, column].filter((part) => part !== undefined).join(':')
  const where = [place, path].filter((part) => part !== '').join(': ')
  const probably = meant === undefined ? '' : `; "${meant}" was probably meant`
  const there = [
    ...(value === undefined ? [] : [`is ${value}`]),
    ...(application === undefined ? [] : [`in application "${application}"`]),
  ]
  const evidence = there.length === 0 ? '' : ` (${there.join(', ')})`
  const words = `${where === '' ? '' : `${where}: `}${detail}${probably}${evidence}`
  return words.replace(CONTROLS, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** A name may hold what ends a line, or moves the cursor of whoever reads it. */
const CONTROLS = /[\0-\x1f\x7f-\x9f\u2028\u2029]/g

function toldMistakes(mistakes: readonly ConfigurationMistake[]): string {
  const lines = mistakes.map(mistakeLine)
  return lines.length === 1 ? lines[0]! : [`${lines.length} mistakes`, ...lines].join('\n')
}

/**
 * A part that the embedder supplied threw, rejected or gave no answer; `cause` is what it threw.
 */
export class PortFailed extends AppProxyError {
  override readonly name = 'PortFailed'
  readonly code = 'ERR_PORT_FAILED'
  /** The function that failed, for example `directory.applicationsOn`. */
  readonly port: string

  constructor(port: string, options?: ErrorOptions & { detail?: string | undefined }) {
    const { detail } = options ?? {}
    super(detail === undefined ? `${port} failed` : `${port} failed: ${detail}`, options)
    this.port = port
  }
}

/** Why an application was not told who the user is. Operators read it; users never do. */
export type SignOnFailureReason =
  /** This connector's own settings do not let it sign on there. */
  | 'not-allowed-here'
  /** Nobody there has the user's name, or no name can be made of what is known. */
  | 'user-unknown'
  /** The user has a name that is never signed on. */
  | 'user-refused'
  /** The connector may not act for users towards this service. */
  | 'not-delegated'
  /** Nobody knows a service of that name. */
  | 'service-unknown'
  /** Who would vouch for the user does not answer, or has no room. */
  | 'unavailable'
  /** It took longer than there was time. */
  | 'timeout'
  /** The connector's own credentials are expired or refused. */
  | 'credentials-expired'
  /** The connector has no secret of that name for this user. */
  | 'secret-missing'
  /** The request carries no assertion of the cloud's that holds for it. */
  | 'assertion-refused'
  /** The application did not take what it was told. */
  | 'rejected'
  /** What the application's configuration says cannot be done, or is not understood. */
  | 'misconfigured'

/**
 * The connector could not make the user known to the application. The application was not called,
 * or did not take it; its user gets `sign-on-failed`.
 */
export class SignOnFailed extends AppProxyError {
  override readonly name = 'SignOnFailed'
  readonly code = 'ERR_SIGN_ON_FAILED'
  readonly reason: SignOnFailureReason

  /** @param detail for the operator: no secret, no token */
  constructor(reason: SignOnFailureReason, detail = '', options?: ErrorOptions) {
    super(detail === '' ? reason : `${reason}: ${detail}`, options)
    this.reason = reason
  }
}
