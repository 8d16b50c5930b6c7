/**
 * What is written down of operators and of what time does in their place: rows of the table in
 * audit-events.ts.
 *
 * @module
 */
import type { AuditEventKind } from './audit-events.ts'

const CONNECTOR = ['tenantId', 'connectorId'] as const

export const ADMIN_EVENTS = {
  'admin.call': {
    text: 'An operator has called the admin API. Written before what was asked for is done; if it then is not done, there is a second one that says why.',
    outcomes: ['success', 'refused', 'failed'],
    fields: [...CONNECTOR, 'subject', 'address'],
    detail: {
      method: 'The method of the call.',
      operation: 'The operation, as docs/admin-api.md names it.',
      by: '`token`, or `local token`.',
      issuer: 'Who issued the token.',
      roles: "The caller's roles.",
      operator: 'The name of a caller who is nobody of an issuer.',
      change: 'What is to be changed: a group, a name, a time, a session. No secret.',
      status: 'HTTP status of the answer, where nothing was done.',
    },
    severity: 'medium',
    ocsf: { class: 'http-activity', activity: 'method' },
  },
  'configuration.applied': {
    text: 'Another version of the configuration is to be in force. Written before it is kept; if it then is not, there is a second one that says why.',
    outcomes: ['success', 'failed'],
    fields: ['tenantId'],
    detail: {
      version: 'Its number.',
      by: '`operator`, or `file` where the configuration file of an instance was changed.',
      name: 'The operator, or the instance.',
      comment: 'Why, in their words.',
      restored: 'The version that is put back.',
      changes: 'What comes, goes or is another, by its id; 100 at the most.',
    },
    severity: 'medium',
    ocsf: { class: 'entity-management', activity: 'update', entity: 'configuration' },
  },
  'connector.lapsed': {
    text: "The time of a connector's approval is over, or that of its wait for one.",
    outcomes: ['success'],
    fields: CONNECTOR,
    detail: { standing: 'What it is now: `pending`, or `disabled` where it waited in vain.' },
    severity: 'informational',
    ocsf: { class: 'entity-management', activity: 'disable', entity: 'connector' },
  },
} as const satisfies Readonly<Record<string, AuditEventKind>>
