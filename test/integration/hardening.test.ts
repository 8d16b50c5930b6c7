import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTunnel, TRANSPORTS, until, type Tunnel } from './tunnel.ts'

/** A user without manners, and what it was told. */
function user(port: number): { socket: Socket; heard: () => string } {
  const socket = connect(port, '127.0.0.1')
  let heard = ''
  socket.on('data', (chunk) => (heard += chunk.toString('latin1'))).on('error', () => undefined)
  return { socket, heard: () => heard }
}

describe.each(TRANSPORTS)('users without manners, %s', (transport) => {
  let tunnel: Tunnel
  /** Requests at the application that were broken off. */
  let aborted = 0
  let trailers: string[] | undefined
  beforeAll(async () => {
    tunnel = await startTunnel({
      transport,
      backend: (request, response) => {
        response.on('close', () => {
          if (!response.writableFinished) aborted += 1
        })
        if (request.url === '/never') return void response.writeHead(200).write('begun')
        request.resume()
        request.on('end', () => {
          trailers = request.rawTrailers
          if (request.url === '/nothing') response.writeHead(204).end()
          else response.end('served')
        })
      },
    })
  })
  afterAll(() => tunnel.close())

  test('a head that no offer can hold is refused, and costs nobody a grant', async () => {
    const before = tunnel.links.at(-1)!.grants
    const value = Buffer.alloc(30_000, 0xe9)
    for (let i = 0; i < 3; i++) {
      const { socket, heard } = user(tunnel.port)
      socket.write('GET / HTTP/1.1\r\nHost: open.localhost\r\nX: ')
      socket.write(value)
      socket.write('\r\n\r\n')
      await until(() => heard().startsWith('HTTP/1.1 431'))
      socket.destroy()
    }
    expect(tunnel.links.at(-1)!.grants).toBe(before)
  })

  test('T8 trailers of a request, when they are too many, reach no application: 400', async () => {
    trailers = undefined
    const { socket, heard } = user(tunnel.port)
    socket.write(
      'POST / HTTP/1.1\r\nHost: open.localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
    )
    socket.write(`0\r\nX-User: admin\r\n${'a:\r\n'.repeat(5_000)}\r\n`)
    await until(() => heard().includes('user-malformed'))
    expect(heard()).toMatch(/^HTTP\/1\.1 400 /)
    await until(() => tunnel.cloud.origin.open === 0)
    expect(trailers).toBeUndefined()
    socket.destroy()
  })

  test('pipelined requests of a user who leaves are all cancelled', async () => {
    const before = aborted
    const { socket, heard } = user(tunnel.port)
    socket.write('GET /never HTTP/1.1\r\nHost: open.localhost\r\n\r\n'.repeat(4))
    await until(() => heard().includes('begun') && tunnel.cloud.origin.open === 4)
    socket.destroy()
    await until(() => tunnel.cloud.origin.open === 0)
    // One of an earlier test may still be on its way.
    await until(() => aborted >= before + 4)
  })

  test('an answer without a body ends the exchange', async () => {
    const { socket, heard } = user(tunnel.port)
    socket.write('POST /nothing HTTP/1.1\r\nHost: open.localhost\r\nContent-Length: 3\r\n\r\nabc')
    await until(() => heard().startsWith('HTTP/1.1 204'))
    await until(() => tunnel.cloud.origin.open === 0)
    socket.destroy()
  })
})
