import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { UserRequestHead } from '../../../src/cloud/index.ts'
import { edgeWorld, HOST, octets, type EdgeWorld } from './edge-world.ts'

let world: EdgeWorld
beforeEach(async () => {
  world = await edgeWorld()
})

const handshake = (more: readonly string[] = [], upgrade = 'websocket') => ({
  headers: [
    ...['Connection', 'Upgrade', 'Upgrade', upgrade, 'Sec-WebSocket-Key', 'abc'],
    ...['Sec-WebSocket-Protocol', 'chat', ...more],
  ],
  upgrade,
})
const secure = (more: readonly string[]): Partial<UserRequestHead> => ({
  authority: HOST,
  ...handshake(['Cookie', world.cookie, ...more]),
})
const SWITCHING = {
  status: 101,
  headers: [
    ...['Upgrade', 'WebSocket', 'Connection', 'Upgrade, X-Hop', 'X-Hop', '1'],
    ...['Sec-WebSocket-Accept', 'def', 'Set-Cookie', 'a=1', 'Content-Length', '0'],
    ...['Set-Cookie', '__Host-app-proxy-session-secure=x'],
  ],
}

/** A tunnel that is open. */
function opened() {
  const user = world.ask(handshake())
  const { exchange, sent } = world.claim()
  exchange.receivedResponse(SWITCHING, false, 0)
  return { user, exchange, sent }
}

describe('a handshake', () => {
  test('is offered with its wish, without what belongs to the connection', () => {
    world.ask(handshake())
    const { upgrade, headers, body } = world.offers[0]!
    expect(upgrade).toBe('websocket')
    expect(body).toEqual({ kind: 'none' })
    expect(headers.slice(0, 4)).toEqual([
      ...['Sec-WebSocket-Key', 'abc', 'Sec-WebSocket-Protocol', 'chat'],
    ])
    expect(headers).not.toContain('Upgrade')
  })

  test('carries who the user is, and never our cookie', () => {
    world.ask(secure(['Origin', `https://${HOST}`, 'x_user', 'mallory']))
    const { headers, user } = world.offers[0]!
    expect(user).toMatchObject({ subject: 'alice' })
    expect(headers[headers.indexOf('X-User') + 1]).toBe('alice')
    expect(headers.join()).not.toMatch(/mallory|app-proxy-session/)
  })

  test('is switched by a 101, cleaned as any response and with its Upgrade', () => {
    const { user } = opened()
    expect(user.one('upgrade')).toEqual([
      ['Upgrade', 'WebSocket', 'Sec-WebSocket-Accept', 'def', 'Set-Cookie', 'a=1; Secure'],
    ])
    expect(user.verbs.slice(0, 2)).toEqual(['upgrade', 'startBody'])
  })

  test('T6 has its refusal passed on as it is', () => {
    const user = world.ask(handshake())
    const { exchange } = world.claim()
    exchange.receivedResponse({ status: 403, headers: ['Content-Length', '2'] }, false, 0)
    exchange.receivedData(octets('no'), true, 0)
    expect(user.said).toEqual([
      ['respond', 403, ['Content-Length', '2'], false],
      ['write', 'no'],
      ['end'],
    ])
    expect(world.origin.open).toBe(0)
  })

  test.each([
    ['another protocol than asked for', ['Upgrade', 'h2c']],
    ['one more', ['Upgrade', 'websocket, other']],
    ['none', []],
  ])('whose 101 names %s is a malformed answer', (_, headers) => {
    const user = world.ask(handshake())
    const { exchange, sent } = world.claim()
    exchange.receivedResponse({ status: 101, headers }, false, 0)
    expect([user.status, user.code]).toEqual([502, 'application-malformed'])
    expect(sent.map(([what]) => what)).toEqual(['reset', 'closed'])
    expect(world.origin.open).toBe(0)
  })

  test.each(['h2c', 'HTTP/2.0', 'TLS/1.2, h2c', 'h3', 'a b', ''])(
    'for %j is an ordinary request: requests inside would pass unseen',
    (upgrade) => {
      world.ask({ headers: ['Connection', 'Upgrade', 'Upgrade', upgrade], upgrade })
      expect(world.offers[0]!.upgrade).toBeUndefined()
    },
  )

  test('keeps what else it asks for', () => {
    world.ask(handshake([], 'h2c, IRC/6.9,websocket'))
    expect(world.offers[0]!.upgrade).toBe('IRC/6.9, websocket')
  })

  test('to a WebSocket on a connection that cannot switch is answered 501', () => {
    const user = world.ask({ ...handshake(), upgrade: undefined })
    expect([user.status, user.code]).toEqual([501, 'upgrade-unsupported'])
    expect(world.offers).toEqual([])
  })
})

