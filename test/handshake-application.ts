import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

const HEAD = 'TlRMTVNTUAA'
const base64 = (text: string) => Buffer.from(text).toString('base64')
/** The three messages, as a client and this application write them; no cryptography is in them. */
export const opening = `${HEAD}BAAAA`
export const answerTo = (challenge: string, user: string) =>
  `${HEAD}DAAAA${base64(`${user}:${challenge.slice(`${HEAD}CAAAA`.length)}`)}`

/** What an application knows of one connection. */
interface Known {
  readonly number: number
  nonce: string | undefined
  user: string | undefined
}

/**
 * A private application that knows its users by their connections, as NTLM does: three steps, all on one connection,
 * and from then on whatever comes on that is its user's.
 */
export class HandshakeApplication {
  /** Challenges that were answered on another connection than they were given on. */
  misplaced = 0
  connections = 0
  /** Of requests with a body, what came. */
  readonly bodies: string[] = []
  /** Paths that everybody may see. */
  readonly open = /^\/public/
  readonly #known = new WeakMap<Duplex, Known>()
  readonly #nonces = new Set<string>()
  readonly #sockets = new Set<Duplex>()

  readonly serve: RequestListener = (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (bytes: Buffer) => chunks.push(bytes))
    request.on('end', () => {
      const { status, fields } = this.#answer(request, request.socket)
      if (status === 200 && chunks.length > 0) this.bodies.push(Buffer.concat(chunks).toString())
      this.#write(response, status, fields)
    })
  }

  readonly upgrade = (request: IncomingMessage, socket: Duplex): void => {
    const { status, fields } = this.#answer(request, socket)
    const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    socket.on('error', () => undefined)
    if (status === 200) {
      socket.write(
        `HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${lines}\r\n`,
      )
      socket.on('data', (bytes: Buffer) => socket.write(bytes))
      socket.on('end', () => socket.end())
    } else {
      socket.write(`HTTP/1.1 401 No\r\n${lines}Content-Length: 0\r\n\r\n`)
      // As servers have it that authenticate connections: the next request comes on this one.
      const { server } = socket as Duplex & { server: Server }
      server.emit('encrypted' in socket ? 'secureConnection' : 'connection', socket)
    }
  }

  /** Closes every connection, as an application does that is tired of them; resolves when the other end knows. */
  async closeAll(): Promise<void> {
    const sockets = [...this.#sockets]
    const closed = sockets.map((socket) => new Promise((over) => socket.once('close', over)))
    for (const socket of sockets) socket.end()
    await Promise.all(closed)
  }

  #write(response: ServerResponse, status: number, fields: readonly [string, string][]): void {
    response.statusCode = status
    for (const [name, value] of fields) response.setHeader(name, value)
    response.end(`${status}`)
  }

  #answer(
    { headers, url = '' }: IncomingMessage,
    socket: Duplex,
  ): { status: number; fields: [string, string][] } {
    let known = this.#known.get(socket)
    if (known === undefined) {
      known = { number: ++this.connections, nonce: undefined, user: undefined }
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      this.#known.set(socket, known)
    }
    const at: [string, string] = ['X-Connection', String(known.number)]
    const challenge = (token = ''): { status: number; fields: [string, string][] } => ({
      status: 401,
      fields: [at, ['WWW-Authenticate', `NTLM${token}`]],
    })
    const token = /^ntlm\s+(\S+)$/i.exec(headers.authorization ?? '')?.[1]
    if (token?.startsWith(`${HEAD}B`) === true) {
      known.user = undefined
      known.nonce = `nonce${known.number}x${this.#nonces.size}`
      this.#nonces.add(known.nonce)
      return challenge(` ${HEAD}CAAAA${known.nonce}`)
    }
    if (token !== undefined) {
      const text = Buffer.from(token.slice(`${HEAD}DAAAA`.length), 'base64').toString()
      const [user = '', nonce = ''] = text.split(':')
      if (nonce !== known.nonce) {
        if (this.#nonces.has(nonce)) this.misplaced += 1
        known.nonce = known.user = undefined
        return challenge()
      }
      known.nonce = undefined
      known.user = user
    }
    if (known.user === undefined && !this.open.test(url)) return challenge()
    return { status: 200, fields: [at, ['X-Seen', known.user ?? 'nobody']] }
  }
}
