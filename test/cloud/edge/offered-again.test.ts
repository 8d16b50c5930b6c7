/** What a connector could not send goes to another one, whole; the user notices nothing but the time it takes. */
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { tenantKey } from '../../../src/cloud/index.ts'
import {
  FIRST_CREDIT_BYTES,
  ResetCode,
  type ExchangeWire,
  type Offer,
} from '../../../src/protocol/internal.ts'
import { edgeWorld, octets, type EdgeWorld, type MemoryUser } from './edge-world.ts'

const UPLOAD = { method: 'POST', headers: ['Transfer-Encoding', 'chunked'] } as const

let world: EdgeWorld
let others: Offer[]
beforeEach(async () => {
  world = await edgeWorld()
  others = []
})

/** Another connector of the group. */
function join(connectorId = 'd'): void {
  world.origin.attach(tenantKey('contoso', 'default'), {
    ...{ connectorId, features: ['upgrade'], offers: 1000, grants: 10 },
    offer: (offer: Offer) => void others.push(offer),
  })
}

/** It takes the last offer that it got. */
function taken(connectorId = 'd', credit = FIRST_CREDIT_BYTES) {
  const { id, attempt } = others.at(-1)!
  const got = { bytes: 0, text: '', end: undefined as unknown }
  const wire: ExchangeWire = {
    ...{ informational: nothing, respond: nothing, credit: nothing, stop: nothing },
    ...{ reset: nothing, closed: nothing },
    data: (bytes, end) => {
      got.bytes += bytes.length
      if (bytes.length < 100) got.text += new TextDecoder().decode(bytes)
      if (end) got.end = true
    },
    trailers: (fields) => void (got.end = fields),
  }
  const claimer = { tenantId: 'contoso', groupId: 'default', connectorId }
  const answer = world.origin.claim(claimer, { id, attempt, credit }, wire, { windowBytes: 65_536 })
  return { ...answer!, got }
}

/** The first connector takes it, gets what its credit allows, and reaches nobody. */
function notSent(
  user: MemoryUser,
  body = '',
  cause: 5 | 4 | 12 | 13 = ResetCode.UNREACHABLE,
): void {
  const { exchange } = world.claim(FIRST_CREDIT_BYTES)
  if (body !== '') user.events.data(octets(body))
  exchange.receivedReset(ResetCode.NOT_SENT, cause)
}

describe('a request that a connector could not send', () => {
  test('is offered to another, whatever its method, and confirmed there anew', () => {
    const user = world.ask({ method: 'DELETE' })
    join()
    notSent(user)
    expect(others).toMatchObject([{ id: world.offers[0]!.id, attempt: 2, method: 'DELETE' }])
    const { exchange, confirm } = taken()
    expect(confirm).toBe(true)
    exchange.receivedResponse({ status: 204, headers: [] }, true, 0)
    expect(user.status).toBe(204)
    expect(world.origin.open).toBe(0)
  })

  test('is not offered to the same one again: 502 in the words of the cause', () => {
    const user = world.ask({ method: 'DELETE' })
    notSent(user, '', ResetCode.APPLICATION_CERTIFICATE)
    expect(world.offers).toHaveLength(1)
    expect([user.status, user.code]).toEqual([502, 'application-certificate'])
    const problem = JSON.parse(user.one('write')![0] as string) as Record<string, unknown>
    expect(problem['delivery']).toBe('none')
  })

  test.each([
    [ResetCode.UNREACHABLE, 502, 'application-unreachable'],
    [ResetCode.TIMEOUT, 504, 'application-timeout'],
    [ResetCode.CONNECTOR_EXHAUSTED, 502, 'connector-exhausted'],
  ] as const)('of all connectors alike, cause %i: %i %s', (cause, status, reason) => {
    const user = world.ask({})
    join()
    notSent(user, '', ResetCode.APPLICATION_CERTIFICATE)
    taken().exchange.receivedReset(ResetCode.NOT_SENT, cause)
    expect([user.status, user.code]).toEqual([status, reason])
  })

  test('has as long to its answer as is left', () => {
    const user = world.ask({})
    join()
    expect(world.offers[0]!.answerMs).toBe(85_000)
    const { exchange } = world.claim()
    world.clock.now += 3_000
    exchange.receivedReset(ResetCode.NOT_SENT)
    expect(others[0]!.answerMs).toBe(82_000)
    expect(user.said).toEqual([])
  })
})

