import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** A user on a bare socket: sends what it is told to, whether or not anybody reads, and sees how its connection ends. */
export class RawUser {
  readonly socket: Socket
  /** The user's end of the connection; 0 until it is there. */
  port = 0
  /** All that came, as octets. */
  received = ''
  /**
   * `whole`: the connection was ended; `broken`: it was reset. Node cannot tell them apart over TLS, nor while there are bytes it has
   * not read; {@link isComplete} always can.
   */
  readonly closed: Promise<'whole' | 'broken'>
  #kept = Infinity

  constructor(port: number, options: { tls?: boolean } = {}) {
    const address = { host: '127.0.0.1', port }
    this.socket = options.tls
      ? connectTls({ ...address, rejectUnauthorized: false })
      : connectTcp(address)
    this.socket.once('connect', () => (this.port = this.socket.localPort!))
    let ended = false
    this.socket.setEncoding('latin1')
    this.socket.on('data', (text: string) => this.#take(text))
    this.socket.on('end', () => (ended = true))
    this.socket.on('error', () => (ended = false))
    this.closed = new Promise((resolve) => {
      this.socket.on('close', () => resolve(ended ? 'whole' : 'broken'))
    })
  }

  /** Remembers so many octets from the beginning, and what came last. */
  keep(octets: number): void {
    this.#kept = octets
  }

  #take(text: string): void {
    this.received += text
    if (this.received.length > 2 * this.#kept)
      this.received = this.received.slice(0, this.#kept) + this.received.slice(-this.#kept)
  }

  /** Sends a request head. */
  ask(method: string, target: string, headers: Record<string, string | number> = {}): this {
    const fields = Object.entries({ host: 'open.localhost', ...headers })
    const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`)
    this.socket.write(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`)
    return this
  }

  get status(): number | undefined {
    const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(this.received) ?? []
    return status === undefined ? undefined : Number(status)
  }

  /** What an answer of the proxy's own says is wrong. */
  get code(): string | undefined {
    return /"code":\s*"([^"]+)"/.exec(this.received)?.[1]
  }

  /** Whether the body came as long as its head said. */
  get isComplete(): boolean {
    const [head = '', body = ''] = this.received.split(/\r\n\r\n(.*)/s)
    const length = /^content-length: (\d+)/im.exec(head)?.[1]
    return length === undefined ? body.endsWith('\r\n0\r\n\r\n') : body.length === Number(length)
  }

  /** Goes away. */
  leave(): void {
    this.socket.destroy()
  }
}
