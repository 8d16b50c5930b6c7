/**
 * What is written down where somebody should look: rows of the table in audit-events.ts.
 *
 * @module
 */
import type { AuditEventKind } from './audit-events.ts'

const CONNECTOR = ['tenantId', 'connectorId'] as const

export const ALARM_EVENTS = {
  'access.rate-exceeded': {
    text: 'Requests are refused because there are more than the rates of the application or its tenant. At most ten a minute of each, one for each user; `reason` is the code.',
    outcomes: ['refused'],
    fields: ['tenantId', 'applicationId', 'subject', 'requestId', 'address'],
    detail: {
      refused: 'Requests that were refused since the event of it before, this one included.',
    },
    severity: 'medium',
    ocsf: { class: 'application-error', activity: 'general' },
  },
  'alarm.registrations': {
    text: 'Many connectors of a tenant were registered in a while. Once in that time.',
    outcomes: ['success'],
    fields: ['tenantId'],
    detail: { count: 'Registrations in the time.', windowMs: 'The time, milliseconds.' },
    severity: 'high',
    isAlarm: true,
    ocsf: { class: 'entity-management', activity: 'create', entity: 'connector' },
  },
  'alarm.connector-network': {
    text: 'A connector has called from a network that it was not seen in since this instance was started: of IPv4 the first 24 bits, of IPv6 the first 48. Once in a while for each connector.',
    outcomes: ['success'],
    fields: [...CONNECTOR, 'address'],
    detail: { network: 'Where it called from.', before: 'Where it called from last.' },
    severity: 'medium',
    isAlarm: true,
    ocsf: { class: 'tunnel-activity', activity: 'open' },
  },
  'alarm.strange-claim': {
    text: 'A connector has claimed or declined a request that it was never offered. `refused`: it is of another group, and gets nothing; in its own group whoever claims first has it. Once in a while for each connector.',
    outcomes: ['success', 'refused'],
    fields: [...CONNECTOR, 'requestId'],
    detail: {},
    severity: 'high',
    isAlarm: true,
    ocsf: { class: 'tunnel-activity', activity: 'open' },
  },
  'alarm.connector-failing': {
    text: 'A connector fails again and again at an application that other connectors of its group answer for. Once in a while for each of both; `reason` is the last fault.',
    outcomes: ['failed'],
    fields: [...CONNECTOR, 'applicationId'],
    detail: {
      faults: 'How many in a row.',
      lastFault: 'The last of them.',
      healthy: 'Connectors that have answered for it in the last minute.',
    },
    severity: 'medium',
    ocsf: { class: 'entity-management', activity: 'update', entity: 'connector' },
  },
} as const satisfies Readonly<Record<string, AuditEventKind>>
