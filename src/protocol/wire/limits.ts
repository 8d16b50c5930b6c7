/**
 * Every limit and every deadline, named once, with its default. They are the only clocks there are:
 * the timeouts of the HTTP libraries underneath are switched off.
 *
 * @see spec/PROTOCOL.md, "Limits"
 * @module
 */

/** Time limits, in milliseconds. */
export interface TimeLimits {
  /** The whole head of a user's request. Default 15 000. */
  readonly requestHeadMs: number
  /** An offer waiting for any connector of its group. Default 5 000. */
  readonly queueWaitMs: number
  /** An offer that a link carries, until its claim. Default 5 000. */
  readonly claimMs: number
  /**
   * A claimed request that may be repeated, without any answer of its connector to that
   * application, until it is offered to another. Default 5 000.
   */
  readonly answerPatienceMs: number
  /**
   * The response head, from the last request-body byte handed over; 180 000 is the customary
   * `long`. Default 85 000.
   */
  readonly responseHeadMs: number
  /** A body that makes no progress although its sender holds credit. Default 120 000. */
  readonly idleMs: number
  /** A user who takes no response byte, or a body stalled by its reader. Default 120 000. */
  readonly stalledMs: number
  /** A tunnel or event stream without a byte either way. Default 3 600 000. */
  readonly tunnelIdleMs: number
  /** Finishing old exchanges after a drain began. Default 30 000. */
  readonly drainMs: number
  /** Between two pings of a link, which is dead after two missed ones. Default 15 000. */
  readonly pingMs: number
  /** How long one offers stream of the plain binding lives. Default 30 000. */
  readonly leaseMs: number
  /** Between two configuration pulls, ± 20 % jitter. Default 120 000. */
  readonly configurationPullMs: number
  /** A control call. Default 15 000. */
  readonly controlCallMs: number
  /** Reconnect backoff with full jitter, its first step. Default 500. */
  readonly backoffMinMs: number
  /** And its last. Default 30 000. */
  readonly backoffMaxMs: number
}

/** The default of every time limit, in milliseconds. */
export const TIME_LIMITS: TimeLimits = {
  requestHeadMs: 15_000,
  queueWaitMs: 5_000,
  claimMs: 5_000,
  answerPatienceMs: 5_000,
  responseHeadMs: 85_000,
  idleMs: 120_000,
  stalledMs: 120_000,
  tunnelIdleMs: 3_600_000,
  drainMs: 30_000,
  pingMs: 15_000,
  leaseMs: 30_000,
  configurationPullMs: 120_000,
  controlCallMs: 15_000,
  backoffMinMs: 500,
  backoffMaxMs: 30_000,
}

/**
 * Waits on connections, in milliseconds, beside those of exchanges and links; options where a name
 * stands in brackets.
 */
export interface ConnectionTimeLimits {
  /** A user's connection without a request (`keepAliveMs` of the listener). */
  readonly userKeepAliveMs: number
  /**
   * A user's connection that serves no further request, for its user to read the answer, while less
   * than 16 KiB come of them (`lingerMs`).
   */
  readonly lingerMs: number
  /** The same altogether, while they go on sending (`lingerTotalMs`). */
  readonly lingerTotalMs: number
  /** A user who closed its direction, without a byte of its answer (`halfClosedMs`). */
  readonly halfClosedMs: number
  /** A connector's connection to the cloud without a call. */
  readonly connectorKeepAliveMs: number
  /** A connection to an application, TLS included (`connectMs` of the backend). */
  readonly connectMs: number
  /** Whatever makes the user known to the application, before it is called. */
  readonly signOnMs: number
  /**
   * An unused connection to an application, unless it names fewer (`keepAliveMs` of the backend).
   */
  readonly applicationKeepAliveMs: number
  /** A connection to an application, before it takes no further request (`connectionAgeMs`). */
  readonly applicationConnectionAgeMs: number
  /** Until an application that the cloud does not know is asked for again. */
  readonly unknownForMs: number
}

/** The default of every wait on a connection, in milliseconds. */
export const CONNECTION_TIME_LIMITS: ConnectionTimeLimits = {
  userKeepAliveMs: 65_000,
  lingerMs: 2_000,
  lingerTotalMs: 30_000,
  halfClosedMs: 2_000,
  connectorKeepAliveMs: 65_000,
  connectMs: 10_000,
  signOnMs: 10_000,
  applicationKeepAliveMs: 4_000,
  applicationConnectionAgeMs: 300_000,
  unknownForMs: 60_000,
}

