/**
 * One line per state × event pair of every machine: what the table says is what `Machine` does.
 *
 * @module
 */
import { describe, expect, test } from 'vitest'
import { Machine, type AnyTable } from '../src/protocol/machines/table.ts'
import { machines, otherTables, type MachineTable, type OtherTable } from './generate/machines.ts'

const found = await machines()
const others = await otherTables()
const all: readonly (OtherTable & Partial<Pick<MachineTable, 'peer'>>)[] = [...found, ...others]

test('the machines of both planes are found', () =>
  expect(found.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'APPLICATION_DETAILS',
      'BODY_RECEIVER',
      'BODY_SENDER',
      'CERTIFICATE',
      'CLAIM',
      'CONFIGURATION',
      'DIALER',
      'HANDSHAKE_EXCHANGE',
      'OFFER',
      'PACED_RELAY',
      'CERTIFICATION',
      'REGISTRATION',
      'RELAYED_ANSWER',
      'REQUESTER',
      'RESPONDER',
      'SIGN_IN',
    ]),
  ))

test('so are the tables of the other rooms', () =>
  expect(others.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'BACKEND_ORDER',
      'FETCH_EXCHANGE',
      'HELD_END',
      'HTTP2_SESSION',
      'HTTP2_STREAM',
      'LANE_CALL',
      'OWN_CONNECTION',
      'SIGNING',
      'TICKET',
    ]),
  ))

describe.each(all)('$title', ({ title, table, peer }) => {
  const states = Object.keys(table)

  test('every state can be reached from the first', () =>
    expect([...reachable(table)].sort()).toEqual([...states].sort()))

  test('every row has the same events', () => {
    for (const state of states)
      expect(Object.keys(table[state]!)).toEqual(Object.keys(table[states[0]!]!))
  })

  describe.each(states)(`a ${title} that is %s`, (state) => {
    test.each(Object.entries(table[state]!))('on %s → %s', (event, cell) => {
      const machine = new Machine(table, state)
      if (cell === 'misuse' || cell === 'violation') {
        // Blame: our caller's bug is never the peer's fault, and the other way round.
        if (peer !== undefined) expect(peer.includes(event)).toBe(cell === 'violation')
        const code = cell === 'misuse' ? 'ERR_API_MISUSE' : 'ERR_PEER_VIOLATION'
        const refusal = `"${event}" is not allowed in state "${state}"`
        expect(() => machine.step(event)).toThrow(
          expect.objectContaining({ code, message: expect.stringContaining(refusal) }),
        )
        expect(machine.state).toBe(state)
        return
      }
      expect(machine.step(event)).toBe(cell !== 'ignored')
      expect(machine.state).toBe(cell === 'ignored' ? state : cell)
    })
  })
})

/** The states that some sequence of events leads to. */
function reachable(table: AnyTable): ReadonlySet<string> {
  const found = new Set([Object.keys(table)[0]!])
  for (const state of found)
    for (const next of Object.values(table[state]!)) if (next in table) found.add(next)
  return found
}
