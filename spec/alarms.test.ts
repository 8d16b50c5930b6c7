/** What somebody should look at: alarms of the audit, over the real dispatcher and registration. */
import { expect, test } from 'vitest'
import { ConnectorAlarms } from '../src/cloud/connectors/connector-alarms.ts'
import { tenantKey } from '../src/cloud/index.ts'
import { Origin } from '../src/cloud/offers/origin.ts'
import type { Offer } from '../src/protocol/internal.ts'
import { recordedAudit } from '../test/recorded-audit.ts'
import { newKeys, requestFor } from '../test/cloud/trust.ts'
import { adminWorld } from './admin-world.ts'

/** An origin with two connectors of one group, in virtual time. */
function twoConnectors() {
  const clock = { now: 1_000 }
  const clocks = { now: () => clock.now, wallClock: () => clock.now }
  const audit = recordedAudit()
  const alarms = new ConnectorAlarms({ audit, clocks })
  const origin = new Origin({
    ...{ instance: 'cloud-1', clocks, crypto },
    strange: (connector, id, isOfGroup) => alarms.strange(connector, id, isOfGroup),
  })
  const group = tenantKey('contoso', 'default')
  const offers: { to: string; offer: Offer }[] = []
  const links = ['good', 'bad'].map((connectorId) => {
    const link = {
      ...{ connectorId, features: [], offers: 100, grants: 100 },
      offer: (offer: Offer) => void offers.push({ to: connectorId, offer }),
    }
    origin.attach(group, link)
    return link
  })
  const to = {
    ...{ tenantId: 'contoso', groupId: 'default', group, patience: undefined },
    ...{ application: tenantKey('contoso', 'wiki'), responseHeadMs: 60_000 },
  }
  const submit = () =>
    origin.submit(
      {
        ...{ applicationId: 'wiki', applicationVersion: '1', method: 'GET', target: '/' },
        ...{ headers: [], user: undefined, body: { kind: 'none' }, upgrade: undefined },
      },
      to,
      { claimed: () => undefined, failed: () => undefined, closed: () => undefined } as never,
    )
  const claimer = (connectorId: string, groupId = 'default') => ({
    ...{ tenantId: 'contoso', groupId, connectorId },
  })
  const claim = (connectorId: string, { id, attempt }: Offer, groupId?: string) =>
    origin.claim(claimer(connectorId, groupId), { id, attempt, credit: 0 }, WIRE, {
      windowBytes: 65_536,
    })
  return { clock, origin, audit: audit.events, alarms, offers, links, submit, claim, claimer }
}
const WIRE = new Proxy({}, { get: () => () => undefined }) as never

test('R8.8e a connector that claims or declines what it was not offered is told of', () => {
  const world = twoConnectors()
  world.submit()
  const { to, offer } = world.offers[0]!
  const other = to === 'good' ? 'bad' : 'good'
  const { id, attempt } = offer
  world.origin.declined(world.claimer(other), { id, attempt, reason: 'overloaded' })
  // Of another group, and an attempt that was never made: both get nothing.
  expect(world.claim('elsewhere', offer, 'other')).toBeUndefined()
  expect(world.claim('mad', { ...offer, attempt: attempt + 1 })).toBeUndefined()
  expect(world.audit.map(({ outcome, connectorId }) => [outcome, connectorId])).toEqual([
    ['success', other],
    ['refused', 'elsewhere'],
    ['success', 'mad'],
  ])
  expect(new Set(world.audit.map(({ type }) => type))).toEqual(new Set(['alarm.strange-claim']))
  expect(world.claim(to, offer)).toBeDefined()
  expect(world.audit).toHaveLength(3)
})

test('R8.8e one that comes too late is no alarm', () => {
  const world = twoConnectors()
  world.submit()
  const first = world.offers[0]!
  const lost = world.links.find(({ connectorId }) => connectorId === first.to)!
  world.origin.lost(lost)
  const second = world.offers[1]!
  expect(second.to).not.toBe(first.to)
  expect(world.claim(first.to, first.offer)).toBeUndefined()
  expect(world.claim(second.to, second.offer)).toBeDefined()
  expect(world.claim(first.to, first.offer)).toBeUndefined()
  expect(world.audit).toEqual([])
})

test('R8.8e a connector that fails at what another serves is told of; one that all fail at is not', () => {
  const world = twoConnectors()
  const { clock, origin, alarms, audit } = world
  const serve = (good: boolean) => {
    for (let i = 0; i < 40; i++) {
      world.submit()
      clock.now += 5_000
      for (const { to, offer } of world.offers.splice(0)) {
        if (to === 'bad' || !good) origin.outcome(offer.id, 'lost', to)
        else {
          world.claim(to, offer)
          origin.outcome(offer.id, 'answered', to)
        }
        origin.outcome(offer.id, 'ended', to)
      }
      alarms.look(origin.counted().failing)
    }
  }
  serve(false)
  expect(audit).toEqual([])
  serve(true)
  expect(audit).toMatchObject([
    {
      ...{ type: 'alarm.connector-failing', outcome: 'failed', reason: 'lost' },
      ...{ tenantId: 'contoso', connectorId: 'bad', applicationId: 'wiki', detail: { healthy: 1 } },
    },
  ])
})

test('R8.8e many registrations of a tenant are told of, once', async () => {
  const world = await adminWorld()
  try {
    const { cloud } = world
    const alarms = () => world.audit.events.filter(({ type }) => type === 'alarm.registrations')
    for (let i = 0; i < 12; i++) {
      expect(alarms()).toHaveLength(i < 10 ? 0 : 1)
      const order = { tenantId: 'contoso', by: { operator: 'carol' } }
      const { ticket } = await cloud.createEnrolmentTicket(order)
      const reply = await cloud.registration.register({
        ...{ v: 1, type: 'registration', ticket, request: await requestFor(await newKeys()) },
        ...{ instance: { name: 'c', version: '1' }, features: ['enrolment-ticket'] },
      })
      expect(reply.type).toBe('registered')
    }
    expect(alarms()).toMatchObject([{ tenantId: 'contoso', detail: { count: 10 } }])
  } finally {
    await world.close()
  }
})
