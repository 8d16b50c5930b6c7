/** NOT_SENT: nothing of a request was handed on. Who may say it, when, and what is kept of the body. */
import { describe, expect, test } from 'vitest'
import {
  Exchange,
  FIRST_CREDIT_BYTES,
  KeptBody,
  ResetCode,
  type ExchangeHandler,
  type ExchangeOutcome,
  type ExchangeWire,
  type HeaderList,
} from '../../../src/protocol/internal.ts'

/** A wire that is read by hand, and a handler that remembers. */
class End implements ExchangeWire, ExchangeHandler {
  sent = ''
  log: string[] = []
  outcomes: ExchangeOutcome[] = []
  informational = () => void this.log.push('informational')
  respond = () => void this.log.push('respond')
  data = (bytes: Uint8Array, end?: boolean) => {
    this.sent += new TextDecoder().decode(bytes)
    if (end === true) this.log.push('end')
  }
  trailers = (fields: HeaderList) => void this.log.push(`trailers ${fields.join('=')}`)
  credit = (bytes: number) => void this.log.push(`credit ${bytes}`)
  stop = (code: ResetCode) => void this.log.push(`stop ${code}`)
  reset = (code: ResetCode, cause?: number) => void this.log.push(`reset ${code} ${cause}`)
  closed = (outcome?: ExchangeOutcome) => void (outcome && this.outcomes.push(outcome))
  responded = () => void this.log.push('responded')
  ended = () => void this.log.push('ended')
  writable = () => void this.log.push('writable')
  stopped = () => void this.log.push('stopped')
}

const open = (role: 'requester' | 'responder', credit = 10, kept?: KeptBody) => {
  const end = new End()
  const exchange = new Exchange(end, end, {
    ...{ role, now: 0, requestBody: true, kept },
    sendCreditBytes: credit,
    receiveWindowBytes: 10,
  })
  return { end, exchange }
}
const octets = (text: string) => new TextEncoder().encode(text)

describe('the responder', () => {
  test('says it with its cause, first of all', () => {
    const { end, exchange } = open('responder')
    expect(exchange.mayBeNotSent).toBe(true)
    exchange.notSent(ResetCode.APPLICATION_CERTIFICATE)
    expect(end.log).toEqual(['reset 11 12'])
    expect(end.outcomes).toMatchObject([
      { kind: 'failed', notSent: true, error: { reason: 'application-certificate' } },
    ])
    expect(exchange.mayBeNotSent).toBe(false)
  })

  test.each<[string, (exchange: Exchange) => void]>([
    ['an interim answer', (exchange) => exchange.inform({ status: 103, headers: [] })],
    ['its answer', (exchange) => exchange.respond({ status: 200, headers: [] }, false, 0)],
    ['STOP of the request body', (exchange) => exchange.stop(0)],
    [
      'further credit',
      (exchange) => {
        exchange.receivedData(octets('12345'), false, 0)
        exchange.consumed(5, 0)
      },
    ],
  ])('cannot after %s', (_, act) => {
    const { exchange } = open('responder')
    act(exchange)
    expect(exchange.mayBeNotSent).toBe(false)
    expect(() => exchange.notSent(ResetCode.UNREACHABLE)).toThrow('"notSent" is not allowed')
  })

  test('still may when it took octets and granted nothing for them', () => {
    const { exchange } = open('responder')
    exchange.receivedData(octets('1234'), false, 0)
    exchange.consumed(4, 0)
    expect(exchange.mayBeNotSent).toBe(true)
  })
})

describe('the requester', () => {
  test.each([
    [undefined, 'application-unreachable'],
    [ResetCode.UNREACHABLE, 'application-unreachable'],
    [ResetCode.TIMEOUT, 'application-timeout'],
    [ResetCode.APPLICATION_CERTIFICATE, 'application-certificate'],
    [ResetCode.CONNECTOR_EXHAUSTED, 'connector-exhausted'],
  ] as const)('reads cause %s as %s', (cause, reason) => {
    const { end, exchange } = open('requester')
    exchange.receivedReset(ResetCode.NOT_SENT, cause)
    expect(end.outcomes).toMatchObject([{ kind: 'failed', notSent: true, error: { reason } }])
  })

  test.each<[string, (exchange: Exchange) => void]>([
    [
      'an interim answer',
      (exchange) => exchange.receivedInformational({ status: 103, headers: [] }),
    ],
    ['a response', (exchange) => exchange.receivedResponse({ status: 200, headers: [] }, false, 0)],
    ['CREDIT', (exchange) => exchange.receivedCredit(1, 0)],
    ['STOP', (exchange) => exchange.receivedStop(ResetCode.NO_ERROR, 0)],
  ])('takes it for a violation after %s', (_, act) => {
    const { exchange } = open('requester')
    act(exchange)
    expect(() => exchange.receivedReset(ResetCode.NOT_SENT)).toThrow('"notSent" is not allowed')
  })

  test('not after credit that the binding itself gave', () => {
    const { end, exchange } = open('requester')
    exchange.granted(1, 0)
    exchange.receivedReset(ResetCode.NOT_SENT)
    expect(end.outcomes).toMatchObject([{ notSent: true }])
  })
})

