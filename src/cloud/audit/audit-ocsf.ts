/**
 * Audit events under the names of the Open Cybersecurity Schema Framework, for the SIEM that reads
 * it.
 *
 * Nothing is lost: what OCSF has no place for in the class is in `unmapped`, under our own names.
 * `metadata.event_code` is our type, `metadata.uid` the event's id, `metadata.correlation_uid` the
 * request's.
 *
 * @see https://schema.ocsf.io/1.6.0
 * @module
 */
import {
  AUDIT_EVENTS,
  AUDIT_VERSION,
  type AuditEvent,
  type AuditEventKind,
  type AuditRecord,
  type AuditOutcome,
  type OcsfKind,
} from './audit-events.ts'

/** The version of the schema whose classes are used. */
export const OCSF_VERSION = '1.6.0'

/** An event in OCSF's names: a class's own attributes come with the common ones. */
export interface OcsfEvent {
  readonly class_uid: number
  readonly category_uid: number
  readonly activity_id: number
  /** `class_uid × 100 + activity_id`. */
  readonly type_uid: number
  /** Milliseconds since 1970. */
  readonly time: number
  readonly severity_id: number
  readonly status_id: number
  readonly [attribute: string]: unknown
}

/** `class_uid` by class; its thousands are the category. */
export const OCSF_CLASSES: Readonly<Record<OcsfKind['class'], { uid: number; name: string }>> = {
  authentication: { uid: 3002, name: 'Authentication' },
  'entity-management': { uid: 3004, name: 'Entity Management' },
  'http-activity': { uid: 4002, name: 'HTTP Activity' },
  'tunnel-activity': { uid: 4014, name: 'Tunnel Activity' },
  'application-error': { uid: 6008, name: 'Application Error' },
}

type Activities = {
  readonly [K in OcsfKind as K['class']]: Readonly<Record<K['activity'], number>>
}

const ACTIVITIES: Activities = {
  authentication: { logon: 1, logoff: 2, preauth: 6 },
  'entity-management': { create: 1, update: 3, delete: 4, enable: 8, disable: 9 },
  'http-activity': { method: 99 },
  'tunnel-activity': { open: 1, close: 2 },
  'application-error': { general: 1 },
}

const METHODS: Readonly<Record<string, number>> = {
  CONNECT: 1,
  DELETE: 2,
  GET: 3,
  HEAD: 4,
  OPTIONS: 5,
  POST: 6,
  PUT: 7,
  TRACE: 8,
  PATCH: 9,
}
const SEVERITIES = { informational: 1, low: 2, medium: 3, high: 4 } as const
const STATUSES: Readonly<Record<AuditOutcome, number>> = { success: 1, refused: 2, failed: 2 }

/**
 * The `activity_id` of an event of this kind; `method` is the request's where the class goes by it.
 */
export function ocsfActivity(kind: OcsfKind, method = ''): number {
  if (kind.class === 'http-activity') return METHODS[method] ?? 99
  return (ACTIVITIES[kind.class] as Readonly<Record<string, number>>)[kind.activity]!
}

/** The event in OCSF's names. */
export function toOcsf(event: AuditEvent): OcsfEvent {
  const record: AuditRecord = event
  const { id, time, type, outcome, reason, detail = {} } = record
  const kind: AuditEventKind = AUDIT_EVENTS[type]
  const { uid, name } = OCSF_CLASSES[kind.ocsf.class]
  const activity = ocsfActivity(kind.ocsf, text(detail['method']))
  const isQuiet = outcome === 'success' && kind.isAlarm !== true
  const { mapped, ...attributes } = classAttributes(kind.ocsf, record, detail)
  const rest = Object.entries(detail).filter(
    ([key, value]) => value !== undefined && !mapped.includes(key),
  )
  return defined({
    class_uid: uid,
    class_name: name,
    category_uid: Math.floor(uid / 1000),
    activity_id: activity,
    type_uid: uid * 100 + activity,
    time,
    severity_id: SEVERITIES[isQuiet ? 'informational' : kind.severity],
    status_id: STATUSES[outcome],
    status_code: reason,
    status_detail: outcome === 'success' ? undefined : `${outcome}: ${reason ?? type}`,
    message: kind.text,
    metadata: defined({
      version: OCSF_VERSION,
      product: { name: 'app-proxy', vendor_name: 'app-proxy' },
      event_code: type,
      log_version: String(AUDIT_VERSION),
      uid: id,
      correlation_uid: record.requestId,
      tenant_uid: record.tenantId,
    }),
    ...attributes,
    unmapped: rest.length === 0 ? undefined : Object.fromEntries(rest),
  }) as unknown as OcsfEvent
}

interface ClassAttributes {
  /** Keys of `detail` that have a place. */
  readonly mapped: readonly string[]
  readonly [attribute: string]: unknown
}

function classAttributes(
  kind: OcsfKind,
  fields: AuditRecord,
  detail: Readonly<Record<string, unknown>>,
): ClassAttributes {
  const { applicationId, connectorId } = fields
  const user =
    fields.subject === undefined
      ? undefined
      : defined({ uid: fields.subject, account: account(fields) })
  const session = fields.sessionId === undefined ? undefined : { uid: fields.sessionId }
  const actor = user || session ? defined({ user, session }) : undefined
  const endpoint = fields.address === undefined ? undefined : { ip: fields.address }
  switch (kind.class) {
    case 'authentication':
      return {
        mapped: ['acr'],
        actor,
        src_endpoint: endpoint,
        // The class requires a user; a sign-in that failed early has none.
        user: user ?? { name: 'unknown' },
        session,
        service: applicationId === undefined ? undefined : { uid: applicationId },
        auth_protocol_id: 4,
        is_remote: true,
      }
    case 'entity-management':
      return {
        mapped: [],
        actor,
        src_endpoint: endpoint,
        entity: entityOf(kind.entity, fields, text(detail['ticketId'])),
      }
    case 'tunnel-activity':
      return {
        mapped: [],
        src_endpoint: defined({ uid: connectorId, type: 'connector', ip: fields.address }),
        tunnel_type_id: 99,
        tunnel_type: 'connector',
      }
    case 'http-activity':
      return {
        mapped: ['method', 'status', 'durationMs', 'bytesIn', 'bytesOut'],
        actor,
        app_name: applicationId,
        src_endpoint: endpoint ?? { name: 'unknown' },
        dst_endpoint: connectorId && { uid: connectorId, type: 'connector' },
        http_request: defined({
          uid: fields.requestId,
          http_method: detail['method'],
          body_length: detail['bytesIn'],
        }),
        http_response: defined({ code: detail['status'], body_length: detail['bytesOut'] }),
        duration: detail['durationMs'],
      }
    case 'application-error':
      return { mapped: [], actor, src_endpoint: endpoint, app_name: applicationId }
  }
}

const account = ({ account: name }: AuditRecord) => (name === undefined ? undefined : { name })

/**
 * Of a registration that was refused there is no connector yet, and one configuration has no id.
 */
function entityOf(
  type: string,
  { connectorId, sessionId, applicationId }: AuditRecord,
  ticketId: string,
): object {
  const uids: Readonly<Record<string, string | undefined>> = {
    session: sessionId,
    ticket: ticketId === '' ? undefined : ticketId,
  }
  const uid = type in uids ? uids[type] : connectorId
  const data = applicationId === undefined ? undefined : { applicationId }
  return defined({ type, name: uid === undefined ? type : undefined, uid, data })
}

function defined(attributes: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined))
}

const text = (value: unknown) => (typeof value === 'string' ? value : '')
