/**
 * The reference of audit events, from their table.
 *
 * @module
 */
import {
  AUDIT_EVENTS,
  type AuditEventKind,
  type OcsfKind,
} from '../../src/cloud/audit/audit-events.ts'
import { OCSF_CLASSES, ocsfActivity } from '../../src/cloud/audit/audit-ocsf.ts'
import { markdownTable } from './tables.ts'

/** Every event: when, with which outcomes and fields, and what it is in OCSF. */
export function auditEvents(): string {
  const kinds: Readonly<Record<string, AuditEventKind>> = AUDIT_EVENTS
  const rows = Object.entries(kinds).map(([type, kind]) => [
    `\`${type}\``,
    kind.text,
    kind.outcomes.join(', '),
    codes(kind.fields),
    kind.severity,
    ocsf(kind.ocsf),
  ])
  const details = Object.entries(kinds).flatMap(([type, { detail }]) =>
    Object.entries(detail).map(([key, text]) => [`\`${type}\``, `\`${key}\``, text]),
  )
  return [
    markdownTable(['type', 'when', 'outcomes', 'fields', 'severity', 'OCSF'], rows),
    'What `detail` may hold:',
    markdownTable(['type', 'key', 'meaning'], details),
  ].join('\n\n')
}

const codes = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(', ')

function ocsf(kind: OcsfKind): string {
  const { uid, name } = OCSF_CLASSES[kind.class]
  const activity = kind.activity === 'method' ? 'by method' : String(ocsfActivity(kind))
  return `${name} ${uid}, activity ${activity}`
}
