import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createServerAuthority, defaultCryptoProvider } from '../../../src/cloud/index.ts'
import type { Backend, BackendRequest } from '../../../src/connector/index.ts'
import { HttpBackend, UndiciBackend } from '../../../src/connector/node/index.ts'
import { memoryAuthorityStore } from '../../cloud/trust.ts'
import { until } from '../../integration/tunnel.ts'
import { detailsAt, ObservedCall, requestTo } from './observed-call.ts'
import { RawApplication, type RawConnection } from './raw-application.ts'

const crypto = await defaultCryptoProvider()
const clocks = { now: () => performance.now(), wallClock: () => Date.now() }
const servers = await createServerAuthority({ crypto, clocks, store: memoryAuthorityStore() })
const certificate = await servers.issue()
const tls = { key: certificate.key, cert: certificate.certificate }

const KINDS = [
  ['undici', UndiciBackend],
  ['node:http', HttpBackend],
] as const
const OK = 'HTTP/1.1 200 OK\r\n'
const LENGTH = `${OK}Content-Length: 2\r\n\r\nab`
const CHUNKS = `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n`

describe.each(KINDS)('where an answer ends, over %s', (_kind, Kind) => {
  let backend: Backend
  let application: RawApplication
  beforeEach(() => void (backend = new Kind({ ca: certificate.ca })))
  afterEach(async () => {
    await backend.close()
    await application.close()
  })

  const serve = async (respond: (connection: RawConnection) => void, secure = false) => {
    application = await RawApplication.listen(
      (connection) => {
        if (connection.received.endsWith('\r\n\r\n')) respond(connection)
      },
      secure ? tls : undefined,
    )
    const { port } = application
    const internalUrl = `http${secure ? 's' : ''}://127.0.0.1:${port}/`
    return detailsAt(port, { internalUrl })
  }
  /** Reads as a user with little credit does: the answer waits, and comes a little later. */
  const read = (details: ReturnType<typeof detailsAt>, parts: Partial<BackendRequest>) => {
    const one = new ObservedCall(backend, requestTo(details, parts))
    const responded = one.responded.bind(one)
    one.responded = (head) => {
      responded(head)
      one.call.pause()
      setTimeout(() => one.call.resume(), 2)
    }
    return one
  }

  // What follows a whole answer.
  const BEHIND = ['X', '\r\n\r\nX', `${OK}Content-Length: 1\r\n\r\nx`]
  const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'
  test.each([
    ['a length', 'GET', LENGTH, 'ab'],
    ['the length none', 'GET', `${OK}Content-Length: 0\r\n\r\n`, ''],
    ['chunks', 'GET', CHUNKS, 'ab'],
    ['trailers', 'GET', CHUNKS.replace('0\r\n', '0\r\nX-Sum: 1\r\n'), 'ab'],
    [
      'the last answer of a connection',
      'GET',
      LENGTH.replace(OK, `${OK}Connection: close\r\n`),
      'ab',
    ],
    ['a 204', 'GET', 'HTTP/1.1 204 No Content\r\n\r\n', ''],
    ['a 204 with a length', 'GET', 'HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n', ''],
    ['a 304', 'GET', 'HTTP/1.1 304 Not Modified\r\n\r\n', ''],
    ['a 304 with a length', 'GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 1\r\n\r\n', ''],
    ['a HEAD', 'HEAD', `${OK}Content-Length: 1\r\n\r\n`, ''],
    ['a POST’s answer', 'POST', LENGTH, 'ab'],
  ])(
    '%s: what follows is no part of it, and its connection is closed',
    async (_, method, octets, body) => {
      for (const behind of [...BEHIND, SWITCH])
        for (const at of [octets.length + behind.length, octets.length, octets.length + 1]) {
          const all = octets + behind
          const details = await serve(({ socket }) => {
            socket.write(all.slice(0, at), 'latin1')
            if (at < all.length) setTimeout(() => socket.write(all.slice(at), 'latin1'), 1)
          })
          const one = await read(details, { method }).settled()
          expect([behind, at, one.outcome, one.body]).toEqual([behind, at, 'done', body])
          const connection = application.connections[0]!
          await until(() => connection.ended || connection.closed)
          expect([application.connections.length, one.misplaced]).toEqual([1, 0])
          await application.close()
        }
    },
  )

  test.each([
    ['a length', LENGTH, 'ab'],
    ['chunks', CHUNKS.replace('0\r\n', '0\r\nX-Sum: 1\r\n'), 'ab'],
  ])(
    'an answer with %s that is cut anywhere is broken off, and is whole when it ends there',
    async (_, octets, body) => {
      const starts = octets.indexOf('\r\n') - 3
      for (const isReset of [false, true])
        for (let at = starts; at <= octets.length; at++) {
          const details = await serve(({ socket }) => {
            socket.write(octets.slice(0, at), 'latin1', () => {
              if (isReset) socket.resetAndDestroy()
              else socket.end()
            })
          })
          const one = await new ObservedCall(
            backend,
            requestTo(details, { method: 'POST' }),
          ).settled()
          const isWhole = at === octets.length
          // A reset may overtake what was written before it.
          if (!isWhole || isReset) {
            if (!isWhole) expect([at, one.outcome]).toEqual([at, 'APPLICATION_ABORTED'])
            else expect(['APPLICATION_ABORTED', 'done']).toContain(one.outcome)
          } else expect([one.outcome, one.body]).toEqual(['done', body])
          await application.close()
        }
    },
  )

  const MEBIBYTE = Buffer.alloc(1024 * 1024, 'x')
  test.each([
    ['GET', `HTTP/1.0 200 OK\r\n\r\n`, false],
    ['POST', `${OK}Connection: close\r\n\r\n`, false],
    ['GET', `${OK}Transfer-Encoding: identity\r\n\r\n`, false],
    ['GET', `${OK}Connection: close\r\n\r\n`, true],
    ['POST', `HTTP/1.0 200 OK\r\n\r\n`, true],
  ])(
    '%s: a body without length that a reset cuts never passes for whole',
    async (method, head, secure) => {
      const outcomes = new Set<string>()
      for (let i = 0; i < 8; i++) {
        const details = await serve(({ socket }) => {
          socket.write(head)
          socket.write(MEBIBYTE)
          // Sometimes all of it was taken, sometimes not.
          socket.write(MEBIBYTE, () => setTimeout(() => application.reset(), i % 4))
          if (i % 3 === 0) setTimeout(() => application.reset(), i)
        }, secure)
        const one =
          i % 2 === 0
            ? read(details, { method })
            : new ObservedCall(backend, requestTo(details, { method }))
        outcomes.add((await one.settled()).outcome)
        await application.close()
      }
      expect([...outcomes]).toEqual(['APPLICATION_ABORTED'])
    },
  )

  test.each([false, true])(
    'a body without length that ends is whole, however slowly it is read (TLS: %s)',
    async (secure) => {
      for (let i = 0; i < 4; i++) {
        const details = await serve(({ socket }) => {
          socket.write(`${OK}Connection: close\r\n\r\n`)
          socket.end(MEBIBYTE)
        }, secure)
        const one = i % 2 === 0 ? read(details, {}) : new ObservedCall(backend, requestTo(details))
        await one.settled()
        expect([one.outcome, one.bytes]).toEqual(['done', MEBIBYTE.length])
        await application.close()
      }
    },
  )
})
