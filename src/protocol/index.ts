/**
 * The protocol: pure state machines, messages and frames. No I/O, no clock, no randomness: time and
 * chance come in as arguments, octets go in and out, and {@link LinkEndpoint} says how the
 * outermost machines are driven.
 *
 * - Errors, limits and features: what both ends agree on
 * - Frames and control messages: the codec, for own transports and for testers of other
 *   implementations (octets of every message are in `spec/vectors`)
 * - Links and exchanges: the machines of both ends, of both bindings
 * - HTTP: the rules that backends and bindings of one's own need
 *
 * @module
 */

// Errors
export {
  ApiMisuse,
  AppProxyError,
  ConfigurationInvalid,
  ExchangeFailed,
  SignOnFailed,
  type SignOnFailureReason,
  mistakeLine,
  PeerViolation,
  PortFailed,
  Refused,
  type AnyAppProxyError,
  type ConfigurationMistake,
  type ErrorCode,
  type FailureReason,
  type FailureSource,
  type PeerViolationReason,
  type RefusalReason,
} from './wire/errors.ts'
export { requestNumberOf } from './wire/request-number.ts'

// Limits and features
export {
  CONNECTION_TIME_LIMITS,
  DATA_BYTES,
  DEFAULT_OFFERS,
  DEFAULT_STREAMS,
  FIRST_CREDIT_BYTES,
  FRAME_HEADER_BYTES,
  INITIAL_WINDOW_BYTES,
  MAX_CONTROL_BYTES,
  MAX_DATA_BYTES,
  MAX_HEAD_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_OFFERS,
  MAX_STREAMS,
  MAX_WINDOW_BYTES,
  TIME_LIMITS,
  TRANSPORT_ROOM_BYTES,
  type ConnectionTimeLimits,
  type TimeLimits,
} from './wire/limits.ts'
export { LINK_FEATURES, PLAIN_FEATURES, type Feature } from './wire/features.ts'
export { SHARES, type Shares } from './machines/dispatch-values.ts'

// Frames
export {
  DECLINE_REASONS,
  FrameFlag,
  FrameType,
  ResetCode,
  type BodyKind,
  type Claim,
  type Decline,
  type DeclineReason,
  type ExchangeId,
  type HeaderList,
  type Hello,
  type Offer,
  type ResponseHead,
  type UserClaims,
  type Welcome,
} from './wire/frame-types.ts'
export { type TypedClaim, type TypedClaims } from './wire/typed-claims.ts'
export { encodeFrame, frameHeader, FrameReader, type FrameSink } from './wire/frame.ts'
export { decodeHello, decodeWelcome, encodeHello, encodeWelcome } from './wire/greetings.ts'
export {
  decodeClaim,
  decodeDecline,
  decodeInformational,
  decodeOffer,
  decodeResponse,
  decodeTrailers,
  encodeClaim,
  encodeDecline,
  encodeOffer,
  encodeResponseHead,
  encodeTrailers,
} from './wire/heads.ts'
export {
  decodeConfiguration,
  decodeCredit,
  decodeEmpty,
  decodePing,
  decodeReset,
  decodeStop,
  encodeConfiguration,
  encodeCredit,
  encodeReset,
  encodeStop,
  type ConfigurationHint,
  type NotSentCause,
  type Reset,
} from './wire/control-frames.ts'
export { helloQuery, readHelloQuery } from './wire/hello-query.ts'

// Control messages
export {
  decodeMessage,
  encodeMessage,
  MESSAGE_MEDIA_TYPE,
  PROTOCOL_VERSION,
  type ApplicationDetails,
  type ApplicationReply,
  type ApplicationRequest,
  type CertificateReply,
  type ConfigurationReply,
  type ConfigurationRequest,
  type ConnectorConfiguration,
  type ConnectorSoftware,
  type ControlMessage,
  type ControlMessages,
  type RefusedReply,
  type RegisteredReply,
  type RegistrationReply,
  type RegistrationRequest,
  type SignOnDetails,
} from './wire/messages.ts'

// Links
export { type LinkEnd, type LinkState } from './machines/link.ts'
export { LinkEndpoint, type LinkHandler } from './machines/link-endpoint.ts'
export {
  AcceptedLink,
  type AcceptedLinkHandler,
  type ClaimAnswer,
  type LinkCarriage,
} from './machines/accepted-link.ts'
export {
  DialledLink,
  type ClaimBounds,
  type ClaimOptions,
  type DialledLinkHandler,
} from './machines/dialled-link.ts'
export { type Random } from './machines/grease.ts'
export {
  AcceptedStream,
  PlainAcceptedLink,
  type OfferStreamPort,
  type PlainAcceptedLinkHandler,
} from './machines/plain-accepted-link.ts'
export {
  DialledStream,
  PlainDialledLink,
  type PlainDialledLinkPort,
} from './machines/plain-dialled-link.ts'

// Exchanges
export { Exchange } from './machines/exchange.ts'
export { type ExchangeBodies } from './machines/exchange-bodies.ts'
export { type OwnPatience, type PatienceLimits } from './machines/exchange-patience.ts'
export { type AnswerFault } from './http/answer-faults.ts'
export { type ExchangeState } from './machines/exchange-tables.ts'
export {
  type ExchangeHandler,
  type ExchangeOptions,
  type ExchangeOutcome,
  type ExchangeWire,
} from './machines/exchange-ports.ts'
export { type CreditBudget } from './machines/body-receiver.ts'
export { KeptBody } from './machines/kept-body.ts'
export { type Delivery } from './machines/delivery.ts'
export {
  PlainExchange,
  type PlainExchangeMemory,
  type PlainExchangePort,
} from './machines/plain-exchange.ts'
export {
  PlainRequester,
  type PlainRequesterMemory,
  type PlainRequesterPort,
  type PlainRequesterState,
} from './machines/plain-requester.ts'
export {
  PlainResponder,
  type PlainResponderMemory,
  type PlainResponderPort,
  type PlainResponderState,
} from './machines/plain-responder.ts'

// What a connector lives by
export {
  type Binding,
  type DialerLimits,
  type DialerMemory,
  type DialerState,
  type DialerWait,
} from './machines/dialer.ts'
export { type Applied, type ConfigurationOutput } from './machines/configuration.ts'
export { type RegistrationLimits } from './machines/registration.ts'
export { type ApplicationDetailsLimits } from './machines/application-details.ts'

// HTTP
export { bodyKindOf, isEventStream } from './http/body-kind.ts'
export { headersFault, isFieldValue, isTarget, isToken } from './wire/fields.ts'
export { headerValue, headerValues, withoutHeaders } from './http/header-list.ts'
export { canonicalHost } from './http/host.ts'
export { RESERVED_PATH } from './http/target.ts'
