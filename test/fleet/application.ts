/**
 * The application of a fleet: what it answers depends on who asks for what, and what it was asked to do it counts.
 */
import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { WebSocketServer } from 'ws'
import { listen } from '../integration/listen.ts'

/** What `user` is answered. */
export function answerTo(user: string, path: string, body: Uint8Array | undefined): Buffer {
  const hash = createHash('sha256').update(`${user} ${path}`)
  if (body !== undefined) return hash.update(body).digest()
  const digest = hash.digest()
  // Up to 40 KiB, as the path says.
  return Buffer.alloc(digest.readUInt16BE(0) % 40_960, digest.toString('hex'))
}

export class FleetApplication {
  readonly port: number
  /** How often each POST was executed. */
  readonly executed = new Map<string, number>()
  readonly #server: Server

  private constructor(server: Server, port: number) {
    this.#server = server
    this.port = port
  }

  static async start(slowestMs = 60): Promise<FleetApplication> {
    const server = createServer()
    const application = new FleetApplication(server, await listen(server))
    const tunnels = new WebSocketServer({ noServer: true })
    server.on('upgrade', (request, socket, head) => {
      const user = String(request.headers['x-user'])
      tunnels.handleUpgrade(request, socket, head, (tunnel) => {
        tunnel.on('message', (data: Buffer) => tunnel.send(`${user} ${data.toString()}`))
        tunnel.on('error', () => undefined)
      })
    })
    server.on('request', (request, response) => {
      const path = request.url!
      const user = String(request.headers['x-user'])
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('error', () => undefined)
      request.on('end', () => {
        const isPost = request.method === 'POST'
        if (isPost) application.executed.set(path, (application.executed.get(path) ?? 0) + 1)
        const answer = answerTo(user, path, isPost ? Buffer.concat(parts) : undefined)
        // Its first half comes before its second: what is broken off is not whole.
        setTimeout(
          () => {
            response.write(answer.subarray(0, answer.length / 2))
            setTimeout(() => response.end(answer.subarray(answer.length / 2)), 5)
          },
          (answer.length * 7) % slowestMs,
        )
      })
    })
    return application
  }

  /** POSTs that were executed more than once. */
  get twice(): string[] {
    return [...this.executed].filter(([, times]) => times > 1).map(([path]) => path)
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}
