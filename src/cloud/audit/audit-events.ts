/**
 * Every audit event there is: the table is the only authority, and a new event is a new row in the
 * commit that writes it.
 *
 * From the table come the type {@link AuditEvent} (a writer that names a field or an outcome the
 * row does not have is not compiled), the reference in PROTOCOL.md, and the names that an event has
 * in OCSF (see audit-ocsf.ts).
 *
 * What a row must not have: a token, a cookie, an authorization code, a state, a nonce, a verifier,
 * a key, a password or a request body, in whole or in part. A test looks for planted ones.
 *
 * To write one: `audit.write({ time: clocks.wallClock(), type: 'sign-in.begun', outcome: 'success',
 * tenantId, … })`. Fields that are `undefined` are left out.
 *
 * @see spec/PROTOCOL.md, "Audit events"
 * @module
 */
import { ADMIN_EVENTS } from './admin-events.ts'
import { ALARM_EVENTS } from './alarm-events.ts'
import { TICKET_EVENTS } from './ticket-events.ts'

/**
 * The form of an event as it is written down; it changes only when a reader of the form before
 * could misunderstand.
 */
export const AUDIT_VERSION = 1

/**
 * Fields that an event may have besides `time`, `type`, `outcome` and `reason`: a row says which it
 * has.
 */
export interface AuditFields {
  readonly tenantId: string
  readonly connectorId: string
  readonly applicationId: string
  /** The user, as the issuer calls them (`sub`). */
  readonly subject: string
  /** The user's account at the application, where its sign-on has a mapping. */
  readonly account: string
  /** What revocation names; it opens nothing, for the cookie is sealed. */
  readonly sessionId: string
  /** The request that the user can quote; it joins the events of one request. */
  readonly requestId: string
  /** The IP address of who did it. */
  readonly address: string
}

/** What became of it. `refused`: by a rule, on purpose; `failed`: by a fault. */
export type AuditOutcome = 'success' | 'refused' | 'failed'

/**
 * How much an event asks for attention when it is not a success; a success is always informational.
 */
export type AuditSeverity = 'informational' | 'low' | 'medium' | 'high'

/** One row of the table. */
export interface AuditEventKind {
  /** One sentence: when is it written? */
  readonly text: string
  readonly outcomes: readonly AuditOutcome[]
  /** Each is there when it is known. */
  readonly fields: readonly (keyof AuditFields)[]
  /** Key of `detail` → what it tells. */
  readonly detail: Readonly<Record<string, string>>
  readonly severity: AuditSeverity
  /** It asks for attention as a success, too. */
  readonly isAlarm?: true
  readonly ocsf: OcsfKind
}

/**
 * The OCSF class of an event and its activity there; `method` takes the activity from the HTTP
 * method.
 */
export type OcsfKind =
  | { readonly class: 'authentication'; readonly activity: 'logon' | 'logoff' | 'preauth' }
  | {
      readonly class: 'entity-management'
      readonly activity: 'create' | 'update' | 'delete' | 'enable' | 'disable'
      /** What the entity is, in our words. */
      readonly entity: 'connector' | 'ticket' | 'session' | 'configuration'
    }
  | { readonly class: 'tunnel-activity'; readonly activity: 'open' | 'close' }
  | { readonly class: 'http-activity'; readonly activity: 'method' }
  | { readonly class: 'application-error'; readonly activity: 'general' }

const CONNECTOR = ['tenantId', 'connectorId'] as const
const USER = ['tenantId', 'applicationId', 'subject', 'requestId', 'address'] as const
/** With the account at the application: what a request was about. */
const SESSION_OF_USER = [...USER, 'account', 'sessionId'] as const
const LINK = {
  binding: '`link` or `plain`.',
  instance: 'The cloud instance.',
} as const