describe('T45 whose page may open it, where a cookie says who the user is', () => {
  test.each([`https://${HOST}`, `https://${HOST}:8443`, 'https://friend.example:8443'])(
    '%s may',
    (origin) => {
      world.ask(secure(['Origin', origin]))
      expect(world.offers).toHaveLength(1)
    },
  )

  test.each([
    ['no page', []],
    ['an opaque origin', ['Origin', 'null']],
    ['another host', ['Origin', 'https://evil.example']],
    ['a host below', ['Origin', `https://evil.${HOST}`]],
    ['a host that only begins so', ['Origin', `https://${HOST}.evil.example`]],
    ['user information', ['Origin', `https://${HOST}@evil.example`]],
    ['the same host without TLS', ['Origin', `http://${HOST}`]],
    ['another port of a friend', ['Origin', 'https://friend.example']],
    ['two origins', ['Origin', `https://${HOST}`, 'origin', `https://${HOST}`]],
  ])('%s may not', (_, more) => {
    const user = world.ask(secure(more))
    expect([user.status, user.code]).toEqual([403, 'origin-refused'])
    expect(world.offers).toEqual([])
  })

  test('an application without pre-authentication is not asked', () => {
    world.ask(handshake(['Origin', 'https://evil.example']))
    expect(world.offers).toHaveLength(1)
  })

  test('an ordinary request of any origin passes', () => {
    world.ask({ authority: HOST, headers: ['Cookie', world.cookie, 'Origin', 'https://a.example'] })
    expect(world.offers).toHaveLength(1)
  })

  test('without a session it is 401 and never a redirect', () => {
    const user = world.ask({ authority: HOST, ...handshake(['Origin', `https://${HOST}`]) })
    expect([user.status, user.code]).toEqual([401, 'sign-in-required'])
    expect(world.redirects).toEqual([])
  })
})

describe('a tunnel', () => {
  test('carries octets both ways, paced by credit and by the user', () => {
    const { user, exchange, sent } = opened()
    user.events.data(octets('to'))
    exchange.receivedData(octets('fro'), false, 0)
    user.takes = false
    exchange.receivedData(octets('slow'), false, 0)
    expect(exchange.buffered).toBe(4)
    user.events.drained()
    expect(exchange.buffered).toBe(0)
    expect(sent).toEqual([['data', 'to', false]])
    user.events.data(new Uint8Array(65_536))
    expect(user.verbs.at(-1)).toBe('pauseBody')
    exchange.receivedCredit(65_536, 0)
    expect(user.verbs.at(-1)).toBe('resumeBody')
  })

  test('T6 takes what came with the handshake, and an end that came with it', () => {
    const user = world.ask(handshake())
    user.startBody = () => {
      user.events.data(octets('early'))
      user.events.ended(undefined)
    }
    const { exchange, sent } = world.claim()
    exchange.receivedResponse(SWITCHING, false, 0)
    expect(sent).toEqual([
      ['data', 'early', false],
      ['data', '', true],
    ])
    exchange.receivedData(octets('late'), true, 0)
    expect(user.verbs.slice(-2)).toEqual(['write', 'end'])
    expect(world.origin.open).toBe(0)
  })

  test('is half-closed by the user, and then by the application', () => {
    const { user, exchange, sent } = opened()
    user.events.ended(undefined)
    expect(sent).toEqual([['data', '', true]])
    exchange.receivedData(octets('rest'), false, 0)
    exchange.receivedData(new Uint8Array(0), true, 0)
    expect(user.verbs.slice(-2)).toEqual(['write', 'end'])
    expect(world.origin.open).toBe(0)
  })

  test('is half-closed by the application, and then by the user', () => {
    const { user, exchange, sent } = opened()
    exchange.receivedData(new Uint8Array(0), true, 0)
    expect(user.verbs.at(-1)).toBe('end')
    user.events.data(octets('more'))
    user.events.ended(undefined)
    expect(sent.slice(0, 2)).toEqual([
      ['data', 'more', false],
      ['data', '', true],
    ])
    expect(user.verbs).not.toContain('abort')
    expect(world.origin.open).toBe(0)
  })

  test('whose application wants no more is read on, and what comes is thrown away', () => {
    const { user, exchange, sent } = opened()
    exchange.receivedStop(0, 0)
    user.events.data(octets('unwanted'))
    expect(sent).toEqual([])
    expect(user.verbs.at(-1)).toBe('resumeBody')
    exchange.receivedData(octets('bye'), true, 0)
    expect(user.verbs).toContain('end')
    expect(user.verbs).not.toContain('abort')
    expect(world.origin.open).toBe(0)
  })

  test('that is over leaves its user the drain limit to close', () => {
    vi.useFakeTimers()
    try {
      const [kept, left] = [opened(), opened()]
      for (const { exchange } of [kept, left]) {
        exchange.receivedStop(0, 0)
        exchange.receivedData(new Uint8Array(0), true, 0)
      }
      left.user.events.ended(undefined)
      left.user.events.gone(true)
      for (; world.clock.now < 29_950; world.clock.now += 50) vi.advanceTimersByTime(50)
      expect(kept.user.verbs).not.toContain('abort')
      world.clock.now = 30_000
      vi.advanceTimersByTime(50)
      expect(kept.user.verbs.at(-1)).toBe('abort')
      expect(left.user.verbs).not.toContain('abort')
      // A connection that was broken off says so; until then what is open is looked after.
      kept.user.events.gone(true)
      for (let turns = 0; turns < 20; turns++) {
        world.clock.now += 50
        vi.advanceTimersByTime(50)
      }
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  test('that the application breaks is broken for the user', () => {
    const { user, exchange } = opened()
    exchange.receivedReset(6)
    expect(user.verbs.at(-1)).toBe('abort')
    expect(world.origin.open).toBe(0)
  })

  test.each([true, false])('whose user is gone (%s) is cancelled', (complete) => {
    const { user, sent } = opened()
    user.events.gone(complete)
    expect(sent).toEqual([['reset', 1], ['closed']])
    expect(world.origin.open).toBe(0)
  })
})