test('a silent claim of a safe request is given up, and what still comes of it is discarded', async () => {
  const user = world.ask({})
  join()
  const first = world.claim()
  world.clock.now += 5_000
  await vi.waitFor(() => expect(others).toHaveLength(1))
  expect(first.sent).toEqual([['reset', ResetCode.CANCELLED], ['closed']])
  first.exchange.receivedResponse({ status: 200, headers: [] }, true, 0)
  expect(user.said).toEqual([])
  taken().exchange.receivedResponse({ status: 204, headers: [] }, true, 0)
  expect(user.status).toBe(204)
  expect(world.origin.open).toBe(0)
})

describe('of its body', () => {
  test.each([0, 1, FIRST_CREDIT_BYTES - 1, FIRST_CREDIT_BYTES])(
    '%i octets that were sent already go to the other connector first, and the trailers',
    (length) => {
      const user = world.ask(UPLOAD)
      join()
      const { exchange } = world.claim(FIRST_CREDIT_BYTES)
      if (length > 0) user.events.data(octets('x'.repeat(length)))
      user.events.ended(['X-Sum', '1'])
      exchange.receivedReset(ResetCode.NOT_SENT)
      const { got } = taken()
      expect([got.bytes, got.end]).toEqual([length, ['X-Sum', '1']])
    },
  )

  test('what comes beyond the first credit waits, and follows what is sent again', () => {
    const user = world.ask(UPLOAD)
    join()
    const { exchange } = world.claim(FIRST_CREDIT_BYTES)
    user.events.data(octets('x'.repeat(FIRST_CREDIT_BYTES + 1)))
    expect(user.verbs).toEqual(['startBody', 'pauseBody'])
    exchange.receivedReset(ResetCode.NOT_SENT)
    const again = taken()
    expect(again.got.bytes).toBe(FIRST_CREDIT_BYTES)
    again.exchange.receivedCredit(5 * 1024 * 1024, 0)
    expect(again.got.bytes).toBe(FIRST_CREDIT_BYTES + 1)
    for (let i = 0; i < 50; i++) user.events.data(octets('x'.repeat(100_000)))
    user.events.ended(undefined)
    expect([again.got.bytes, again.got.end]).toEqual([FIRST_CREDIT_BYTES + 1 + 5_000_000, true])
  })

  test('what comes between two claims waits, in order, and its user is asked for it once', () => {
    const user = world.ask(UPLOAD)
    join()
    notSent(user, 'hello')
    user.events.data(octets(' world'))
    user.events.ended(undefined)
    const { got } = taken()
    expect([got.text, got.end]).toEqual(['hello world', true])
    // The pull, and with it `100 Continue`, is the first claim's alone.
    expect(user.verbs.filter((verb) => verb === 'startBody')).toHaveLength(1)
  })

  test('what the application may have got is not sent again', () => {
    const user = world.ask(UPLOAD)
    join()
    const { exchange } = world.claim(10)
    user.events.data(octets('hello'))
    exchange.receivedCredit(10, 0)
    expect(() => exchange.receivedReset(ResetCode.NOT_SENT)).toThrow('"notSent" is not allowed')
    expect(others).toEqual([])
  })

  test('a user who leaves in between takes the offer with them', () => {
    const user = world.ask(UPLOAD)
    join()
    const { exchange } = world.claim(10)
    user.events.data(octets('hello'))
    exchange.receivedReset(ResetCode.NOT_SENT)
    user.events.gone(false)
    expect(world.origin.open).toBe(0)
    const { id, attempt } = others[0]!
    const claimer = { tenantId: 'contoso', groupId: 'default', connectorId: 'd' }
    const claim = { id, attempt, credit: 10 }
    expect(world.origin.claim(claimer, claim, {} as never, { windowBytes: 1 })).toBeUndefined()
  })
})

const nothing = () => undefined
