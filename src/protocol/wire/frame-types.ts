/**
 * What travels in link frames, as plain values. The layout on the wire is in frame.ts and heads.ts.
 *
 * @see spec/PROTOCOL.md, "Frames"
 * @module
 */
import type { TypedClaims } from './typed-claims.ts'

/** Frame types; the value is the octet on the wire. */
export const FrameType = {
  HELLO: 0x01,
  WELCOME: 0x02,
  OFFER: 0x03,
  CLAIM: 0x04,
  CONFIRM: 0x05,
  DECLINE: 0x06,
  CREDIT: 0x07,
  DATA: 0x08,
  RESPONSE: 0x09,
  INFORMATIONAL: 0x0a,
  TRAILERS: 0x0b,
  STOP: 0x0c,
  RESET: 0x0d,
  PING: 0x0e,
  DRAIN: 0x0f,
  CONFIGURATION: 0x10,
} as const
/** The octet of a frame type. */
export type FrameType = (typeof FrameType)[keyof typeof FrameType]

/** Frame flags. END closes a body (DATA, RESPONSE, TRAILERS); ACK answers a PING. */
export const FrameFlag = { END: 0x01, ACK: 0x02 } as const

/**
 * An ordered list of raw header fields: name, value, name, value, … Each string's code points
 * U+0000–00FF are the octets.
 */
export type HeaderList = readonly string[]

/** 128 random bits, as 32 lower-case hexadecimal digits. */
export type ExchangeId = string

/** What follows a request head: nothing, so many bytes, or bytes until END. */
export type BodyKind = { kind: 'none' } | { kind: 'length'; bytes: number } | { kind: 'streamed' }

/** Who the user is: what the session says, never the cookie itself. */
export interface UserClaims {
  /** The issuer's identifier of the user. */
  readonly subject: string
  readonly issuer: string
  readonly name?: string
  readonly email?: string
  readonly groups?: readonly string[]
  readonly roles?: readonly string[]
  /**
   * Claims that the application's sign-on names, by their names; at most 32. Absent: it names none,
   * or none of them is known.
   */
  readonly claims?: TypedClaims
}

/** HELLO: a connector opens a link. */
export interface Hello {
  /** Protocol versions the connector speaks, best first. */
  readonly versions: readonly number[]
  /** This run of the connector: a random name, new at each start. */
  readonly run: string
  /** Which of the run's links to this cloud instance. */
  readonly index: number
  /**
   * Grows with each new link of the same run and index; a late goodbye of an old epoch removes
   * nothing.
   */
  readonly epoch: number
  /** Offers the connector takes at once on this link, at most; 0: it is for claims only. */
  readonly offers: number
  /** How many of them may be made now; the rest is granted as slots come free. */
  readonly granted: number
  /** Largest DATA payload it accepts. */
  readonly maxDataBytes: number
  readonly features: readonly string[]
  /** Exchanges the connector process takes at once, over all its links. Default: `offers`. */
  readonly slots?: number | undefined
  /**
   * Long exchanges beside them: event streams, tunnels, what stands still. Default 0: they count as
   * all others do.
   */
  readonly streams?: number | undefined
}

/** WELCOME: the cloud's answer. */
export interface Welcome {
  readonly version: number
  /** The cloud instance that answered. */
  readonly instance: string
  /** First credit of every response body. */
  readonly windowBytes: number
  readonly maxDataBytes: number
  readonly pingMs: number
  /** Plain binding: how long this offers stream lives; 0 on a multiplexed link. */
  readonly leaseMs: number
  readonly features: readonly string[]
}

/** OFFER: an exchange put before a connector. */
export interface Offer {
  readonly id: ExchangeId
  /** 1 for the first time this exchange is offered. */
  readonly attempt: number
  readonly applicationId: string
  readonly applicationVersion: string
  readonly method: string
  /** The request target, octet for octet. */
  readonly target: string
  readonly headers: HeaderList
  readonly user: UserClaims | undefined
  readonly body: BodyKind
  /** The protocol the user wants to switch to, or undefined. */
  readonly upgrade: string | undefined
  /** Milliseconds left to claim it. */
  readonly remainingMs: number
  /** The cloud instance that holds the user; the claim goes there. */
  readonly origin: string
  /** Milliseconds left to the response head; undefined: the application's own limit alone. */
  readonly answerMs?: number | undefined
  /**
   * Of an application that binds its user to a connection: names the connections to it that carry
   * this user's requests and nobody else's, by 128 random bits as 32 lower-case hexadecimal digits.
   * Undefined: any connection that nobody is bound to.
   */
  readonly affinity?: string | undefined
  /**
   * 1: such a connection was authenticated on, or is about to be, so another will not do. Default
   * 0.
   */
  readonly pinned?: number | undefined
}

/** CLAIM: a connector takes an offer; `credit` is the pull. */
export interface Claim {
  readonly id: ExchangeId
  readonly attempt: number
  /** First request-body credit in bytes; 0 when there is no body. */
  readonly credit: number
}

/** Why a connector does not take an offer. */
export const DECLINE_REASONS = {
  'unknown-application': 'It has no details of this application, or the cloud gives it none.',
  'unlisted-origin': 'Its configuration lists no instance of this name.',
  'origin-unreachable': 'It could not reach the instance that holds the user.',
  overloaded: 'It has no room now. Reasons that are not known read as this one.',
  draining: 'It takes no more.',
} as const
/** The name of such a reason, as DECLINE carries it. */
export type DeclineReason = keyof typeof DECLINE_REASONS

/** DECLINE: a connector does not take an offer; it goes to another. */
export interface Decline {
  readonly id: ExchangeId
  readonly attempt: number
  readonly reason: DeclineReason
}

/** RESPONSE, INFORMATIONAL: a status and its header fields. */
export interface ResponseHead {
  readonly status: number
  readonly headers: HeaderList
}

/** Codes of RESET and STOP. */
export const ResetCode = {
  /** The receiver of a body wants no more of it; no fault. */
  NO_ERROR: 0,
  /** The user went away. */
  CANCELLED: 1,
  /** Another connector has it, or nobody wants it any more. */
  GONE: 2,
  /** The peer broke the protocol. */
  VIOLATION: 3,
  /** A deadline passed. */
  TIMEOUT: 4,
  /** The application could not be reached. */
  UNREACHABLE: 5,
  /** The application broke off its answer. */
  APPLICATION_ABORTED: 6,
  /** The application's answer is not HTTP we may forward. */
  APPLICATION_MALFORMED: 7,
  /** The binding cannot carry this. */
  UNSUPPORTED: 8,
  /** The transport died. Never sent: what a lost link means to each of its exchanges. */
  LOST: 9,
  /** Anything else, on our side. */
  INTERNAL: 10,
  /** No octet of the request was handed to any transport towards the application. */
  NOT_SENT: 11,
  /** The application's certificate is refused. */
  APPLICATION_CERTIFICATE: 12,
  /** The connector's machine has no file descriptor, port or memory left for a connection. */
  CONNECTOR_EXHAUSTED: 13,
  /** The connector could not make the user known to the application. */
  SIGN_ON: 14,
  /** The connection that the user had authenticated on, or was about to, is there no more. */
  PIN_LOST: 15,
} as const
/** A code of RESET and STOP. */
export type ResetCode = (typeof ResetCode)[keyof typeof ResetCode]
