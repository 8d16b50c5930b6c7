import { beforeEach, describe, expect, test, vi } from 'vitest'
import { headerValues, ResetCode } from '../../../src/protocol/internal.ts'
import { edgeWorld, HOST, octets, type EdgeWorld } from './edge-world.ts'

let world: EdgeWorld
beforeEach(async () => {
  world = await edgeWorld({ stalledMs: 1_000 })
})

const UPLOAD = { method: 'POST', headers: ['Transfer-Encoding', 'chunked'] }

test.each([600, 799, 999])('an answer of status %s is the fault of its application', (status) => {
  const user = world.ask({})
  const { exchange, sent } = world.claim()
  exchange.receivedResponse({ status, headers: [] }, false, 0)
  expect([user.status, user.code]).toEqual([502, 'application-malformed'])
  expect(sent.map(([verb]) => verb)).toContain('reset')
})

describe('what the transport of the user will not carry', () => {
  const refuses = () => {
    throw new TypeError('not over this transport')
  }

  test('as a head is the fault of the application', () => {
    const user = world.ask({})
    const { exchange, sent } = world.claim()
    const { respond } = user
    user.respond = () => {
      user.respond = respond
      return refuses()
    }
    exchange.receivedResponse({ status: 200, headers: [] }, false, 0)
    expect([user.status, user.code]).toEqual([502, 'application-malformed'])
    expect(sent.map(([verb]) => verb)).toContain('reset')
    expect(world.origin.open).toBe(0)
  })

  test('as an interim answer is so, too', () => {
    const user = world.ask({})
    const { exchange } = world.claim()
    user.inform = refuses
    exchange.receivedInformational({ status: 103, headers: [] })
    expect([user.status, user.code]).toEqual([502, 'application-malformed'])
    expect(world.origin.open).toBe(0)
  })

  test('as trailers breaks off what has begun', () => {
    const user = world.ask({})
    const { exchange } = world.claim()
    exchange.receivedResponse({ status: 200, headers: [] }, false, 0)
    user.end = refuses
    exchange.receivedTrailers(['X-Sum', '1'], 0)
    expect(user.verbs).toEqual(['respond', 'abort'])
    expect(world.origin.open).toBe(0)
  })
})

describe('trailers of a request', () => {
  /** What the application got after the body. */
  function trailersOf(trailers: readonly string[]) {
    const user = world.ask(UPLOAD)
    const { sent } = world.claim(100)
    user.events.data(octets('abc'))
    user.events.ended(trailers)
    return sent.slice(1)
  }

  test('go on after its body', () =>
    expect(trailersOf(['Digest', 'sha-256=x', 'X-Sum', '1'])).toEqual([
      ['trailers', ['Digest', 'sha-256=x', 'X-Sum', '1']],
    ]))

  test('go on after a body that waited for credit', () => {
    const user = world.ask(UPLOAD)
    const { exchange, sent } = world.claim(2)
    user.events.data(octets('abc'))
    user.events.ended(['X-Sum', '1'])
    expect(sent).toEqual([['data', 'ab', false]])
    exchange.receivedCredit(10, 0)
    expect(sent.slice(1)).toEqual([
      ['data', 'c', false],
      ['trailers', ['X-Sum', '1']],
    ])
  })

  test.each([
    ...['X-Forwarded-For', 'x_forwarded_host', 'Forwarded', 'Connection', 'Transfer-Encoding'],
    ...['Content_Length', 'Host', 'Cookie', 'Authorization', 'TE', 'Trailer', 'Range', 'If-Match'],
    ...['Cache-Control', 'Proxy-Authorization', 'Expect', 'Content-Type', 'Max-Forwards'],
  ])('are none of %s', (name) =>
    expect(trailersOf([name, 'x', 'X-Sum', '1'])).toEqual([['trailers', ['X-Sum', '1']]]),
  )

  test('say nothing that only the gateway may say', () => {
    const user = world.ask({
      ...UPLOAD,
      authority: HOST,
      headers: [...UPLOAD.headers, 'Cookie', world.cookie],
    })
    const { sent } = world.claim(100)
    user.events.ended(['X_User', 'mallory'])
    expect(sent).toEqual([['data', '', true]])
  })

  test.each([
    ['too many', Array.from({ length: 402 }, () => 'a')],
    ['too large', ['a', 'x'.repeat(50_000)]],
    ['malformed', ['a', 'b\r\nc: d']],
  ])('that are %s: the request is refused, and the application’s broken off', (_, trailers) => {
    const user = world.ask(UPLOAD)
    const { sent } = world.claim(100)
    user.events.data(octets('abc'))
    user.events.ended(trailers)
    expect(sent.slice(1)).toEqual([['reset', ResetCode.CANCELLED], ['closed']])
    expect([user.status, user.code]).toEqual([400, 'user-malformed'])
    expect(world.origin.open).toBe(0)
  })

  test('that are malformed, under an answer: the user is broken off', () => {
    const user = world.ask(UPLOAD)
    const { exchange, sent } = world.claim(100)
    exchange.receivedResponse({ status: 200, headers: [] }, false, 0)
    user.events.ended(['a', 'b\r\nc: d'])
    expect(sent).toEqual([['reset', ResetCode.CANCELLED], ['closed']])
    expect(user.verbs.at(-1)).toBe('abort')
  })
})