/** Bytes of a frame header. */
export const FRAME_HEADER_BYTES = 9
/** Largest DATA payload unless HELLO and WELCOME agree on more; neither may name less. */
export const DATA_BYTES = 16 * 1024
/** Largest DATA payload that may be agreed on. */
export const MAX_DATA_BYTES = 64 * 1024
/** Largest payload of a head: OFFER, RESPONSE, INFORMATIONAL, TRAILERS, HELLO, WELCOME. */
export const MAX_HEAD_BYTES = 64 * 1024
/** Largest payload of every other frame. */
export const MAX_CONTROL_BYTES = 1024
/** Largest control message (registration, configuration, application). */
export const MAX_MESSAGE_BYTES = 256 * 1024
/** Characters of a text in a control message, such as a name. */
export const MAX_TEXT_CHARACTERS = 1024
/** Characters of a registrar's token. */
export const MAX_TOKEN_CHARACTERS = 16 * 1024
/** Nesting of a link frame's payload. */
export const MAX_FRAME_DEPTH = 4
/** Nesting of a control message. */
export const MAX_MESSAGE_DEPTH = 8
/** A body's first window. */
export const INITIAL_WINDOW_BYTES = 64 * 1024
/** How far a window may grow: 8 MiB fill 100 MB/s over a round trip of 50 ms, and half again. */
export const MAX_WINDOW_BYTES = 8 * 1024 * 1024
/** What is given back of a window at a time, at most. */
export const MAX_CREDIT_STEP_BYTES = 512 * 1024
/**
 * The most that a claim may grant at first: what is sent under it is kept, to be sent again if
 * nothing of the request reached the application.
 */
export const FIRST_CREDIT_BYTES = 64 * 1024
/**
 * By how much all windows of a link may have grown together; their first windows are bounded by its
 * offers.
 */
export const LINK_BUDGET_BYTES = 16 * 1024 * 1024
/** DATA waits while a link's transport holds this much. */
export const TRANSPORT_ROOM_BYTES = 256 * 1024
/** Offers a connector takes at once unless it says otherwise. */
export const DEFAULT_OFFERS = 200
/** The largest number of offers a connector may say it takes at once. */
export const MAX_OFFERS = 10_000
/** Long exchanges beside its offers, unless a connector names another number. */
export const DEFAULT_STREAMS = 1_000
/** The most long exchanges that a connector may name. */
export const MAX_STREAMS = 100_000
/** Header fields of an answer, of an interim answer, or of trailers. */
export const MAX_ANSWER_FIELDS = 1_000
/** Interim (1xx) answers of one exchange. */
export const MAX_INTERIM = 32
/** How often one request is offered at most. */
export const MAX_ATTEMPTS = 3
/** A link drains when its exchange numbers reach this. */
export const MAX_NUMBER = 2 ** 31
/** The longest ping interval, and lease, that a WELCOME may name. Milliseconds. */
export const MAX_WELCOME_MS = 3_600_000
/** The longest identifier: an instance, an application, a version. Characters. */
export const MAX_NAME = 1_024
/** Frames of unknown types, one behind the other. */
export const MAX_IGNORED_IN_ROW = 64
/** Their octets within a minute, as a share of all that comes. */
export const IGNORED_SHARE = 0.01
/** So many octets of them are ignored, whatever share they are. */
export const IGNORED_ALLOWANCE_BYTES = 4 * 1024
/** What that share is measured over. */
export const IGNORED_WINDOW_MS = 60_000
/** How long an enrolment ticket is good by default, and at most. Milliseconds. */
export const TICKET_MS = 3_600_000
export const MAX_TICKET_MS = 86_400_000
/** Enrolment tickets that a tenant may have open. */
export const MAX_OPEN_TICKETS = 20
/** Tickets that are not good, of one address within a minute: then none is looked at. */
export const MAX_REFUSED_TICKETS = 10
/** Connections to an application that one affinity has, at the most. */
export const MAX_PINS = 6
/** Such connections of a connector, for all users: beyond, the one idle for the longest ends. */
export const MAX_CONNECTOR_PINS = 2_000
/** One that nobody used for so long ends, and so does one that is so old. Milliseconds. */
export const PIN_IDLE_MS = 60_000
export const PIN_AGE_MS = 3_600_000
/**
 * Where several connections of a user share an affinity, a handshake that nobody goes on with keeps
 * the others waiting for so long. Milliseconds.
 */
export const HANDSHAKE_PATIENCE_MS = 2_000
/** The largest balance that credit may reach. */
export const MAX_CREDIT = 2 ** 32 - 1
