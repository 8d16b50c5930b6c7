/** A browser that carries more cookies than a head may hold gets out of it by itself: the answer removes those of ours that can be many. */
import { constants } from 'node:http2'
import { afterEach, expect, test } from 'vitest'
import { REMOVE_ATTEMPTS } from '../../../src/cloud/directory/attempt-slots.ts'
import { until } from '../../integration/tunnel.ts'
import { RawUser } from '../../integration/raw-user.ts'
import { startDirectEdge, type DirectEdge } from './direct-edge.ts'
import { Asked, start, stop } from './http2-client.ts'

let direct: DirectEdge | undefined
let isHttp2 = false
afterEach(async () => {
  if (isHttp2) await stop()
  await direct?.close()
  direct = undefined
  isHttp2 = false
})

const BROWSER = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }
/** As browsers have them: below 4 KiB each, by names of any kind. */
const cookies = (octets: number) =>
  Array.from({ length: Math.ceil(octets / 3_000) }, (_, i) => `c${i}=${'x'.repeat(2_995)}`)

test.each([
  ['by HTTP/1.1', false, 40_000],
  ['by HTTP/1.1 over TLS, where a head comes in pieces', true, 40_000],
  ['by HTTP/1.1, far beyond', false, 300_000],
])('a head too large is answered %s', async (_, overTls, octets) => {
  direct = await startDirectEdge((visit) => visit.answer(200, 'served'), { overTls })
  const user = new RawUser(direct.port, { tls: overTls })
  user.ask('GET', '/', { ...BROWSER, cookie: cookies(octets).join('; ') })
  await user.closed
  expect(user.status).toBe(431)
  expect(user.received).toMatch(/\r\nContent-Type: text\/html/)
  const removed = [...user.received.matchAll(/\r\nSet-Cookie: ([^\r]*)/g)].map((match) => match[1])
  expect(removed).toEqual(REMOVE_ATTEMPTS)
  // It was one head: the listener serves on.
  const next = new RawUser(direct.port, { tls: overTls }).ask('GET', '/')
  await until(() => next.received.endsWith('served'))
  next.leave()
})

test.each([
  ['a little', 40_000],
  ['much', 60_000],
])('and by HTTP/2, where it is %s too large; the connection goes on', async (_, octets) => {
  isHttp2 = true
  await start((visit) => visit.answer(200, 'served'))
  const asked = new Asked({ ...BROWSER, cookie: cookies(octets) })
  expect(await asked.closed()).toBe(constants.NGHTTP2_NO_ERROR)
  expect(asked.head).toMatchObject({ ':status': 431, 'set-cookie': [...REMOVE_ATTEMPTS] })
  expect(asked.head!['content-type']).toMatch(/^text\/html/)
  const next = new Asked({})
  await next.closed()
  expect(next.body).toBe('served')
})

test('a program is answered by a problem', async () => {
  direct = await startDirectEdge((visit) => visit.answer(200, 'served'))
  const user = new RawUser(direct.port).ask('GET', '/', { accept: '*/*', x: 'y'.repeat(40_000) })
  await user.closed
  expect([user.status, user.code]).toEqual([431, 'head-too-large'])
})
