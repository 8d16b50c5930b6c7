/**
 * The control calls: one message in, one message out, whatever carries them. MessagePack maps with
 * these keys; unknown keys are ignored, unknown `type`s refused.
 *
 * @see spec/PROTOCOL.md, "Control calls"
 * @module
 */
import * as v from 'valibot'
import { PeerViolation } from './errors.ts'
import { ENROLMENT_TICKET } from './features.ts'
import { MAX_MESSAGE_BYTES, MAX_MESSAGE_DEPTH } from './limits.ts'
import { decode, encode } from './msgpack.ts'

/** The protocol version of every message. */
export const PROTOCOL_VERSION = 1
/** The media type of a control message over HTTP. */
export const MESSAGE_MEDIA_TYPE = 'application/vnd.app-proxy+msgpack'

const version = v.literal(PROTOCOL_VERSION)
const text = v.pipe(v.string(), v.minLength(1), v.maxLength(1024))
const bytes = v.instance(Uint8Array)
const milliseconds = v.pipe(v.number(), v.integer(), v.minValue(0))
const features = v.pipe(v.array(text), v.maxLength(64))

const InstanceInfo = v.object({
  /** What an operator recognises it by: the machine's name, for example. */
  name: text,
  /** The connector software's version. */
  version: text,
})

/**
 * A connector registers: a registrar's token, or a one-time ticket, and a certificate request.
 * Exactly one of `token` and `ticket` is there; `ticket` only where `features` names
 * `enrolment-ticket`.
 */
export const RegistrationRequest = v.pipe(
  v.object({
    v: version,
    type: v.literal('registration'),
    /** The registrar's access token, compact JWS. */
    token: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(16 * 1024))),
    /** An enrolment ticket: 256 random bits, base64url. */
    ticket: v.optional(v.pipe(v.string(), v.length(43))),
    /** PKCS#10, DER. */
    request: bytes,
    instance: InstanceInfo,
    features,
  }),
  v.check(
    ({ token, ticket }) => (token === undefined) !== (ticket === undefined),
    'exactly one of "token" and "ticket" must be there',
  ),
  v.check(
    ({ ticket, features: named }) => ticket === undefined || named.includes(ENROLMENT_TICKET),
    '"features" must name what "ticket" needs',
  ),
)
export type RegistrationRequest = v.InferOutput<typeof RegistrationRequest>

export const RegistrationReply = v.variant('type', [
  v.object({
    v: version,
    type: v.literal('registered'),
    tenantId: text,
    connectorId: text,
    /** `pending` connectors hold a certificate and get no offers until approved. */
    standing: v.picklist(['active', 'pending']),
    /** The client certificate, DER. */
    certificate: bytes,
    /** Its issuers up to the root, DER. */
    chain: v.array(bytes),
    /**
     * The authorities of the cloud's own servers, DER: from now on the connector trusts these and
     * no others; empty keeps what it was given.
     */
    cloudAuthorities: v.array(bytes),
    /** The cloud's clock, milliseconds since 1970. */
    serverTime: milliseconds,
  }),
  v.object({
    v: version,
    type: v.literal('refused'),
    reason: text,
    detail: v.optional(v.string()),
    retryAfterMs: v.optional(milliseconds),
  }),
])
export type RegistrationReply = v.InferOutput<typeof RegistrationReply>

/**
 * A connector pulls: which version it has, how applying the last one went, and, when
 * due, a request for the next certificate.
 */
export const ConfigurationRequest = v.object({
  v: version,
  type: v.literal('configuration'),
  /** The version the connector runs on. */
  have: v.optional(text),
  /** What became of the last version it was sent. */
  applied: v.optional(v.object({ version: text, error: v.optional(v.string()) })),
  /** PKCS#10, DER: the certificate is due. */
  request: v.optional(bytes),
})
export type ConfigurationRequest = v.InferOutput<typeof ConfigurationRequest>

export const ConnectorConfiguration = v.object({
  version: text,
  /** The connector group this connector is part of. */
  groupId: text,
  groupName: text,
  /** Every cloud instance the connector may dial: id → base URL of its connector listener. */
  instances: v.record(text, text),
  /** Milliseconds between pulls. */
  pullEveryMs: milliseconds,
  /** A certificate older than this is rolled. */
  renewAfterMs: milliseconds,
  /** What the operator lets this connector do. Only an `active` one gets offers. */
  standing: v.optional(v.picklist(['pending', 'active', 'draining', 'disabled'])),
  /**
   * The applications of the group: id → the version of its details. Absent where the group has more
   * than 1,000; then an OFFER names the version.
   */
  applications: v.optional(v.record(text, text)),
})
export type ConnectorConfiguration = v.InferOutput<typeof ConnectorConfiguration>

export const ConfigurationReply = v.object({
  v: version,
  type: v.literal('configuration'),
  /** The cloud's clock, milliseconds since 1970: certificate ages are measured by it. */
  serverTime: milliseconds,
  /** Absent: unchanged since `have`. */
  configuration: v.optional(ConnectorConfiguration),
  /** The answer to `request`, DER, with its issuers. */
  certificate: v.optional(v.object({ certificate: bytes, chain: v.array(bytes) })),
})
export type ConfigurationReply = v.InferOutput<typeof ConfigurationReply>

/** A connector asks for the details of an application that it does not know. */
export const ApplicationRequest = v.object({
  v: version,
  type: v.literal('application'),
  applicationId: text,
})
export type ApplicationRequest = v.InferOutput<typeof ApplicationRequest>

/** What a connector needs to know of an application. */
export const ApplicationDetails = v.object({
  id: text,
  /** Changes whenever any of it changes; an OFFER names the version it was made under. */
  version: text,
  /** Scheme, host, port and base path of the private application. */
  internalUrl: text,
  /** The base URL users see. */
  externalUrl: text,
  /** Which `Host` the application is shown. */
  hostHeader: v.picklist(['internal', 'external']),
  /** Whether an https application's certificate is verified. */
  verifyCertificate: v.boolean(),
  /** Milliseconds the application may take to its response head. */
  responseHeadMs: milliseconds,
})
export type ApplicationDetails = v.InferOutput<typeof ApplicationDetails>

export const ApplicationReply = v.variant('type', [
  v.object({ v: version, type: v.literal('application'), application: ApplicationDetails }),
  v.object({ v: version, type: v.literal('unknown-application'), applicationId: text }),
])
export type ApplicationReply = v.InferOutput<typeof ApplicationReply>

/** The schema of every control message, by name: what vectors and documentation are made from. */
export const MESSAGES = {
  RegistrationRequest,
  RegistrationReply,
  ConfigurationRequest,
  ConfigurationReply,
  ApplicationRequest,
  ApplicationReply,
} as const

/** Encodes a control message. */
export function encodeMessage(message: object): Uint8Array {
  return encode(message)
}

/**
 * Decodes a control message through the strict gate and its schema.
 *
 * @throws PeerViolation `MALFORMED_MESSAGE`, `UNKNOWN_MESSAGE` or `UNSUPPORTED_VERSION`
 */
export function decodeMessage<S extends v.GenericSchema>(
  schema: S,
  octets: Uint8Array,
): v.InferOutput<S> {
  const value = decode(octets, {
    maxBytes: MAX_MESSAGE_BYTES,
    maxDepth: MAX_MESSAGE_DEPTH,
    reason: 'MALFORMED_MESSAGE',
  })
  const result = v.safeParse(schema, value)
  if (result.success) return result.output
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
