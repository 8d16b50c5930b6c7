/**
 * One user request on `node:http`, as the edge's port wants it.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { ApiMisuse, ExchangeFailed, type HeaderList, type ResponseHead } from '../../protocol/index.ts'
import type { UserEvents, UserExchange, UserRequestHead } from '../user-exchange.ts'

/** Binds a request and its response to the {@link UserExchange} port. */
export class NodeUserExchange implements UserExchange {
  readonly head: UserRequestHead
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  /** The user waits for `100 Continue` before it sends its body. */
  readonly #expectsContinue: boolean
  #events: UserEvents | undefined
  #isGone = false

  constructor(request: IncomingMessage, response: ServerResponse, expectsContinue = false) {
    this.#request = request
    this.#response = response
    this.#expectsContinue = expectsContinue
    this.head = {
      method: request.method ?? '',
      target: request.url ?? '',
      headers: request.rawHeaders,
      authority: request.headers.host ?? '',
      secure: (request.socket as TLSSocket).encrypted === true,
      httpVersion: request.httpVersion,
      remoteAddress: request.socket.remoteAddress ?? '',
      upgrade: undefined,
    }
  }

  listen(events: UserEvents): void {
    if (this.#events !== undefined) throw new ApiMisuse('listen() was called before')
    this.#events = events
    const request = this.#request
    const response = this.#response
    // A broken connection is told once, by the response's close; its error events say nothing more.
    request.on('error', nothing)
    response.on('error', nothing)
    response.on('drain', () => events.drained())
    const gone = (): void => {
      if (this.#isGone) return
      this.#isGone = true
      request.socket.off('close', gone)
      events.gone(response.writableFinished)
    }
    response.on('close', gone)
    // A pipelined answer that waits behind another has no close of its own when the user leaves.
    request.socket.setMaxListeners(0).on('close', gone)
  }

  startBody(): void {
    const events = this.#events!
    if (this.#expectsContinue) this.#response.writeContinue()
    this.#request.on('data', (bytes: Uint8Array) => events.data(bytes))
    this.#request.on('end', () => {
      const trailers = this.#request.rawTrailers
      events.ended(trailers.length > 0 ? trailers : undefined)
    })
  }

  pauseBody(): void {
    this.#request.pause()
  }

  resumeBody(): void {
    this.#request.resume()
  }

  inform(head: ResponseHead): void {
    if (this.#isGone || this.head.httpVersion === '1.0') return
    // What Node can send of the 1xx, besides the 100 that startBody answers.
    if (head.status === 102) this.#response.writeProcessing()
  }

  respond(head: ResponseHead, close: boolean): void {
    if (this.#isGone) return
    if (close) this.#response.shouldKeepAlive = false
    this.#response.writeHead(head.status, head.headers as string[])
    if (close) this.#response.flushHeaders()
  }

  upgrade(): void {
    throw new ExchangeFailed('cloud', 'upgrade-unsupported')
  }

  write(bytes: Uint8Array): boolean {
    return this.#isGone || this.#response.write(bytes)
  }

  end(trailers?: HeaderList): void {
    if (this.#isGone) return
    if (trailers !== undefined) this.#response.addTrailers(pairs(trailers))
    this.#response.end()
  }

  abort(): void {
    // A reset, not a FIN: the user must not take a body without length for complete. Over TLS a FIN without a closing
    // alert says the same (RFC 9112, section 9.8). Only TCP can be reset: Node throws for TLS and for Unix sockets.
    const { secure, remoteAddress } = this.head
    if (!secure && remoteAddress !== '') this.#request.socket.resetAndDestroy()
    this.#response.destroy()
  }
}

function nothing(): void {
  // see listen()
}

function pairs(list: HeaderList): [string, string][] {
  return Array.from({ length: list.length / 2 }, (_, i) => [list[2 * i]!, list[2 * i + 1]!])
}