describe('methods', () => {
  test.each(['GET', 'FOO', 'get', 'M-SEARCH', 'x!y'])('%s is offered as it is', (method) => {
    world.ask({ method })
    expect(world.offers.at(-1)!.method).toBe(method)
  })

  test.each([
    ['CONNECT', 501, 'method-unsupported'],
    ['X'.repeat(65), 400, 'user-malformed'],
  ])('%s is refused with %i', (method, status, code) => {
    const user = world.ask({ method })
    expect([user.status, user.code]).toEqual([status, code])
    expect(world.offers).toHaveLength(0)
  })
})

describe('trailers of a response', () => {
  test('go on after its body, by the rules for trailers', () => {
    const user = world.ask({})
    const { exchange } = world.claim()
    exchange.receivedResponse({ status: 200, headers: [] }, false, 0)
    exchange.receivedTrailers(['grpc-status', '0', 'Set-Cookie', 'a=1', 'Connection', 'x'], 0)
    expect(user.said.at(-1)).toEqual(['end', ['grpc-status', '0']])
  })

  test('of which nothing is left are none', () => {
    const user = world.ask({})
    const { exchange } = world.claim()
    exchange.receivedResponse({ status: 200, headers: [] }, false, 0)
    exchange.receivedTrailers(['Set-Cookie', 'a=1'], 0)
    expect(user.said.at(-1)).toEqual(['end'])
  })
})

describe('interim answers', () => {
  test('go on by the rules of responses; 100 was answered by the pull', () => {
    const user = world.ask({})
    const { exchange } = world.claim()
    for (const status of [100, 102, 103])
      exchange.receivedInformational({
        status,
        headers: ['Link', '</a.css>', 'Keep-Alive', '5', 'Content-Length', '1'],
      })
    expect(user.said).toEqual([
      ['inform', 102, ['Link', '</a.css>']],
      ['inform', 103, ['Link', '</a.css>']],
    ])
  })
})

describe('a request whose body is still coming', () => {
  test('gets an early answer whole, on a connection that serves no other', () => {
    const user = world.ask(UPLOAD)
    const { exchange } = world.claim(10)
    exchange.receivedResponse({ status: 413, headers: ['Content-Length', '3'] }, false, 0)
    exchange.receivedData(octets('too'), false, 0)
    exchange.receivedStop(0, 0)
    exchange.receivedData(new Uint8Array(0), true, 0)
    expect([user.status, user.close]).toEqual([413, true])
    expect(user.verbs.slice(-1)).toEqual(['end'])
    expect(user.verbs).not.toContain('abort')
    expect(world.origin.open).toBe(0)
  })

  test('and does not come, is told 408 and that the connection closes', () => {
    const user = world.ask(UPLOAD)
    const { exchange } = world.claim(10)
    exchange.expire()
    expect([user.status, user.code, user.close]).toEqual([408, 'user-too-slow', true])
    expect(world.origin.open).toBe(0)
  })

  test('whose application does not answer is told 504', () => {
    const user = world.ask({})
    world.claim().exchange.expire()
    expect([user.status, user.code]).toEqual([504, 'application-timeout'])
  })
})

