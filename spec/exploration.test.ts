/**
 * All interleavings at small bounds: polite peers never meet a refusal, no window is overrun, nothing stalls, and every
 * cell that ignores a peer's event has a witness. A cell without one ought to be a violation.
 *
 * @module
 */
import { describe, expect, test } from 'vitest'
import { bodyExploration } from './body-world.ts'
import { exchangeExploration } from './exchange-world.ts'
import { explore, type Findings } from './explore.ts'
import { machines } from './generate/machines.ts'
import { offerExploration } from './offer-world.ts'

const tables = await machines()

/** The cells that ignore what the peer says, as witnesses name them. */
function ignoredCells(...names: string[]): string[] {
  return tables
    .filter(({ name }) => names.includes(name))
    .flatMap(({ name, table, peer }) =>
      Object.entries(table).flatMap(([state, row]) =>
        peer
          .filter((event) => row[event] === 'ignored')
          .map((event) => `${name} ${state} ${event}`),
      ),
    )
}

const isPolite = ({ refusals, faults, stalls }: Findings) =>
  expect({ refusals, faults, stalls }).toEqual({ refusals: [], faults: [], stalls: [] })

describe('a body sender and its receiver', () => {
  const small = explore(bodyExploration(4, 9))
  const wide = explore(bodyExploration(8, 9))
  const growing = explore(bodyExploration(2, 9, 8))

  test('window of 4 bytes: no refusal, no overrun, no stall', () => {
    isPolite(small)
    expect(small.states).toBeGreaterThan(5_000)
  })

  test('window of 8 bytes: no refusal, no overrun, no stall', () => {
    isPolite(wide)
    expect(wide.states).toBeGreaterThan(20_000)
  })

  test('a window that grows from 2 bytes to 8: no refusal, no overrun, no stall', () => {
    isPolite(growing)
    expect(growing.states).toBeGreaterThan(20_000)
  })

  test.each(ignoredCells('BODY_SENDER', 'BODY_RECEIVER'))('a witness: %s', (cell) =>
    expect([...small.witnesses.keys()]).toContain(cell),
  )
})

describe('the two ends of an exchange', () => {
  const bodiless = explore(
    exchangeExploration({ requestBytes: 0, responseBytes: 3, windowBytes: 2 }),
  )
  const both = explore(exchangeExploration({ requestBytes: 1, responseBytes: 1, windowBytes: 1 }))
  const upgraded = explore(
    exchangeExploration({ requestBytes: 1, responseBytes: 2, windowBytes: 2, upgrade: true }),
  )

  test('no request body: no refusal, no overrun, no stall', () => isPolite(bodiless))

  test('one body each way: no refusal, no overrun, no stall', () => {
    isPolite(both)
    expect(both.states).toBeGreaterThan(50_000)
  })

  test('an upgrade: no refusal, no overrun, no stall', () => isPolite(upgraded))

  test.each(ignoredCells('REQUESTER', 'RESPONDER'))('a witness: %s', (cell) =>
    expect([bodiless, both, upgraded].flatMap(({ witnesses }) => [...witnesses.keys()])).toContain(
      cell,
    ),
  )
})

describe('an exchange on offer, and the connectors of two links that claim it', () => {
  const replayable = explore(offerExploration({ isReplayable: true, attempts: 2 }))
  const once = explore(offerExploration({ isReplayable: false, attempts: 3 }))
  const doubled = explore(offerExploration({ isReplayable: true, isDoubled: true, attempts: 1 }))
  const doubledOnce = explore(
    offerExploration({ isReplayable: false, isDoubled: true, attempts: 1 }),
  )

  const prepared = explore(offerExploration({ isReplayable: true, isPrepared: true, attempts: 2 }))
  const preparedOnce = explore(
    offerExploration({ isReplayable: false, isPrepared: true, attempts: 3 }),
  )

  test('a replayable request is given up once at most', () => isPolite(replayable))

  test('a request that is not replayable runs at most once', () => {
    isPolite(once)
    expect(once.states).toBeGreaterThan(10_000)
  })

  test('nor is anything else so where what an attempt carries is made first', () => {
    isPolite(prepared)
    isPolite(preparedOnce)
  })

  test('nor does it run twice where a broker brings each offer to both', () => {
    isPolite(doubled)
    isPolite(doubledOnce)
  })

  test.each(ignoredCells('OFFER'))('a witness: %s', (cell) =>
    expect(
      [replayable, once, prepared, preparedOnce, doubled, doubledOnce].flatMap(({ witnesses }) => [
        ...witnesses.keys(),
      ]),
    ).toContain(cell),
  )
})
