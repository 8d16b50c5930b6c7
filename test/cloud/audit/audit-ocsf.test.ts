import { expect, test } from 'vitest'
import {
  AUDIT_EVENTS,
  toOcsf,
  type AuditEvent,
  type AuditEventKind,
} from '../../../src/cloud/index.ts'
import { OCSF_CLASSES } from '../../../src/cloud/audit/audit-ocsf.ts'

/** An event of the type with every field and detail its row has. */
function full(type: string, outcome: string): AuditEvent {
  const kind: AuditEventKind = AUDIT_EVENTS[type as AuditEvent['type']]
  const fields = Object.fromEntries(kind.fields.map((name) => [name, `the ${name}`]))
  const detail = Object.fromEntries(Object.keys(kind.detail).map((key) => [key, `the ${key}`]))
  const event = { time: 5, id: 'run-1', type, outcome, ...fields, detail }
  return (outcome === 'success' ? event : { ...event, reason: 'because' }) as unknown as AuditEvent
}

const all = Object.entries(AUDIT_EVENTS as Readonly<Record<string, AuditEventKind>>).flatMap(
  ([type, kind]) => kind.outcomes.map((outcome) => [type, outcome, kind] as const),
)

test.each(all)('%s, %s, has its class, and loses nothing', (type, outcome, kind) => {
  const event = toOcsf(full(type, outcome))
  const { uid } = OCSF_CLASSES[kind.ocsf.class]
  expect(event).toMatchObject({
    class_uid: uid,
    category_uid: Math.floor(uid / 1000),
    type_uid: uid * 100 + event.activity_id,
    time: 5,
    status_id: outcome === 'success' ? 1 : 2,
    metadata: { version: '1.6.0', event_code: type, uid: 'run-1', product: { name: 'app-proxy' } },
  })
  expect(event.activity_id).toBeGreaterThan(0)
  const text = JSON.stringify(event)
  for (const name of kind.fields) expect(text, name).toContain(`the ${name}`)
  for (const key of Object.keys(kind.detail)) expect(text, key).toContain(`the ${key}`)
  if (outcome !== 'success') expect(event).toMatchObject({ status_code: 'because' })
  expect(Object.values(event)).not.toContain(undefined)
})

test('a sign-in says who, to what, from which request', () => {
  const event = toOcsf({
    time: 1,
    type: 'sign-in.denied',
    outcome: 'refused',
    reason: 'not-assigned',
    tenantId: 'contoso',
    applicationId: 'intranet',
    subject: 'bob',
    requestId: '0123',
    detail: { source: 'sign-in' },
  })
  expect(event).toMatchObject({
    class_uid: 3002,
    activity_id: 1,
    type_uid: 300_201,
    severity_id: 2,
    status_id: 2,
    status_code: 'not-assigned',
    status_detail: 'refused: not-assigned',
    actor: { user: { uid: 'bob' } },
    user: { uid: 'bob' },
    service: { uid: 'intranet' },
    metadata: { correlation_uid: '0123', tenant_uid: 'contoso' },
    unmapped: { source: 'sign-in' },
  })
})