describe('a head beyond a limit', () => {
  test.each([
    ['200 fields', { headers: Array.from({ length: 402 }, () => 'a') }, undefined],
    ['its own number of fields', { headers: ['a', '1', 'b', '2'] }, { maxHeaders: 1 }],
    ['40 KiB', { headers: ['a', 'x'.repeat(41_000)] }, undefined],
    ['40 KiB once encoded', { headers: ['a', '\u00e9'.repeat(20_500)] }, undefined],
    ['its own number of bytes', { headers: ['a', 'x'.repeat(100)] }, { maxHeaderBytes: 100 }],
    ['a target of 8 KiB', { target: `/${'x'.repeat(8192)}` }, undefined],
    ['its own target', { target: '/abc' }, { maxTarget: 3 }],
    ['what can be raised', { target: `/${'x'.repeat(8192)}` }, { maxTarget: 10_000 }],
  ])('(%s) is refused', (_, head, limits) => {
    const user = world.ask(head, limits)
    const isTarget = 'target' in head
    const expected = isTarget ? [414, 'target-too-long'] : [431, 'head-too-large']
    expect([user.status, user.code]).toEqual(expected)
    // Of our cookies it may hold too many.
    expect(user.headers.includes('Set-Cookie')).toBe(!isTarget)
    expect(world.offers).toEqual([])
  })

  test('is one only from there on', () => {
    world.ask({ headers: ['a', 'x'.repeat(40_000)] })
    world.ask({ headers: Array.from({ length: 400 }, () => 'a') })
    world.ask({ target: `/${'x'.repeat(8191)}` })
    expect(world.offers).toHaveLength(3)
  })
})

describe('the host', () => {
  test.each([
    ['said twice', ['Host', 'open.example', 'host', 'open.example']],
    ['said otherwise beside :authority', ['host', HOST]],
  ])('%s is refused', (_, headers) => {
    expect(world.ask({ headers, httpVersion: '2' }).status).toBe(400)
  })

  test('is one in any spelling', () => {
    world.ask({ authority: 'OPEN.example.:443', headers: ['Host', 'open.example'] })
    world.ask({ authority: 'OPEN.example.:443', headers: ['Host', 'open.example'] })
    expect(world.offers.map(({ applicationId }) => applicationId)).toEqual(['open', 'open'])
  })
})

describe('a signed-in user', () => {
  const page = { authority: HOST }
  test('whose cookie was opened before is served at once', () => {
    world.ask({ ...page, headers: ['Cookie', `a=1; ${world.cookie}`] })
    expect(world.offers[0]!.user).toMatchObject({ subject: 'alice' })
  })

  test('whose session has ended is sent to sign in', async () => {
    world.clock.wall += 3_600_001
    const user = world.ask({ ...page, headers: ['Cookie', world.cookie] })
    await Promise.resolve()
    await Promise.resolve()
    expect(user.status).toBe(302)
    expect(world.offers).toEqual([])
  })

  test('is known only where the cookie is valid', () => {
    const { sessions, application, cookie, clock } = world
    expect(sessions.known(application, HOST, [cookie], clock.wall)).toMatchObject({
      user: { subject: 'alice' },
    })
    expect(sessions.known(application, `${HOST}:1`, [cookie], clock.wall)).toBe('unknown')
    expect(sessions.known({ ...application, tenantId: 'b' }, HOST, [cookie], clock.wall)).toBe(
      'unknown',
    )
    expect(sessions.known(application, HOST, [`${cookie}x`], clock.wall)).toBe('unknown')
    expect(sessions.known(application, HOST, [cookie, cookie], clock.wall)).toBeUndefined()
    expect(sessions.known(application, HOST, [], clock.wall)).toBeUndefined()
  })
})

describe('T12 what this service says by itself is kept by nobody', () => {
  test.each([
    ['a way to the issuer', { authority: HOST }, 302],
    ['a refusal', { authority: HOST, headers: ['Accept', 'application/json'] }, 401],
    ['a page', { authority: 'nowhere.example', headers: ['Accept', 'text/html'] }, 404],
    ['a path of ours', { authority: HOST, target: '/.app-proxy/nothing' }, 404],
  ])('%s', async (_what, head, status) => {
    const user = world.ask(head)
    await vi.waitFor(() => expect(user.status).toBe(status))
    expect(headerValues(user.headers, 'cache-control')).toEqual(['no-store'])
  })
})

test('every request has an id of its own', () => {
  const ids = Array.from({ length: 1000 }, () => {
    const user = world.ask({ authority: 'nobody.example' })
    return (JSON.parse(user.one('write')![0] as string) as { requestId: string }).requestId
  })
  expect(new Set(ids).size).toBe(1000)
  for (const id of ids) expect(id).toMatch(/^(?:[0-9a-hjkmnp-tv-z]{4}-){3}[0-9a-hjkmnp-tv-z]{4}$/)
})
