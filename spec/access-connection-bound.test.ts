/**
 * Two users of an application that binds its user to the connection, as NTLM and Negotiate do: nobody is ever taken for the other.
 */
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTunnel, type Transport, type Tunnel } from '../test/integration/tunnel.ts'

const ROUNDS = 1_000
const CREDENTIALS = /^(?:ntlm|nego\w*|kerberos) (\w+)$/i
const SPELLINGS = ['NTLM', 'Negotiate', 'ntlm', 'nego2', 'NEGOTIATE', 'Kerberos']
const CHALLENGES = ['NTLM', 'Negotiate, NTLM', 'Basic realm="a", nego2', 'nEgOtIaTe']

/** Who the application takes a connection's user for. */
const users = new WeakMap<object, string>()
let challenges = 0
const userOf = ({ socket, headers }: IncomingMessage): string | undefined => {
  const [, user] = CREDENTIALS.exec(headers.authorization ?? '') ?? []
  if (user !== undefined) users.set(socket, user)
  return users.get(socket)
}
const challenge = (): string => CHALLENGES[challenges++ % CHALLENGES.length]!

function upgrade(request: IncomingMessage, socket: Duplex): void {
  const user = userOf(request)
  socket.write(
    user === undefined
      ? `HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: ${challenge()}\r\nContent-Length: 0\r\n\r\n`
      : `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Seen: ${user}\r\n\r\n`,
  )
  socket.on('data', () => undefined).on('error', () => undefined)
  socket.on('end', () => socket.end())
}

describe.each(['link over TLS', 'plain over TLS'] as const)('%s', (transport: Transport) => {
  let tunnel: Tunnel
  let cookie: string
  // Each user keeps connections of their own, over which many requests go.
  const agents = [0, 1].map(() => new Agent({ keepAlive: true, maxSockets: 1 }))
  beforeAll(async () => {
    tunnel = await startTunnel({
      transport,
      upgrade,
      backend: (request, response) => {
        const user = userOf(request)
        request.resume()
        if (user === undefined) {
          response.statusCode = 401
          response.setHeader('WWW-Authenticate', challenge())
        } else response.setHeader('X-Seen', user)
        response.end(user)
      },
    })
    const { setCookie } = await tunnel.sessions.start(
      tunnel.directory.application('secure')!,
      'secure.localhost',
      {
        subject: 'somebody',
        issuer: tunnel.issuer.url,
        groups: [],
        authenticatedAt: Date.now(),
        expiresAt: Date.now() + 600_000,
      } as never,
    )
    cookie = setCookie.split(';')[0]!
  })
  afterAll(async () => {
    for (const agent of agents) agent.destroy()
    await tunnel.close()
  })

  const KINDS = transport === 'plain over TLS' ? ['GET', 'POST'] : ['GET', 'POST', 'WebSocket']
  /** Status, and whom the application saw. */
  const ask = (user: 0 | 1, host: string, kind: string, authorization: string | undefined) =>
    new Promise<string>((answered, failed) => {
      const request = httpRequest({
        port: tunnel.port,
        agent: kind === 'WebSocket' ? false : agents[user]!,
        method: kind === 'POST' ? 'POST' : 'GET',
        headers: {
          host,
          ...(host.startsWith('secure') && { cookie, origin: `http://${host}` }),
          ...(authorization !== undefined && { authorization }),
          ...(kind === 'WebSocket' && {
            connection: 'Upgrade',
            upgrade: 'websocket',
            'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
            'sec-websocket-version': '13',
          }),
        },
      })
      const seen = ({ statusCode, headers }: IncomingMessage): string =>
        `${statusCode} ${headers['x-seen'] ?? 'nobody'}`
      request.on('response', (response) => {
        response.resume().on('end', () => answered(seen(response)))
      })
      request.on('upgrade', (response, socket) => {
        socket.destroy()
        answered(seen(response))
      })
      request.on('error', failed)
      request.end(kind === 'POST' ? 'a=b' : undefined)
    })

  test('R3.3.4 a thousand requests of two users in turn: none is taken for another’s', async () => {
    const counts = new Map<string, number>()
    for (let i = 0; i < ROUNDS; i++) {
      const turn = Math.floor(i / 2)
      const kind = KINDS[turn % KINDS.length]!
      const host = Math.floor(turn / KINDS.length) % 2 === 0 ? 'open.localhost' : 'secure.localhost'
      const credentials = `${SPELLINGS[turn % SPELLINGS.length]} alice`
      const answer =
        i % 2 === 0 ? await ask(0, host, kind, credentials) : await ask(1, host, kind, undefined)
      const key = `${i % 2 === 0 ? 'alice' : 'bob'} ${kind} ${host}: ${answer}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    const expected = KINDS.flatMap((kind) =>
      ['open.localhost', 'secure.localhost'].flatMap((host) => [
        `alice ${kind} ${host}: ${kind === 'WebSocket' ? 101 : 200} alice`,
        `bob ${kind} ${host}: 401 nobody`,
      ]),
    )
    expect([...counts.keys()].sort()).toEqual(expected.sort())
  })
})
