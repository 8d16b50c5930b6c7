/** A private site that a test holds in its hand: it refuses, switches, half-closes and tells when it is told to. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'

export class OwnSite {
  readonly #sockets = new WebSocketServer({ noServer: true })
  readonly #server = createServer((request, response) => {
    if (request.url === '/events') return this.#begin(response)
    response.writeHead(404).end('There is no such page.\n')
  })
  #events: ServerResponse | undefined
  /** WebSockets at the site's end, as they came. */
  readonly opened: WebSocket[] = []
  /** Connections that switched to `lines`. */
  readonly lines: Duplex[] = []

  /** Resolves with its address. */
  async start(): Promise<string> {
    this.#server.on('upgrade', (request, socket: Duplex, head) => {
      if (request.url === '/lines') {
        this.lines.push(socket)
        return socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: lines\r\n\r\n',
        )
      }
      if (request.url !== '/socket') return socket.end(REFUSALS[request.url!])
      return this.#sockets.handleUpgrade(request, socket, head, (one) => this.opened.push(one))
    })
    this.#sockets.on('headers', (headers) => headers.push('Set-Cookie: room=12; Path=/'))
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  #begin(response: ServerResponse): void {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
    this.#events = response
  }

  tell(event: string): void {
    this.#events!.write(`data: ${event}\n\n`)
  }

  async stop(): Promise<void> {
    for (const one of this.opened) one.terminate()
    for (const one of this.lines) one.destroy()
    this.#server.closeAllConnections()
    await new Promise((closed) => this.#server.close(closed))
  }
}

const REFUSALS: Readonly<Record<string, string>> = {
  '/401':
    'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="site"\r\nContent-Length: 10\r\n\r\nnot today\n',
  '/404': 'HTTP/1.1 404 Not Found\r\nContent-Length: 8\r\nX-Site: own\r\n\r\nnothing\n',
}
