/** Alarms: what raises them, what does not, and once in a while. In virtual time. */
import { expect, test } from 'vitest'
import { ConnectorAlarms } from '../../../src/cloud/connectors/connector-alarms.ts'
import { toOcsf } from '../../../src/cloud/audit/audit-ocsf.ts'
import type { AuditEvent } from '../../../src/cloud/index.ts'

const MINUTE = 60_000
function world(thresholds: object = {}) {
  const clock = { now: 1_000 }
  const events: AuditEvent[] = []
  const clocks = { now: () => clock.now, wallClock: () => clock.now }
  const audit = { write: (event: AuditEvent) => void events.push(event) }
  return { clock, events, alarms: new ConnectorAlarms({ audit, clocks, ...thresholds }) }
}

test('many registrations of one tenant, once in the time', () => {
  const { alarms, events, clock } = world({ registrations: 3 })
  for (let i = 0; i < 2; i++) alarms.registered('contoso')
  for (let i = 0; i < 2; i++) alarms.registered('fabrikam')
  expect(events).toEqual([])
  for (let i = 0; i < 50; i++) alarms.registered('contoso')
  expect(events).toMatchObject([
    { type: 'alarm.registrations', tenantId: 'contoso', detail: { count: 3, windowMs: 600_000 } },
  ])
  clock.now += 10 * MINUTE
  for (let i = 0; i < 3; i++) alarms.registered('contoso')
  expect(events).toHaveLength(2)
})

test('few registrations over a long time are no alarm', () => {
  const { alarms, events, clock } = world()
  for (let i = 0; i < 100; i++) {
    alarms.registered('contoso')
    clock.now += 70_000
  }
  expect(events).toEqual([])
})

test('a connector from another network, and neither its first nor one that is known', () => {
  const { alarms, events, clock } = world()
  const c = { id: 'c', tenantId: 'contoso' }
  for (const address of ['192.0.2.1', '192.0.2.200', '::ffff:192.0.2.9', undefined, 'unix'])
    alarms.called(c, address)
  alarms.called({ id: 'd', tenantId: 'contoso' }, '198.51.100.7')
  expect(events).toEqual([])
  alarms.called(c, '198.51.100.7')
  expect(events).toMatchObject([
    {
      ...{ type: 'alarm.connector-network', connectorId: 'c', address: '198.51.100.7' },
      detail: { network: '198.51.100.0/24', before: '192.0.2.0/24' },
    },
  ])
  clock.now += 10 * MINUTE
  for (const address of ['192.0.2.1', '198.51.100.8', '192.0.2.1']) alarms.called(c, address)
  expect(events).toHaveLength(1)
  alarms.called(c, '2001:db8::1')
  alarms.called(c, '2001:db8:0:ffff::1')
  // Another within the time is none.
  alarms.called(c, '2001:db8:1::1')
  expect(events).toHaveLength(2)
})

test('a connector that moves all the time is remembered by few networks', () => {
  const { alarms, events, clock } = world()
  for (let i = 0; i < 40; i++) {
    alarms.called({ id: 'c', tenantId: 'contoso' }, `10.0.${i % 20}.1`)
    clock.now += 11 * MINUTE
  }
  expect(events).toHaveLength(39)
})

test('each connector and application that fails, once in the time', () => {
  const { alarms, events, clock } = world()
  const one = { tenantId: 'contoso', faults: 3, lastFault: 'lost', healthy: 2 }
  const asked: number[] = []
  const look = () =>
    alarms.look((faults) => {
      asked.push(faults)
      return ['wiki', 'mail'].map((applicationId) => ({ ...one, connectorId: 'c', applicationId }))
    })
  for (let i = 0; i < 100; i++) look()
  expect(asked[0]).toBe(3)
  expect(events).toMatchObject([
    { type: 'alarm.connector-failing', applicationId: 'wiki', reason: 'lost', outcome: 'failed' },
    { type: 'alarm.connector-failing', applicationId: 'mail', detail: { healthy: 2 } },
  ])
  clock.now += 10 * MINUTE
  look()
  expect(events).toHaveLength(4)
})

test('an alarm asks for attention in OCSF as well, though nothing was refused', () => {
  const { alarms, events } = world({ registrations: 1 })
  alarms.registered('contoso')
  expect(toOcsf(events[0]!)).toMatchObject({ severity_id: 4, status_id: 1 })
})
