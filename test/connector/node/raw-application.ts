import {
  createServer as createTcpServer,
  type AddressInfo,
  type Server,
  type Socket,
} from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { until } from '../../until.ts'

/** One connection of a {@link RawApplication}. */
export interface RawConnection {
  readonly socket: Socket
  /** Everything that came, octets as code points. */
  received: string
  ended: boolean
  closed: boolean
  error: NodeJS.ErrnoException | undefined
}

/** A private application that says exactly what a test tells it to, octet for octet. */
export class RawApplication {
  readonly connections: RawConnection[] = []
  readonly #server: Server
  /** Under TLS too, those whose handshake failed among them. */
  readonly #sockets = new Set<Socket>()

  /** @param respond called at each piece that arrives; a connection is not closed unless it does so */
  static async listen(
    respond: (connection: RawConnection) => void = () => undefined,
    tls?: { key: string; cert: string },
  ): Promise<RawApplication> {
    const application = new RawApplication(respond, tls)
    await new Promise<void>((ready) => application.#server.listen(0, '127.0.0.1', ready))
    return application
  }

  private constructor(
    respond: (connection: RawConnection) => void,
    tls: { key: string; cert: string } | undefined,
  ) {
    const accept = (socket: Socket): void => {
      const connection: RawConnection = {
        socket,
        received: '',
        ended: false,
        closed: false,
        error: undefined,
      }
      this.connections.push(connection)
      socket.on('data', (bytes) => {
        connection.received += bytes.toString('latin1')
        respond(connection)
      })
      socket.on('end', () => (connection.ended = true))
      socket.on('close', () => (connection.closed = true))
      socket.on('error', (error) => (connection.error = error))
    }
    this.#server =
      tls === undefined
        ? createTcpServer({ allowHalfOpen: true }, accept)
        : createTlsServer({ allowHalfOpen: true, ...tls }, accept)
    this.#server.on('connection', (socket: Socket) => this.#sockets.add(socket))
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** The n-th connection, once it is there. */
  async connection(n = 0): Promise<RawConnection> {
    await until(() => this.connections.length > n)
    return this.connections[n]!
  }

  /** Takes no further connection; those there are go on. */
  stopListening(): void {
    this.#server.close()
  }

  /** Cuts all connections, under TLS as well. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((closed) => this.#server.close(closed))
  }
}