describe('what was sent under the first credit', () => {
  test.each([0, 1, FIRST_CREDIT_BYTES - 1, FIRST_CREDIT_BYTES])('is kept: %i octets', (length) => {
    const kept = new KeptBody()
    const first = open('requester', FIRST_CREDIT_BYTES, kept)
    const body = 'x'.repeat(length)
    expect(first.exchange.send(octets(body), 0)).toBe(length)
    first.exchange.end(0, ['A', 'b'])
    expect(first.exchange.keptBytes).toBe(length)
    first.exchange.receivedReset(ResetCode.NOT_SENT)
    expect(kept.isWhole).toBe(true)
    const second = open('requester', FIRST_CREDIT_BYTES, kept)
    expect(second.end.sent).toBe(body)
    expect(second.end.log).toEqual(['trailers A=b'])
    // The user's side knows that the body has ended, and may say so again.
    second.exchange.end(0, ['A', 'b'])
    expect(second.end.log).toEqual(['trailers A=b'])
  })

  test('is kept no longer when more than that was handed over', () => {
    const kept = new KeptBody()
    const { exchange } = open('requester', FIRST_CREDIT_BYTES + 1, kept)
    exchange.send(octets('x'.repeat(FIRST_CREDIT_BYTES)), 0)
    expect(kept.isWhole).toBe(true)
    exchange.send(octets('x'), 0)
    expect([kept.isWhole, exchange.keptBytes]).toEqual([false, 0])
  })

  test.each<[string, (exchange: Exchange) => void]>([
    [
      'an interim answer',
      (exchange) => exchange.receivedInformational({ status: 103, headers: [] }),
    ],
    ['the answer', (exchange) => exchange.receivedResponse({ status: 200, headers: [] }, false, 0)],
    ['further CREDIT', (exchange) => exchange.receivedCredit(1, 0)],
  ])('is let go with %s', (_, act) => {
    const kept = new KeptBody()
    const { exchange } = open('requester', 10, kept)
    exchange.send(octets('hello'), 0)
    act(exchange)
    exchange.send(octets('more'), 0)
    expect([kept.isWhole, kept.bytes]).toEqual([false, 0])
  })

  test('goes first, in the parts that new credit allows; then the user goes on', () => {
    const kept = new KeptBody()
    const first = open('requester', 10, kept)
    first.exchange.send(octets('hello '), 0)
    first.exchange.send(octets('wor'), 0)
    first.exchange.receivedReset(ResetCode.NOT_SENT)
    const second = open('requester', 4, kept)
    expect(second.end.sent).toBe('hell')
    expect(second.exchange.writable).toBe(0)
    expect(second.exchange.send(octets('!'), 0)).toBe(0)
    second.exchange.granted(3, 0)
    expect([second.end.sent, second.end.log]).toEqual(['hello w', []])
    // Given back once more, it begins anew.
    second.exchange.receivedReset(ResetCode.NOT_SENT)
    const third = open('requester', 7, kept)
    third.exchange.receivedCredit(5, 0)
    expect([third.end.sent, third.end.log]).toEqual(['hello wor', ['writable']])
    expect(third.exchange.send(octets('ld, and more'), 0)).toBe(3)
    expect([third.end.sent, kept.bytes, kept.isWhole]).toEqual(['hello world,', 0, false])
  })

  test('a body that ended between two attempts ends in the second', () => {
    const kept = new KeptBody()
    const first = open('requester', 10, kept)
    first.exchange.send(octets('hello'), 0)
    first.exchange.receivedReset(ResetCode.NOT_SENT)
    expect(first.exchange.send(octets('!'), 0)).toBe(0)
    first.exchange.end(0)
    const second = open('requester', 10, kept)
    expect([second.end.sent, second.end.log]).toEqual(['hello', ['end']])
  })

  test('a body that ended while it was sent again ends behind it', () => {
    const kept = new KeptBody()
    const first = open('requester', 10, kept)
    first.exchange.send(octets('hello'), 0)
    first.exchange.receivedReset(ResetCode.NOT_SENT)
    const second = open('requester', 2, kept)
    second.exchange.end(0)
    expect(second.end.log).toEqual([])
    second.exchange.granted(3, 0)
    expect([second.end.sent, second.end.log]).toEqual(['hello', ['end']])
  })
})
