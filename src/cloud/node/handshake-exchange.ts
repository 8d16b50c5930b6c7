/**
 * One user request that asks for another protocol, on a socket that `node:http` has handed over.
 * Until the 101 it is answered like any other; after it the socket carries the tunnel's octets.
 *
 * @see RFC 9110 §7.8
 * @module
 */
import { ServerResponse, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import {
  ApiMisuse,
  HandshakeOrder,
  type HeaderList,
  type ResponseHead,
} from '../../protocol/internal.ts'
import { asksForConnection } from '../edge/affinities.ts'
import type { UserEvents, UserExchange, UserRequestHead } from '../request/user-exchange.ts'
import { closeLingering } from './lingering-close.ts'
import {
  breakOff,
  NodeUserExchange,
  rawHead,
  requestHead,
  type NodeUserExchangeOptions,
} from './user-exchange.ts'
import { serveNext } from './user-upgrade.ts'

/**
 * Binds a handed-over request to the {@link UserExchange} port. An answer other than 101 closes the
 * connection, unless it asks for authentication that is bound to the connection: that goes on with
 * the next request on it.
 */
export class HandshakeExchange implements UserExchange {
  readonly head: UserRequestHead
  readonly #socket: Socket
  readonly #options: NodeUserExchangeOptions
  /** Answers anything but 101. */
  readonly #response: ServerResponse
  readonly #answer: NodeUserExchange
  readonly #order: HandshakeOrder
  readonly #wasHalfOpen: boolean
  readonly #stopListening: (() => void)[] = []
  #events: UserEvents | undefined

  /**
   * @param upgrade what the user offers, see {@link UserRequestHead.upgrade}
   * @param rest what Node had read beyond the head
   */
  constructor(
    request: IncomingMessage,
    socket: Socket,
    upgrade: string,
    rest: Uint8Array,
    options: NodeUserExchangeOptions = {},
  ) {
    this.head = requestHead(request, upgrade)
    this.#socket = socket
    this.#options = options
    this.#response = new ServerResponse(request)
    this.#response.assignSocket(socket)
    this.#answer = new NodeUserExchange(request, this.#response, options)
    this.#order = new HandshakeOrder(rest)
    this.#wasHalfOpen = socket.allowHalfOpen
  }

  get connection(): Socket {
    return this.#socket
  }

  listen(events: UserEvents): void {
    if (this.#events !== undefined) throw new ApiMisuse('listen() was called before')
    this.#events = events
    const socket = this.#socket
    // The close that follows says it.
    this.#on('error', () => undefined)
    // Each direction of a tunnel ends by itself, also on servers that were made otherwise.
    socket.allowHalfOpen = true
    socket.setTimeout(0)
    this.#on('drain', () => events.drained())
    this.#on('data', (bytes: Uint8Array) => this.#received(bytes))
    this.#on('end', () => this.#ended())
    // Both directions of a tunnel were ended, not broken.
    this.#on('close', () => this.#gone(this.#order.isHalfClosed && socket.writableFinished))
    this.#answer.listen({
      data: () => undefined,
      ended: () => undefined,
      drained: () => undefined,
      gone: (complete) => this.#gone(complete),
    })
    // One who leaves before the answer is noticed only while somebody reads.
    if (this.#order.isHolding) socket.pause()
    else socket.resume()
  }

  startBody(): void {
    const held = this.#order.carry()
    this.#socket.resume()
    if (held !== undefined) this.#events!.data(held)
    if (this.#order.closesNow()) this.#events!.ended(undefined)
  }

  pauseBody(): void {
    this.#socket.pause()
  }

  resumeBody(): void {
    this.#socket.resume()
  }

  inform(head: ResponseHead): void {
    if (this.#order.inform()) this.#answer.inform(head)
  }

  respond(head: ResponseHead, close: boolean): void {
    if (this.#order.state !== 'asked') return
    // Whoever has sent octets of the tunnel already, or its end, says no other request.
    const goesOn =
      !close && asksForConnection(head) && !this.#order.isHolding && this.#socket.readable
    // A head that cannot be said throws here, and another may be said instead.
    this.#answer.respond(head, !goesOn)
    this.#order.respond()
    const socket = this.#socket
    this.#response.once('finish', () => {
      this.#response.detachSocket(socket)
      if (goesOn && socket.readable && socket.writable) this.#handBack()
      else closeLingering(socket, this.#options)
      this.#gone(true)
    })
  }

  upgrade({ headers }: ResponseHead): void {
    if (this.#order.state !== 'asked') return
    const head = rawHead(101, [...headers, 'Connection', 'Upgrade'])
    this.#order.switch()
    this.#answer.release()
    this.#response.detachSocket(this.#socket)
    this.#socket.write(head, 'latin1')
  }

  write(bytes: Uint8Array): boolean {
    if (!this.#order.write()) return true
    return this.#order.state === 'answered' ? this.#answer.write(bytes) : this.#socket.write(bytes)
  }

  end(trailers?: HeaderList): void {
    if (!this.#order.end()) return
    if (this.#order.state === 'answered') this.#answer.end(trailers)
    else this.#socket.end()
  }

  abort(): void {
    breakOff(this.#socket, this.head)
  }

  #on<A extends unknown[]>(event: string, listener: (...args: A) => void): void {
    const [socket, heard] = [this.#socket, listener as () => void]
    socket.on(event, heard)
    this.#stopListening.push(() => socket.off(event, heard))
  }

  /** The next request on the connection is its server's again. */
  #handBack(): void {
    this.#answer.release()
    for (const stop of this.#stopListening) stop()
    this.#socket.allowHalfOpen = this.#wasHalfOpen
    serveNext(this.#socket, this.#order.rest())
  }

  #received(bytes: Uint8Array): void {
    if (this.#order.data(bytes)) this.#events!.data(bytes)
    // Held until somebody takes it.
    else this.#socket.pause()
  }

  #ended(): void {
    if (this.#order.close()) this.#events!.ended(undefined)
  }

  #gone(complete: boolean): void {
    if (this.#order.leave()) this.#events!.gone(complete)
  }
}
