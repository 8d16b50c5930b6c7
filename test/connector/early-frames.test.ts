/** What a cloud may not say yet: each is its violation of that exchange, and not our fault. */
import { describe, expect, test } from 'vitest'
import { Worker, type Backend, type ClaimedJob } from '../../src/connector/index.ts'
import { Exchange, ResetCode, type Offer } from '../../src/protocol/internal.ts'
import { detailsAt } from './node/observed-call.ts'

const OFFER: Offer = {
  id: '0'.repeat(32),
  attempt: 1,
  applicationId: 'app',
  applicationVersion: 'v1',
  method: 'POST',
  target: '/',
  headers: [],
  user: undefined,
  body: { kind: 'streamed' },
  upgrade: undefined,
  remainingMs: 5_000,
  origin: 'cloud-1',
}

const nothing = (): void => undefined

/** A claimed offer whose confirmation has not come. */
function unconfirmed(offer: Offer) {
  let job!: ClaimedJob
  let exchange!: Exchange
  const resets: ResetCode[] = []
  const wire = {
    ...{ informational: nothing, respond: nothing, data: nothing, trailers: nothing },
    ...{ credit: nothing, stop: nothing, closed: nothing },
    reset: (code: ResetCode) => void resets.push(code),
  }
  const calls: unknown[] = []
  const backend: Backend = {
    call(request) {
      calls.push(request)
      return { write: () => true, end: nothing, pause: nothing, resume: nothing, abort: nothing }
    },
    close: async () => undefined,
  }
  const worker = new Worker({
    backend,
    clocks: { now: () => 0, wallClock: () => 0 },
    applications: { details: () => detailsAt(1) },
  })
  worker.offered(offer, {
    decline: nothing,
    release: nothing,
    claim(claimed) {
      job = claimed
      exchange = new Exchange(wire, claimed, {
        role: 'responder',
        now: 0,
        requestBody: offer.body.kind !== 'none',
        sendCreditBytes: 100,
        receiveWindowBytes: offer.body.kind === 'none' ? 0 : 100,
        ...(offer.upgrade !== undefined && { upgradeWindowBytes: 100 }),
      })
      return exchange
    },
  })
  return { job, exchange, resets, calls, worker }
}

const SAID: readonly (readonly [string, (exchange: Exchange) => void])[] = [
  ['DATA', (exchange) => exchange.receivedData(new Uint8Array(1), false, 0)],
  ['DATA with END', (exchange) => exchange.receivedData(new Uint8Array(1), true, 0)],
  ['an empty END', (exchange) => exchange.receivedData(new Uint8Array(0), true, 0)],
  ['TRAILERS', (exchange) => exchange.receivedTrailers(['a', 'b'], 0)],
  ['STOP', (exchange) => exchange.receivedStop(ResetCode.NO_ERROR, 0)],
]
const violation = expect.objectContaining({ name: 'PeerViolation' })

describe.each([
  ['a body', OFFER],
  ['an upgrade', { ...OFFER, method: 'GET', body: { kind: 'none' }, upgrade: 'echo' } as const],
])('of a request with %s, before CONFIRM', (_, offer) => {
  test.each(SAID)('%s', (_name, say) => {
    const { exchange, worker, calls } = unconfirmed(offer)
    let error: unknown
    try {
      say(exchange)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toEqual(violation)
    exchange.violated(error as never)
    expect({ calls, busy: worker.busy, state: exchange.state }).toEqual({
      calls: [],
      busy: 0,
      state: 'failed',
    })
  })
})

test.each(SAID)('%s before the 101 of an upgrade that is confirmed', (_, say) => {
  const { job, exchange } = unconfirmed({
    ...OFFER,
    method: 'GET',
    body: { kind: 'none' },
    upgrade: 'echo',
  })
  job.confirmed()
  expect(() => say(exchange)).toThrow(violation)
})
