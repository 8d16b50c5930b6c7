import { expect, test } from 'vitest'
import { Exchange, ResetCode } from '../../../src/protocol/internal.ts'

const nothing = (): void => undefined

test('a STOP of a response that has not begun is the peer’s fault, not ours', () => {
  const wire = {
    ...{ informational: nothing, respond: nothing, data: nothing, trailers: nothing },
    ...{ credit: nothing, stop: nothing, reset: nothing, closed: nothing },
  }
  const handler = {
    data: nothing,
    ended: nothing,
    writable: nothing,
    stopped: nothing,
    closed: nothing,
  }
  const exchange = new Exchange(wire, handler, {
    role: 'responder',
    now: 0,
    requestBody: false,
    sendCreditBytes: 10,
    receiveWindowBytes: 0,
  })
  expect(() => exchange.receivedStop(ResetCode.NO_ERROR, 0)).toThrow(
    expect.objectContaining({ name: 'PeerViolation' }),
  )
})
