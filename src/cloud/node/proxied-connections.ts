/**
 * Connections that come through load balancers which say, by the PROXY protocol, whose they are.
 *
 * Whoever is listed must say so, on every connection: what begins otherwise is closed, for an
 * address that is guessed is one that anybody may choose. Whoever is not listed is served as ever:
 * a header from there is not what TLS or HTTP begin with.
 *
 * @module
 */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { Server as TlsServer, type TLSSocket } from 'node:tls'
import { ConfigurationInvalid } from '../../protocol/internal.ts'
import { UNKNOWN_ADDRESS } from '../policy/client-address.ts'
import { readProxyHeader, type ProxySource } from '../request/proxy-header.ts'
import { networksOf } from '../rules/conditions.ts'
import { isInside, parseAddress } from '../rules/network.ts'
import { serveNext } from './user-upgrade.ts'

/** Load balancers that speak the PROXY protocol, version 1 or 2. */
export interface ProxyProtocol {
  /**
   * Networks, as `address/prefix-length`, of those that connect to this listener; no connection of
   * theirs is served without the header.
   */
  readonly from: readonly string[]
}

/** What the listener is told with. */
export interface ProxiedConnectionsOptions {
  /** Milliseconds for the whole header. */
  readonly headerMs: number
  /** Told of a listed peer that sends none, or another. */
  readonly refused: (address: string) => void
}

type Serve = (this: Server, socket: Socket) => void

/**
 * Stands before what serves the connections of `server`, once, before it listens: each is given on
 * when it is known whose it is.
 *
 * @throws ConfigurationInvalid `proxyProtocol.from` when it is empty, or a network is none
 */
export function readProxyHeaders(
  server: Server,
  { from }: ProxyProtocol,
  { headerMs, refused }: ProxiedConnectionsOptions,
): void {
  if (from.length === 0) throw new ConfigurationInvalid('proxyProtocol.from', 'names nobody')
  const networks = networksOf(from, 'proxyProtocol.from')
  const isListed = ({ remoteAddress = '' }: Socket): boolean => {
    const address = parseAddress(remoteAddress)
    return address !== undefined && isInside(address, networks)
  }
  const isSecure = server instanceof TlsServer
  const read = new WeakSet<Socket>()
  const sources = new WeakMap<Socket, ProxySource>()
  const serving = server.listeners('connection') as Serve[]
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    // Connections of requests that are read once more come by here again.
    if (read.has(socket) || !isListed(socket)) {
      for (const serve of serving) serve.call(server, socket)
      return
    }
    const { remoteAddress = '' } = socket
    new HeaderReading(socket, headerMs, {
      whole: (source, rest) => {
        read.add(socket)
        sources.set(socket, source)
        comesFrom(socket, source)
        serveNext(socket, rest)
        // It was stopped for the header. TLS reads on by itself, from below.
        if (!isSecure) socket.resume()
      },
      refused: () => refused(remoteAddress),
    })
  })
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    const { _parent: carrier } = socket as TLSSocket & { readonly _parent?: Socket }
    const source = carrier && sources.get(carrier)
    if (source !== undefined) comesFrom(socket, source)
  })
}

interface HeaderEvents {
  whole(source: ProxySource, rest: Buffer | undefined): void
  refused(): void
}

/** One connection, until its header is whole. */
class HeaderReading {
  readonly #socket: Socket
  readonly #events: HeaderEvents
  readonly #timer: NodeJS.Timeout
  #octets: Buffer = Buffer.alloc(0)

  constructor(socket: Socket, headerMs: number, events: HeaderEvents) {
    this.#socket = socket
    this.#events = events
    this.#timer = setTimeout(this.#refuse, headerMs).unref()
    socket.on('data', this.#read)
    socket.on('end', this.#gone)
    socket.on('error', this.#gone)
    socket.on('close', this.#forget)
  }

  readonly #read = (octets: Buffer): void => {
    this.#octets = Buffer.concat([this.#octets, octets])
    const header = readProxyHeader(this.#octets)
    if (header.is === 'part') return
    if (header.is === 'refused') return this.#refuse()
    this.#socket.pause()
    this.#forget()
    const rest = this.#octets.subarray(header.octets)
    this.#events.whole(header.source, rest.length > 0 ? rest : undefined)
  }

  /** In no words: nobody knows yet what would be understood. */
  readonly #refuse = (): void => {
    this.#forget()
    this.#events.refused()
    this.#socket.on('error', nothing)
    this.#socket.destroy()
  }

  /** It only looked whether somebody listens, as checks of health do. */
  readonly #gone = (): void => {
    this.#forget()
    this.#socket.on('error', nothing)
    this.#socket.destroy()
  }

  readonly #forget = (): void => {
    clearTimeout(this.#timer)
    this.#socket.off('data', this.#read)
    this.#socket.off('end', this.#gone)
    this.#socket.off('error', this.#gone)
    this.#socket.off('close', this.#forget)
  }
}

/** From now on whoever asks the connection is told whose it is; the proxy's own is the proxy's. */
function comesFrom(socket: Socket, source: ProxySource): void {
  if (source.of === 'proxy') return
  const [address, port] =
    source.of === 'client' ? [source.address, source.port] : [UNKNOWN_ADDRESS, undefined]
  const family = source.of === 'nobody' ? undefined : address.includes(':') ? 'IPv6' : 'IPv4'
  Object.defineProperties(socket, {
    remoteAddress: { value: address, configurable: true },
    remotePort: { value: port, configurable: true },
    remoteFamily: { value: family, configurable: true },
  })
}

function nothing(): void {
  // the close that follows says it
}
