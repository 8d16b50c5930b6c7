/**
 * What is written down of enrolment tickets: rows of the table in audit-events.ts.
 *
 * @module
 */
import type { AuditEventKind } from './audit-events.ts'

const TICKET = {
  ticketId: 'Its public name; opens nothing.',
  groupId: 'The group its connector joins.',
  standing: '`active`, or `pending` until an operator approves.',
  keyId: 'SHA-256 of the one public key it is good for.',
  expiresAt: 'Its end, milliseconds since 1970.',
  operator: "Who made it, where that is the service's operator.",
} as const

export const TICKET_EVENTS = {
  'ticket.created': {
    text: 'Somebody has made a one-time ticket by which a connector can be registered, or was refused one.',
    outcomes: ['success', 'refused', 'failed'],
    fields: ['tenantId', 'subject'],
    detail: { ...TICKET, because: 'What was wrong with the order.' },
    severity: 'medium',
    ocsf: { class: 'entity-management', activity: 'create', entity: 'ticket' },
  },
  'ticket.revoked': {
    text: 'A ticket that nobody had used was ended before its time.',
    outcomes: ['success'],
    fields: ['tenantId', 'subject'],
    detail: TICKET,
    severity: 'informational',
    ocsf: { class: 'entity-management', activity: 'delete', entity: 'ticket' },
  },
  'ticket.expired': {
    text: 'The time of a ticket that nobody had used is over. Its use is a `connector.registration`.',
    outcomes: ['success'],
    fields: ['tenantId', 'subject'],
    detail: TICKET,
    severity: 'informational',
    ocsf: { class: 'entity-management', activity: 'delete', entity: 'ticket' },
  },
} as const satisfies Readonly<Record<string, AuditEventKind>>
