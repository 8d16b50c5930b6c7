/**
 * The control calls: one message in, one message out, whatever carries them. MessagePack maps with
 * these keys; unknown keys are ignored, unknown `type`s refused.
 *
 * @see spec/PROTOCOL.md, "Control calls"
 * @module
 */
import * as v from 'valibot'
import { PeerViolation } from './errors.ts'
import { PROTOCOL_VERSION } from './features.ts'
import { MAX_MESSAGE_BYTES, MAX_MESSAGE_DEPTH } from './limits.ts'
import { MESSAGES } from './message-schemas.ts'
import { decode, encode } from './msgpack.ts'

export { PROTOCOL_VERSION } from './features.ts'

/** The media type of a control message over HTTP. */
export const MESSAGE_MEDIA_TYPE = 'application/vnd.app-proxy+msgpack'

/** Every control message, by its name. */
export interface ControlMessages {
  readonly RegistrationRequest: RegistrationRequest
  readonly RegistrationReply: RegistrationReply
  readonly ConfigurationRequest: ConfigurationRequest
  readonly ConfigurationReply: ConfigurationReply
  readonly ApplicationRequest: ApplicationRequest
  readonly ApplicationReply: ApplicationReply
}

/** A control message. */
export type ControlMessage = ControlMessages[keyof ControlMessages]

/**
 * A connector registers: a registrar's token, or a one-time ticket, and a certificate request.
 * Exactly one of `token` and `ticket` is there; `ticket` only where `features` names
 * `enrolment-ticket`.
 */
export interface RegistrationRequest {
  readonly v: typeof PROTOCOL_VERSION
  readonly type: 'registration'
  /** The registrar's access token, compact JWS. */
  readonly token?: string | undefined
  /** An enrolment ticket: 256 random bits, base64url. */
  readonly ticket?: string | undefined
  /** PKCS#10, DER. */
  readonly request: Uint8Array
  readonly instance: ConnectorSoftware
  /** Features that the connector knows. */
  readonly features: readonly string[]
}

/** The software of a connector, as it names itself. */
export interface ConnectorSoftware {
  /** What an operator recognises it by: the machine's name, for example. */
  readonly name: string
  /** The connector software's version. */
  readonly version: string
}

/** What becomes of a registration. */
export type RegistrationReply = RegisteredReply | RefusedReply

/** The connector is registered. */
export interface RegisteredReply {
  readonly v: typeof PROTOCOL_VERSION
  readonly type: 'registered'
  readonly tenantId: string
  readonly connectorId: string
  /** `pending` connectors hold a certificate and get no offers until approved. */
  readonly standing: 'active' | 'pending'
  /** The client certificate, DER. */
  readonly certificate: Uint8Array
  /** Its issuers up to the root, DER. */
  readonly chain: readonly Uint8Array[]
  /**
   * The authorities of the cloud's own servers, DER: from now on the connector trusts these and no
   * others; empty keeps what it was given.
   */
  readonly cloudAuthorities: readonly Uint8Array[]
  /** The cloud's clock, milliseconds since 1970. */
  readonly serverTime: number
}

/** The connector is not registered. */
export interface RefusedReply {
  readonly v: typeof PROTOCOL_VERSION
  readonly type: 'refused'
  /** A {@link RefusalReason}, or one of a later version. */
  readonly reason: string
  /** More about it, in words. */
  readonly detail?: string | undefined
  /** When to ask again, in milliseconds; absent: asking again gives the same answer. */
  readonly retryAfterMs?: number | undefined
}

/**
 * A connector pulls: which version it has, how applying the last one went, and, when due, a request
 * for the next certificate.
 */
export interface ConfigurationRequest {
  readonly v: typeof PROTOCOL_VERSION
  readonly type: 'configuration'
  /** The version the connector runs on. */
  readonly have?: string | undefined
  /** What became of the last version it was sent. */
  readonly applied?: { readonly version: string; readonly error?: string | undefined } | undefined
  /** PKCS#10, DER: the certificate is due. */
  readonly request?: Uint8Array | undefined
}

/** What a connector runs on. */
export interface ConnectorConfiguration {
  readonly version: string
  /** The connector group this connector is part of. */
  readonly groupId: string
  readonly groupName: string
  /** Every cloud instance the connector may dial: id → base URL of its connector listener. */
  readonly instances: Readonly<Record<string, string>>
  /** Milliseconds between pulls. */
  readonly pullEveryMs: number
  /** A certificate older than this is rolled. Milliseconds. */
  readonly renewAfterMs: number
  /** What the operator lets this connector do. Only an `active` one gets offers. */
  readonly standing?: 'pending' | 'active' | 'draining' | 'disabled' | undefined
  /**
   * The applications of the group: id → the version of its details. Absent where the group has more
   * than 1,000; then an OFFER names the version.
   */
  readonly applications?: Readonly<Record<string, string>> | undefined
}