/** The rows, as the types below read them. */
const ROWS = {
  'connector.registration': {
    text: 'An administrator has asked for a connector to be registered.',
    outcomes: ['success', 'refused'],
    fields: ['tenantId', 'connectorId', 'subject', 'address'],
    detail: {
      instance: 'Name and version that the connector gave itself.',
      keyId: 'SHA-256 of its public key.',
      ignored: 'What its certificate request asked for and did not get.',
      standing: '`active`, or `pending` until an operator approves.',
      repeated: 'It is the answer to a lost reply: nothing new was registered.',
      while: 'The state of the certification in which it was refused.',
      because: 'What was found, in words; quotes nothing of the token or ticket.',
      ticketId: 'The ticket that was used, by its public name. Absent: it was a token.',
      operator: "Who made the ticket, where that is the service's operator.",
    },
    severity: 'medium',
    ocsf: { class: 'entity-management', activity: 'create', entity: 'connector' },
  },
  ...TICKET_EVENTS,
  ...ADMIN_EVENTS,
  'connector.renewal': {
    text: 'A connector has asked for its next certificate.',
    outcomes: ['success', 'refused'],
    fields: CONNECTOR,
    detail: {
      serial: 'Serial number of the new certificate.',
      expiresAt: 'Its end, milliseconds since 1970.',
      ignored: 'What the certificate request asked for and did not get.',
      repeated: 'It is the answer to a lost reply: nothing new was issued.',
      callerSerial: 'Serial number of the certificate it called with.',
    },
    severity: 'medium',
    ocsf: { class: 'entity-management', activity: 'update', entity: 'connector' },
  },
  'connector.configuration': {
    text: 'A connector reports that it could not apply a configuration; it goes on with the one before.',
    outcomes: ['failed'],
    fields: CONNECTOR,
    detail: {
      version: 'The version it could not apply.',
      error: 'What it says went wrong, cut off.',
      callerSerial: 'Serial number of the certificate it called with.',
    },
    severity: 'medium',
    ocsf: { class: 'entity-management', activity: 'update', entity: 'connector' },
  },
  'connector.connected': {
    text: 'A connector holds a link, over which requests can be offered to it.',
    outcomes: ['success'],
    fields: CONNECTOR,
    detail: LINK,
    severity: 'informational',
    ocsf: { class: 'tunnel-activity', activity: 'open' },
  },
  'connector.disconnected': {
    text: 'A link of a connector is over; `failed` when nobody said that it should end.',
    outcomes: ['success', 'failed'],
    fields: CONNECTOR,
    detail: LINK,
    severity: 'low',
    ocsf: { class: 'tunnel-activity', activity: 'close' },
  },
  'connector.too-old': {
    text: 'A connector holds a link and has not named features that applications of its group need: it is not offered their requests. Once, until it lacks something else or comes back.',
    outcomes: ['refused'],
    fields: CONNECTOR,
    detail: {
      features: 'What it has not named.',
      applications: 'Whose requests it is not offered.',
    },
    severity: 'medium',
    ocsf: { class: 'entity-management', activity: 'update', entity: 'connector' },
  },
  'configuration.replaced': {
    text: 'Tenants, groups and applications were read again; after a mistake those of before stay in force.',
    outcomes: ['success', 'failed'],
    fields: [],
    detail: {
      path: 'Where the mistake is.',
      version: 'The version of the configuration, where versions are kept.',
    },
    severity: 'medium',
    ocsf: { class: 'entity-management', activity: 'update', entity: 'configuration' },
  },
  'sign-in.begun': {
    text: 'A user without a session, or with one that does not suffice, was sent to the issuer.',
    outcomes: ['success'],
    fields: USER,
    detail: {},
    severity: 'informational',
    ocsf: { class: 'authentication', activity: 'preauth' },
  },
  'sign-in.signed-in': {
    text: 'A user has signed in to an application: a session begins.',
    outcomes: ['success'],
    fields: [...USER, 'sessionId'],
    detail: {
      renewed: 'Whether it continues the session before, without asking the user.',
      userInfo: 'Why UserInfo did not tell the claims it was asked for.',
    },
    severity: 'informational',
    ocsf: { class: 'authentication', activity: 'logon' },
  },
  'sign-in.denied': {
    text: 'A sign-in ended without a session.',
    outcomes: ['refused', 'failed'],
    fields: USER,
    detail: {
      source: 'Whose doing it was: `sign-in`, `issuer` or `cloud`.',
      evidence: 'The stable code of the library that noticed.',
      unknown: 'Claims that would have said whether the user is assigned, and did not come.',
      userInfo: 'Why UserInfo did not tell the claims it was asked for.',
      issuerError:
        'The registered error code that the issuer said; `unregistered` for any other. Nothing else of what it says is kept.',
      setting: "Where the configuration is to be looked at, where it is the operator's mistake.",
    },
    severity: 'low',
    ocsf: { class: 'authentication', activity: 'logon' },
  },
  'session.renewed': {
    text: 'A session was to be renewed by the refresh token that is kept for it. `refused`: it is over; `failed`: it goes on for a grace, and is tried again.',
    outcomes: ['success', 'refused', 'failed'],
    fields: [...USER, 'sessionId'],
    detail: {},
    severity: 'low',
    ocsf: { class: 'entity-management', activity: 'update', entity: 'session' },
  },
  'session.revoked': {
    text: 'Sessions were ended before their time on this instance: by a sign-out, by the issuer, or by an operator.',
    outcomes: ['success'],
    fields: ['subject', 'sessionId'],
    detail: {
      application: 'The application that it is limited to.',
      kind: '`session`, `user`, `issuer-session` or `application`: what they have in common.',
      at: 'Those that began up to then, milliseconds since 1970.',
    },
    severity: 'informational',
    ocsf: { class: 'entity-management', activity: 'delete', entity: 'session' },
  },
  'sign-out.signed-out': {
    text: 'A user has signed out of an application: the session is revoked.',
    outcomes: ['success'],
    fields: [...USER, 'sessionId'],
    detail: {},
    severity: 'informational',
    ocsf: { class: 'authentication', activity: 'logoff' },
  },
  'sign-out.back-channel': {
    text: 'Somebody has sent a logout token for an application; taken, it has revoked what it names.',
    outcomes: ['success', 'refused'],
    fields: USER,
    detail: { evidence: 'What of the token was found wrong, as a stable code.' },
    severity: 'medium',
    ocsf: { class: 'authentication', activity: 'logoff' },
  },
  'sign-out.front-channel': {
    text: "The issuer's sign-out page has opened the application's front channel in a frame; taken, it has revoked the session that it names.",
    outcomes: ['success', 'refused'],
    fields: ['tenantId', 'applicationId', 'requestId', 'address'],
    detail: {},
    severity: 'medium',
    ocsf: { class: 'authentication', activity: 'logoff' },
  },
  'access.decided': {
    text: 'Conditional access denied somebody or asked for a stronger sign-in; or a policy that only reports would have. Once for each session until it is decided otherwise.',
    outcomes: ['success', 'refused', 'failed'],
    fields: [...SESSION_OF_USER],
    detail: {
      effect: '`allow`, `deny` or `step-up`.',
      policy: 'The policy it comes from.',
      segment: 'The segment of the application that decided, by its path.',
      matched:
        'Every policy that applies or may: what it does, whether it is enforced, what is not known.',
      because: 'What is wrong with policies that are broken.',
      unknown: 'Claims that would have said whether the user is assigned, and did not come.',
    },
    severity: 'medium',
    ocsf: { class: 'authentication', activity: 'preauth' },
  },
  'risk.detected': {
    text: 'Somebody signs in, or goes on, in an unusual way.',
    outcomes: ['success'],
    fields: [...SESSION_OF_USER],
    detail: {
      level: '`low`, `medium` or `high`.',
      reasons:
        '`new-network`, `new-country`, `impossible-travel`, `many-failures`, `anonymiser`, or what another assessor says.',
    },
    severity: 'informational',
    ocsf: { class: 'authentication', activity: 'preauth' },
  },
  'bearer.accepted': {
    text: 'A program has shown an access token for the first time here; further requests with it are not written down.',
    outcomes: ['success'],
    fields: USER,
    detail: { client: 'The client that the token was issued to.' },
    severity: 'informational',
    ocsf: { class: 'authentication', activity: 'logon' },
  },
  'bearer.refused': {
    text: 'A program has shown an access token that is not accepted.',
    outcomes: ['refused', 'failed'],
    fields: USER,
    detail: {
      evidence: 'The stable code of the library, or the part of the token, that was at fault.',
      unknown: 'Claims that would have said whether the user is assigned, and did not come.',
    },
    severity: 'low',
    ocsf: { class: 'authentication', activity: 'logon' },
  },
  'access.request': {
    text: 'A request of a user is over; by option only. `reason` is the code of an answer of ours; whatever an application answers is a success.',
    outcomes: ['success', 'refused', 'failed'],
    fields: [...SESSION_OF_USER],
    detail: {
      method: 'Its method.',
      segment: 'The segment of the application that it was for, by its path.',
      status: 'HTTP status of the answer.',
      durationMs: 'From its head to its end, milliseconds.',
      bytesIn: 'Octets of its body.',
      bytesOut: "Octets of the answer's body.",
      translated:
        'Which rules of translation changed something: names of header fields, `-dropped` behind those that were dropped.',
    },
    severity: 'low',
    ocsf: { class: 'http-activity', activity: 'method' },
  },
  'access.failure': {
    text: 'A request was answered by the service itself, with a refusal or a failure; `reason` is the code. Always, but where `access.request` says the same.',
    outcomes: ['refused', 'failed'],
    fields: [...SESSION_OF_USER],
    detail: {
      method: 'Its method, where it could be read.',
      segment: 'The segment of the application that it was for, by its path.',
      status: 'HTTP status of the answer.',
      source: 'Whose doing it was.',
      delivery: 'Whether the application got the request: `none`, `unknown` or `reached`.',
    },
    severity: 'low',
    ocsf: { class: 'http-activity', activity: 'method' },
  },
  ...ALARM_EVENTS,
  'translation.dropped': {
    text: 'A header field of an answer was dropped: outside it would reach farther than the application meant, or name what is inside. Told once for an application, a field and a cookie.',
    outcomes: ['refused'],
    fields: ['tenantId', 'applicationId', 'requestId'],
    detail: { field: 'Its name.', cookie: 'The name of the cookie in it.' },
    severity: 'low',
    ocsf: { class: 'application-error', activity: 'general' },
  },
  'edge.internal-error': {
    text: 'Serving a request met a fault of this service; the user was told so.',
    outcomes: ['failed'],
    fields: ['requestId'],
    detail: { port: 'The function of a part that was supplied from outside, if it was that.' },
    severity: 'high',
    ocsf: { class: 'application-error', activity: 'general' },
  },
} as const satisfies Readonly<Record<string, AuditEventKind>>

