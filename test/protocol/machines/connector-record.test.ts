import { expect, test } from 'vitest'
import {
  mayServe,
  nextConnectorRecord,
  takesOffers,
  type ConnectorRecordEvent,
  type ConnectorRecordState,
} from '../../../src/protocol/internal.ts'

type Standing = ConnectorRecordState['state']

function apply(state: Standing, type: ConnectorRecordEvent['type']) {
  const links: string[] = []
  const from = { state, since: 1 }
  const to = nextConnectorRecord(from, { type, now: 2 }, { links: (fate) => links.push(fate) })
  return { to, links, same: to === from }
}

test.each<[Standing, ConnectorRecordEvent['type'], Standing, string]>([
  ['pending', 'activate', 'active', 'keep'],
  ['active', 'drain', 'draining', 'drain'],
  ['draining', 'activate', 'active', 'keep'],
  ['active', 'disable', 'disabled', 'cut'],
  ['disabled', 'activate', 'active', 'keep'],
  ['draining', 'revoke', 'revoked', 'cut'],
  ['active', 'lapse', 'pending', 'drain'],
  ['draining', 'lapse', 'pending', 'drain'],
  ['pending', 'lapse', 'disabled', 'cut'],
])('a connector that is %s, on %s, becomes %s: its links %s', (from, event, to, fate) => {
  expect(apply(from, event)).toEqual({ to: { state: to, since: 2 }, links: [fate], same: false })
})

test('what it is already, it does not become again', () => {
  expect(apply('active', 'activate')).toMatchObject({ links: [], same: true })
  expect(apply('revoked', 'revoke')).toMatchObject({ links: [], same: true })
  expect(apply('revoked', 'lapse')).toMatchObject({ links: [], same: true })
  expect(apply('disabled', 'lapse')).toMatchObject({ links: [], same: true })
})

test('nothing leads back from revocation', () => {
  for (const event of ['activate', 'drain', 'disable'] as const) {
    expect(() => apply('revoked', event)).toThrow(
      expect.objectContaining({ code: 'ERR_API_MISUSE' }),
    )
  }
})

test('offers go to active connectors; draining ones still serve what they have', () => {
  const standings = ['pending', 'active', 'draining', 'disabled', 'revoked'] as const
  expect(standings.filter(takesOffers)).toEqual(['active'])
  expect(standings.filter(mayServe)).toEqual(['active', 'draining'])
})
