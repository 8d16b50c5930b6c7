import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createServerAuthority, defaultCryptoProvider } from '../../../src/cloud/index.ts'
import type { Backend } from '../../../src/connector/index.ts'
import { HttpBackend, NodeBackend } from '../../../src/connector/node/index.ts'
import { memoryAuthorityStore } from '../../cloud/trust.ts'
import { until } from '../../integration/tunnel.ts'
import { detailsAt, ObservedCall, requestTo } from './observed-call.ts'
import { RawApplication, type RawConnection } from './raw-application.ts'

const SWITCHED =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-A: \xe9\r\n\r\n'

const crypto = await defaultCryptoProvider()
const clocks = { now: () => performance.now(), wallClock: () => Date.now() }
const servers = await createServerAuthority({ crypto, clocks, store: memoryAuthorityStore() })
const certificate = await servers.issue()

const KINDS = [
  ['node:http', false, () => new HttpBackend()],
  ['each by its shortest path', false, () => new NodeBackend()],
  ['TLS', true, () => new NodeBackend({ ca: certificate.ca })],
] as const

describe.each(KINDS)('switched protocols over %s', (_kind, secure, create) => {
  let backend: Backend
  let application: RawApplication
  beforeEach(() => void (backend = create()))
  afterEach(async () => {
    await backend.close()
    await application.close()
  })

  const serve = async (respond: (connection: RawConnection) => void) => {
    const tls = { key: certificate.key, cert: certificate.certificate }
    application = await RawApplication.listen(respond, secure ? tls : undefined)
  }
  const call = (upgrade: string | undefined = 'websocket', headers: string[] = []) => {
    const { port } = application
    const details = secure ? { internalUrl: `https://127.0.0.1:${port}/` } : {}
    return new ObservedCall(
      backend,
      requestTo(detailsAt(port, details), {
        upgrade,
        headers: ['Host', 'internal.example', ...headers],
      }),
    )
  }
  /** Switches, then hands over to `after` with what came since. */
  const switching = (after: (connection: RawConnection, since: string) => void) => {
    const switched = new Set<RawConnection>()
    return (connection: RawConnection) => {
      if (!switched.has(connection)) {
        if (!connection.received.includes('\r\n\r\n')) return
        switched.add(connection)
        connection.socket.write(SWITCHED, 'latin1')
      }
      after(connection, connection.received.split('\r\n\r\n').slice(1).join('\r\n\r\n'))
    }
  }

  test('the wish arrives with what belongs to it, and the 101 comes back raw', async () => {
    await serve(switching(() => undefined))
    const one = await call('websocket', ['Sec-WebSocket-Key', 'dGhl', 'X-B', '\xff']).responding()
    expect(one.isUpgraded).toBe(true)
    expect(one.head).toEqual({
      status: 101,
      headers: ['Connection', 'Upgrade', 'Upgrade', 'websocket', 'X-A', '\xe9'],
    })
    const { received } = application.connections[0]!
    expect(received.trimEnd().split('\r\n').slice(1)).toEqual([
      'Host: internal.example',
      'Sec-WebSocket-Key: dGhl',
      'X-B: \xff',
      'Connection: Upgrade',
      'Upgrade: websocket',
    ])
    one.call.abort()
  })

  test('bytes behind the 101 are not lost, and an echo comes back', async () => {
    await serve((connection) => {
      const { received, socket } = connection
      if (received.endsWith('\r\n\r\n')) socket.write(`${SWITCHED}hello `, 'latin1')
      else socket.write(received.slice(received.indexOf('\r\n\r\n') + 4), 'latin1')
    })
    const one = await call().responding()
    await until(() => one.body === 'hello ')
    one.call.write(Buffer.from('you\0\xff', 'latin1'))
    await until(() => one.body === 'hello you\0\xff')
    one.call.abort()
  })

  test('we end first: the application still talks', async () => {
    await serve(switching(() => undefined))
    const one = await call().responding()
    const { socket } = application.connections[0]!
    one.call.write(Buffer.from('last'))
    one.call.end()
    await until(() => application.connections[0]!.ended)
    expect(application.connections[0]!.received.endsWith('last')).toBe(true)
    socket.write('more')
    await until(() => one.body === 'more')
    expect(one.isEnded).toBe(false)
    socket.end()
    await until(() => one.isEnded)
    expect(one.outcome).toBe('done')
  })

  test('the application ends first: we still talk', async () => {
    await serve(switching(() => undefined))
    const one = await call().responding()
    const connection = application.connections[0]!
    connection.socket.end('bye')
    await until(() => one.isEnded)
    expect(one.body).toBe('bye')
    one.call.write(Buffer.from('after'))
    await until(() => connection.received.endsWith('after'))
    expect(connection.ended).toBe(false)
    one.call.end()
    await until(() => connection.ended && connection.closed)
    expect(one.outcome).toBe('done')
  })

  test('a refusal is an ordinary answer', async () => {
    await serve(({ socket, received }) => {
      if (received.endsWith('\r\n\r\n'))
        socket.write(
          'HTTP/1.1 426 Upgrade Required\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\nnope',
        )
    })
    const one = await call().settled()
    expect([one.head?.status, one.body, one.isUpgraded, one.outcome]).toEqual([
      426,
      'nope',
      false,
      'done',
    ])
    await until(() => application.connections[0]!.ended || application.connections[0]!.closed)
  })

  test('a tunnel waits for its reader', async () => {
    const total = 16 * 1024 * 1024
    let sent = 0
    await serve(
      switching(({ socket }) => {
        const piece = Buffer.alloc(64 * 1024)
        const more = (): void => {
          while (sent < total) {
            sent += piece.length
            if (!socket.write(piece)) return
          }
          socket.end()
        }
        socket.on('drain', more)
        more()
      }),
    )
    const one = call()
    one.upgraded = function (head) {
      this.head = head
      this.isUpgraded = true
      this.call.pause()
    }
    await one.responding()
    let before = -1
    await until(async () => {
      const same = sent === before
      before = sent
      await new Promise((later) => setTimeout(later, 50))
      return same
    })
    expect([sent < total, one.bytes <= 128 * 1024]).toEqual([true, true])
    one.call.resume()
    await until(() => one.isEnded)
    expect(one.bytes).toBe(total)
    one.call.end()
  })

  test('a tunnel that the application cuts is broken off', async () => {
    await serve(switching(() => undefined))
    const one = await call().responding()
    const { socket } = application.connections[0]!
    // Node resets TCP only; over TLS a connection cut short is one without a closing alert.
    if (secure) socket.destroy()
    else socket.resetAndDestroy()
    expect((await one.settled()).outcome).toBe('APPLICATION_ABORTED')
  })

  test('so is one that is cut behind bytes that nobody has read yet', async () => {
    await serve(
      switching(({ socket }) => {
        socket.write(Buffer.alloc(256 * 1024), () => {
          if (secure) socket.destroy()
          else socket.resetAndDestroy()
        })
      }),
    )
    const one = call()
    one.upgraded = function (head) {
      this.head = head
      this.call.pause()
    }
    await one.responding()
    await until(() => application.connections[0]!.closed || one.code !== undefined)
    one.call.resume()
    expect((await one.settled()).outcome).toBe('APPLICATION_ABORTED')
  })

  test('nobody listens: unreachable', async () => {
    await serve(() => undefined)
    const { port } = application
    await application.close()
    const details = secure ? { internalUrl: `https://127.0.0.1:${port}/` } : {}
    const wish = { upgrade: 'websocket' }
    const one = await new ObservedCall(backend, requestTo(detailsAt(port, details), wish)).settled()
    expect([one.outcome, one.misplaced]).toEqual(['not sent: UNREACHABLE', 0])
    await serve(() => undefined)
  })

  test('breaking off is no end', async () => {
    await serve(switching(() => undefined))
    const one = await call().responding()
    one.call.abort()
    const connection = application.connections[0]!
    await until(() => connection.closed || connection.ended)
    if (!secure) expect(connection.error?.code).toBe('ECONNRESET')
    expect([one.outcome, one.misplaced]).toEqual(['open', 0])
  })
})