/** Dotted, stable: readers may switch on it. */
export type AuditEventType = keyof typeof ROWS

/** Every event there is, by its type: what it says, with which fields. */
export const AUDIT_EVENTS: Readonly<Record<AuditEventType, AuditEventKind>> = ROWS

/** The event of one type: exactly the outcomes, fields and details of its row. */
export type AuditEventOf<T extends AuditEventType> = {
  readonly [F in (typeof ROWS)[T]['fields'][number]]?: AuditFields[F] | undefined
} & {
  /** Milliseconds since 1970. */
  readonly time: number
  readonly type: T
  readonly outcome: (typeof ROWS)[T]['outcomes'][number]
  /** The stable code of a refusal or failure. */
  readonly reason?: string | undefined
  readonly detail?: { readonly [K in keyof (typeof ROWS)[T]['detail']]?: unknown } | undefined
  /** Its name among all events of all instances; given when it is written down. */
  readonly id?: string | undefined
}

/** What a writer says that adds the rest itself: `time`, and the fields named in `K`. */
export type AuditEntry<T extends AuditEventType, K extends keyof AuditFields = never> = {
  [One in T]: Omit<AuditEventOf<One>, 'time' | K>
}[T]

/** An event as a reader sees it that treats all alike: any {@link AuditEvent} is one. */
export interface AuditRecord extends Readonly<
  Partial<Record<keyof AuditFields, string | undefined>>
> {
  readonly time: number
  readonly type: AuditEventType
  readonly outcome: AuditOutcome
  readonly reason?: string | undefined
  readonly detail?: Readonly<Record<string, unknown>> | undefined
  readonly id?: string | undefined
}

/**
 * One thing that happened, for the record; never holds a token, a cookie, a code or a key. `type`
 * tells which fields there are.
 */
export type AuditEvent = { [T in AuditEventType]: AuditEventOf<T> }[AuditEventType]