/** The cloud's answer to a pull. */
export interface ConfigurationReply {
  readonly v: typeof PROTOCOL_VERSION
  readonly type: 'configuration'
  /** The cloud's clock, milliseconds since 1970: certificate ages are measured by it. */
  readonly serverTime: number
  /** Absent: unchanged since `have`. */
  readonly configuration?: ConnectorConfiguration | undefined
  /** The answer to `request`, DER, with its issuers. */
  readonly certificate?: CertificateReply | undefined
}

/** A connector's next certificate. */
export interface CertificateReply {
  /** DER. */
  readonly certificate: Uint8Array
  /** Its issuers up to the root, DER. */
  readonly chain: readonly Uint8Array[]
  /**
   * The authorities of the cloud's own servers, DER, in the place of those that the connector
   * trusts, if it shares one with them. Absent: they stay.
   */
  readonly cloudAuthorities?: readonly Uint8Array[] | undefined
}

/** A connector asks for the details of an application that it does not know. */
export interface ApplicationRequest {
  readonly v: typeof PROTOCOL_VERSION
  readonly type: 'application'
  readonly applicationId: string
}

/** What a connector needs to know of an application. */
export interface ApplicationDetails {
  readonly id: string
  /** Changes whenever any of it changes; an OFFER names the version it was made under. */
  readonly version: string
  /** Scheme, host, port and base path of the private application. */
  readonly internalUrl: string
  /** The base URL users see. */
  readonly externalUrl: string
  /** Which `Host` the application is shown. */
  readonly hostHeader: 'internal' | 'external'
  /** Whether an https application's certificate is verified. */
  readonly verifyCertificate: boolean
  /** Milliseconds the application may take to its response head. */
  readonly responseHeadMs: number
  /**
   * What is spoken to it: HTTP/2 by TLS (`h2`), HTTP/2 in the clear (`h2c`), or HTTP/2 where TLS
   * agrees on it and else HTTP/1.1 (`auto`). Absent: HTTP/1.1. A connector is told `h2` and `h2c`
   * only if it has named the feature `h2`.
   */
  readonly backendProtocol?: 'h2' | 'h2c' | 'auto' | undefined
  /** Milliseconds that a request's body may stand still. Absent: the connector's own limit. */
  readonly requestIdleMs?: number | undefined
  /** Milliseconds that an answer may stand still. Absent: the connector's own limit. */
  readonly responseIdleMs?: number | undefined
  /**
   * Faults of its answers that are mended, each a feature `lenient/` and the name. Absent: none is.
   */
  readonly lenient?: readonly string[] | undefined
  /** How the connector makes the user known to the application. Absent: not at all. */
  readonly signOn?: SignOnDetails | undefined
}

/**
 * A kind of sign-on, and its settings. A connector is told of it only if it has named the feature
 * `sign-on/` and the kind; settings of it that it does not understand refuse the request.
 */
export interface SignOnDetails {
  /** `kerberos`, `inject` and so on. The other keys are of this kind. */
  readonly kind: string
  readonly [setting: string]: unknown
}

/** The cloud's answer to a question for details; `unknown-application`: the cloud gives it none. */
export type ApplicationReply =
  | {
      readonly v: typeof PROTOCOL_VERSION
      readonly type: 'application'
      readonly application: ApplicationDetails
    }
  | {
      readonly v: typeof PROTOCOL_VERSION
      readonly type: 'unknown-application'
      readonly applicationId: string
    }

/** Encodes a control message. */
export function encodeMessage(message: ControlMessage): Uint8Array {
  return encode(message)
}

/**
 * Decodes the control message of that name: `decodeMessage('RegistrationReply', octets)`.
 *
 * @throws PeerViolation `MALFORMED_MESSAGE`, `UNKNOWN_MESSAGE` or `UNSUPPORTED_VERSION`
 */
export function decodeMessage<Name extends keyof ControlMessages>(
  name: Name,
  octets: Uint8Array,
): ControlMessages[Name] {
  const value = decode(octets, {
    maxBytes: MAX_MESSAGE_BYTES,
    maxDepth: MAX_MESSAGE_DEPTH,
    reason: 'MALFORMED_MESSAGE',
  })
  const schema: v.GenericSchema<unknown, ControlMessage> = MESSAGES[name]
  const result = v.safeParse(schema, value)
  if (result.success) return result.output as ControlMessages[Name]
  const issue = result.issues[0]
  const path = v.getDotPath(issue) ?? ''
  if (path === 'v')
    throw new PeerViolation('UNSUPPORTED_VERSION', `"v" must be ${PROTOCOL_VERSION}`)
  if (path === 'type') throw new PeerViolation('UNKNOWN_MESSAGE', 'unknown "type"')
  // These words are our own.
  if (issue.type === 'check') throw new PeerViolation('MALFORMED_MESSAGE', issue.message)
  // The issue's own text quotes the received value, which may be a secret.
  throw new PeerViolation('MALFORMED_MESSAGE', `"${path}" must be ${issue.expected ?? issue.type}`)
}
