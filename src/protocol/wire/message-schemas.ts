/**
 * What a control message must be like to be read: the schemas of messages.ts, whose interfaces a
 * test holds against them. Unknown keys are ignored.
 *
 * @module
 */
import * as v from 'valibot'
import { ENROLMENT_TICKET, PROTOCOL_VERSION } from './features.ts'
import { MAX_TEXT_CHARACTERS, MAX_TOKEN_CHARACTERS } from './limits.ts'

const version = v.literal(PROTOCOL_VERSION)
const text = v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_TEXT_CHARACTERS))
const bytes: v.GenericSchema<Uint8Array> = v.instance(Uint8Array)
const milliseconds = v.pipe(v.number(), v.integer(), v.minValue(0))
const features = v.pipe(v.array(text), v.maxLength(64))

const ConnectorSoftware = v.object({
  name: text,
  version: text,
})

const RegistrationRequest = v.pipe(
  v.object({
    v: version,
    type: v.literal('registration'),
    token: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_TOKEN_CHARACTERS))),
    ticket: v.optional(v.pipe(v.string(), v.length(43))),
    request: bytes,
    instance: ConnectorSoftware,
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

const RegistrationReply = v.variant('type', [
  v.object({
    v: version,
    type: v.literal('registered'),
    tenantId: text,
    connectorId: text,
    standing: v.picklist(['active', 'pending']),
    certificate: bytes,
    chain: v.array(bytes),
    cloudAuthorities: v.array(bytes),
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

const ConfigurationRequest = v.object({
  v: version,
  type: v.literal('configuration'),
  have: v.optional(text),
  applied: v.optional(v.object({ version: text, error: v.optional(v.string()) })),
  request: v.optional(bytes),
})

const ConnectorConfiguration = v.object({
  version: text,
  groupId: text,
  groupName: text,
  instances: v.record(text, text),
  pullEveryMs: milliseconds,
  renewAfterMs: milliseconds,
  standing: v.optional(v.picklist(['pending', 'active', 'draining', 'disabled'])),
  applications: v.optional(v.record(text, text)),
})

const ConfigurationReply = v.object({
  v: version,
  type: v.literal('configuration'),
  serverTime: milliseconds,
  configuration: v.optional(ConnectorConfiguration),
  certificate: v.optional(
    v.object({
      certificate: bytes,
      chain: v.array(bytes),
      cloudAuthorities: v.optional(v.array(bytes)),
    }),
  ),
})

const ApplicationRequest = v.object({
  v: version,
  type: v.literal('application'),
  applicationId: text,
})

const ApplicationDetails = v.object({
  id: text,
  version: text,
  internalUrl: text,
  externalUrl: text,
  hostHeader: v.picklist(['internal', 'external']),
  verifyCertificate: v.boolean(),
  responseHeadMs: milliseconds,
  backendProtocol: v.optional(v.picklist(['h2', 'h2c', 'auto'])),
  requestIdleMs: v.optional(milliseconds),
  responseIdleMs: v.optional(milliseconds),
  lenient: v.optional(v.array(text)),
  signOn: v.optional(v.looseObject({ kind: text })),
})

const ApplicationReply = v.variant('type', [
  v.object({ v: version, type: v.literal('application'), application: ApplicationDetails }),
  v.object({ v: version, type: v.literal('unknown-application'), applicationId: text }),
])

/** By the names of messages; also what vectors and documentation are made from. */
export const MESSAGES = {
  RegistrationRequest,
  RegistrationReply,
  ConfigurationRequest,
  ConfigurationReply,
  ApplicationRequest,
  ApplicationReply,
}
