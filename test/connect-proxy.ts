/** A proxy that speaks CONNECT on a free port of this machine, and what it was asked. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'

export interface ConnectProxy {
  /** Host and port. */
  readonly at: string
  /** Hosts and ports that it was asked for by somebody that it lets through. */
  readonly asked: readonly string[]
  close(): Promise<void>
}

export interface ConnectProxyOptions {
  /** Who may: `user:password`. Default: everybody. */
  readonly credentials?: string
  /** Says no to everybody by this status. */
  readonly status?: number
}

export async function startConnectProxy({
  credentials,
  status,
}: ConnectProxyOptions = {}): Promise<ConnectProxy> {
  const asked: string[] = []
  const sockets = new Set<Socket>()
  const wanted = credentials && `Basic ${Buffer.from(credentials).toString('base64')}`
  const server = createServer().on('connect', ({ url = '', headers }, user: Socket) => {
    sockets.add(user.on('error', () => undefined))
    const no = wanted !== undefined && headers['proxy-authorization'] !== wanted ? 407 : status
    if (no !== undefined) return void user.end(`HTTP/1.1 ${no} No\r\n\r\n`)
    asked.push(url)
    const { hostname, port } = new URL(`https://${url}`)
    const inner = connect(Number(port === '' ? 443 : port), hostname, () => {
      user.write('HTTP/1.1 200 Connection established\r\n\r\n')
      inner.pipe(user).pipe(inner)
    })
    sockets.add(inner.on('error', () => user.destroy()))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    at: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((closed) => server.close(closed))
    },
  }
}
