/**
 * What is written down where somebody should look: rows of the table in audit-events.ts.
 *
 * @module
 */
import type { AuditEventKind } from './audit-events.ts'

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
} as const satisfies Readonly<Record<string, AuditEventKind>>
