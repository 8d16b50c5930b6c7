/**
 * Connections that were cut, where Node tells of an end.
 *
 * Over TCP, libuv takes a reset that comes together with the last bytes for an end. The kernel
 * knows better: a connection that was reset has no peer any more, one of which only the other
 * direction ended has. That is so under TLS as well.
 *
 * Over TLS, an end is told by the peer's closing alert, and Node says of no `TLSSocket` whether it
 * came. So its TCP connection is put under it as a stream, which shows the order: an alert ends the
 * TLS stream before TCP's end is there, a cut connection has none and ends with it. That costs a
 * turn through JavaScript per read; only connections that switch protocols pay it.
 *
 * @see RFC 8446, section 6.1; RFC 9112, sections 8 and 9.8
 * @module
 */
import { connect, type Socket, type TcpNetConnectOpts } from 'node:net'
import { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'

const cut = new WeakSet<Duplex>()

/**
 * Whether a connection was cut before its end, of those that {@link heedReset} or {@link
 * heedingAlert} watch.
 */
export function wasCut(socket: Duplex): boolean {
  return cut.has(socket)
}

/**
 * Watches a connection from its beginning. Nobody else may ask for its `remoteAddress`: Node keeps
 * it.
 */
export function heedReset(socket: Socket): void {
  const push = socket.push.bind(socket)
  socket.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk === null && isReset(socket)) cut.add(socket)
    return push(chunk, encoding)
  }
}

/** Both directions of one that we ended are closed, as those of a reset one are. */
function isReset(socket: Socket): boolean {
  return !socket.writableEnded && !socket.destroyed && socket.remoteAddress === undefined
}

/**
 * A TLS connection of which {@link wasCut} can tell.
 *
 * @param secure puts TLS on the stream it is given
 */
export function heedingAlert(
  { host, port }: { host?: string; port?: number },
  secure: (underneath: Duplex) => TLSSocket,
): TLSSocket {
  const to = { host, port, allowHalfOpen: true } as TcpNetConnectOpts
  const underneath = new TcpStream(connect(to))
  let isEnded = false
  let socket: TLSSocket | undefined = undefined
  // Before TLS listens: all that came has been read by then.
  underneath.once('end', () => {
    if (!isEnded && socket !== undefined) cut.add(socket)
  })
  socket = secure(underneath)
  const push = socket.push.bind(socket)
  socket.push = (chunk: unknown, encoding?: BufferEncoding) => {
    isEnded ||= chunk === null
    return push(chunk, encoding)
  }
  return socket
}

/** A TCP connection that is no `net.Socket`: TLS reads those behind JavaScript's back. */
class TcpStream extends Duplex {
  readonly #tcp: Socket

  constructor(tcp: Socket) {
    super({ allowHalfOpen: true })
    this.#tcp = tcp
    tcp.setNoDelay(true)
    tcp.on('data', (bytes) => {
      if (!this.push(bytes)) tcp.pause()
    })
    tcp.on('end', () => this.push(null))
    tcp.on('error', (error) => this.destroy(error))
    tcp.on('close', () => this.destroy())
  }

  override _read(): void {
    this.#tcp.resume()
  }

  override _write(bytes: Uint8Array, _: BufferEncoding, done: () => void): void {
    this.#tcp.write(bytes, done)
  }

  override _final(done: () => void): void {
    this.#tcp.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#tcp.destroy()
    done(error)
  }
}
