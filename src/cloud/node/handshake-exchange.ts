/**
 * One user request that asks for another protocol, on a socket that `node:http` has handed over.
 * Until the 101 it is answered like any other; after it the socket carries the tunnel's octets.
 *
 * @see RFC 9110 §7.8
 * @module
 */
import { ServerResponse, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { ApiMisuse, joined, type HeaderList, type ResponseHead } from '../../protocol/index.ts'
import type { UserEvents, UserExchange, UserRequestHead } from '../request/user-exchange.ts'
import { closeLingering } from './lingering-close.ts'
import {
  breakOff,
  NodeUserExchange,
  rawHead,
  requestHead,
  type NodeUserExchangeOptions,
} from './user-exchange.ts'

/**
 * Binds a handed-over request to the {@link UserExchange} port; an answer other than 101 closes the
 * connection.
 */
export class HandshakeExchange implements UserExchange {
  readonly head: UserRequestHead
  readonly #socket: Socket
  readonly #options: NodeUserExchangeOptions
  /** Answers anything but 101. */
  readonly #response: ServerResponse
  readonly #answer: NodeUserExchange
  #events: UserEvents | undefined
  #phase: 'asked' | 'answered' | 'switched' | 'carrying' | 'gone' = 'asked'
  /**
   * What the user sent before anybody takes it: what came with its head, and at most one read of
   * the socket.
   */
  #held: Uint8Array | undefined
  #userEnded = false

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
    if (rest.length > 0) this.#held = rest
  }

  listen(events: UserEvents): void {
    if (this.#events !== undefined) throw new ApiMisuse('listen() was called before')
    this.#events = events
    const socket = this.#socket
    // The close that follows says it.
    socket.on('error', () => undefined)
    // Each direction of a tunnel ends by itself, also on servers that were made otherwise.
    socket.allowHalfOpen = true
    socket.setTimeout(0)
    socket.on('drain', () => events.drained())
    socket.on('data', (bytes: Uint8Array) => this.#received(bytes))
    socket.on('end', () => this.#ended())
    socket.on('close', () => this.#gone(this.#isWhole))
    this.#answer.listen({
      data: () => undefined,
      ended: () => undefined,
      drained: () => undefined,
      gone: (complete) => {
        if (this.#phase === 'asked' || this.#phase === 'answered') this.#gone(complete)
      },
    })
    // One who leaves before the answer is noticed only while somebody reads.
    if (this.#held === undefined) socket.resume()
    else socket.pause()
  }

  startBody(): void {
    if (this.#phase !== 'switched') throw new ApiMisuse('startBody() before upgrade()')
    this.#phase = 'carrying'
    const held = this.#held
    this.#held = undefined
    this.#socket.resume()
    if (held !== undefined) this.#events!.data(held)
    if (this.#userEnded) this.#events!.ended(undefined)
  }

  pauseBody(): void {
    this.#socket.pause()
  }

  resumeBody(): void {
    this.#socket.resume()
  }

  inform(head: ResponseHead): void {
    if (this.#phase === 'asked') this.#answer.inform(head)
  }

  respond(head: ResponseHead): void {
    if (this.#phase !== 'asked') return
    this.#phase = 'answered'
    const socket = this.#socket
    this.#response.once('finish', () => {
      this.#response.detachSocket(socket)
      closeLingering(socket, this.#options)
      this.#gone(true)
    })
    this.#answer.respond(head, true)
  }

  upgrade({ headers }: ResponseHead): void {
    if (this.#phase !== 'asked') return
    const head = rawHead(101, [...headers, 'Connection', 'Upgrade'])
    this.#phase = 'switched'
    this.#answer.release()
    this.#response.detachSocket(this.#socket)
    this.#socket.write(head, 'latin1')
  }

  write(bytes: Uint8Array): boolean {
    if (this.#phase === 'answered') return this.#answer.write(bytes)
    return this.#phase === 'gone' || this.#socket.write(bytes)
  }

  end(trailers?: HeaderList): void {
    if (this.#phase === 'answered') this.#answer.end(trailers)
    else if (this.#phase !== 'gone') this.#socket.end()
  }

  abort(): void {
    breakOff(this.#socket, this.head)
  }

  #received(bytes: Uint8Array): void {
    if (this.#phase === 'carrying') return this.#events!.data(bytes)
    this.#socket.pause()
    this.#held = this.#held === undefined ? bytes : joined(this.#held, bytes)
  }

  #ended(): void {
    this.#userEnded = true
    if (this.#phase === 'carrying') this.#events!.ended(undefined)
  }

  /** Both directions of the tunnel were ended, not broken. */
  get #isWhole(): boolean {
    const isTunnel = this.#phase === 'switched' || this.#phase === 'carrying'
    return isTunnel && this.#userEnded && this.#socket.writableFinished
  }

  #gone(complete: boolean): void {
    if (this.#phase === 'gone') return
    this.#phase = 'gone'
    this.#events!.gone(complete)
  }
}
