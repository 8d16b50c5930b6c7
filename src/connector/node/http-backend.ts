/**
 * Private applications over `node:http`: all that HTTP/1.1 has, at twice the cost of the shorter
 * path.
 *
 * @module
 */
import {
  request as httpRequest,
  type ClientRequest,
  type ClientRequestArgs,
  type IncomingMessage,
} from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { bindsConnection, MAX_HEAD_BYTES, type HeaderList } from '../../protocol/internal.ts'
import type { Backend, BackendCall, BackendEvents, BackendRequest } from '../backend.ts'
import {
  ApplicationConnections,
  type ApplicationConnectionOptions,
} from './application-connections.ts'
import { endsWithConnection, isCodedForTransfer } from './answer-end.ts'
import { wasCut } from './cut-connections.ts'
import {
  BODY_LENGTH,
  fault,
  faultOf,
  insideAnswer,
  isStale,
  notSentCauseOf,
  TRANSFER_CODING,
  UNUSABLE_STATUS,
} from './application-faults.ts'
import { ConnectLimit } from './connect-limit.ts'

/**
 * Calls private applications with `node:http`. The only time limits are the exchange's own; Node's
 * are off.
 */
export class HttpBackend implements Backend {
  readonly #connections: ApplicationConnections

  constructor(options: ApplicationConnectionOptions = {}) {
    this.#connections = new ApplicationConnections(options)
  }

  call(request: BackendRequest, events: BackendEvents): BackendCall {
    return new HttpCall(this.#connections, request, events)
  }

  async close(): Promise<void> {
    this.#connections.close()
  }
}

/** Where a request finds its connection. */
export interface RequestConnections {
  /** Milliseconds that a connection may take. */
  readonly connectMs: number
  /** What a request needs to find one. */
  to(request: BackendRequest): ClientRequestArgs
  /** It showed authentication that is bound to it. */
  retire(socket: Socket): void
}

/** Calls a private application over the connections that are given, or the one. */
export class HttpCall implements BackendCall {
  readonly #connections: RequestConnections
  readonly #wanted: BackendRequest
  readonly #events: BackendEvents
  #request: ClientRequest
  #response: IncomingMessage | undefined
  /** After a switch of protocols. */
  #tunnel: Duplex | undefined
  /**
   * Bytes of the announced body still to be written; another number at its end would garble the
   * connection.
   */
  #left: number
  /** It was given a connection: octets may have left. For good, whatever becomes of that one. */
  #isSent = false
  readonly #limit: ConnectLimit
  #retried = false
  #over = false

  constructor(connections: RequestConnections, wanted: BackendRequest, events: BackendEvents) {
    this.#connections = connections
    this.#wanted = wanted
    this.#events = events
    this.#left = wanted.body.kind === 'length' ? wanted.body.bytes : Infinity
    this.#request = this.#start()
    this.#limit = new ConnectLimit(wanted.answerMs, connections.connectMs, (error) =>
      this.#failed(error),
    )
  }

  write(bytes: Uint8Array): boolean {
    if (this.#over) return true
    if (this.#tunnel !== undefined) return this.#tunnel.write(bytes)
    this.#left -= bytes.length
    if (this.#left < 0) return this.#misframed()
    return this.#request.write(bytes) && this.#isSent
  }

  end(trailers?: HeaderList): void {
    if (this.#over) return
    if (this.#tunnel !== undefined) return void this.#tunnel.end()
    if (this.#wanted.body.kind === 'none') return
    if (this.#left > 0 && this.#left !== Infinity) return void this.#misframed()
    if (trailers !== undefined) this.#request.addTrailers(pairs(trailers))
    this.#request.end()
  }

  pause(): void {
    const source = this.#tunnel ?? this.#response
    source?.pause()
  }

  resume(): void {
    const source = this.#tunnel ?? this.#response
    source?.resume()
  }

  abort(): void {
    if (this.#over) return
    this.#finish()
    if (this.#tunnel === undefined) this.#request.destroy()
    // A reset, not a FIN: the application must not take a tunnel that broke for one that ended.
    // Only TCP can be reset.
    else if ('encrypted' in this.#tunnel) this.#tunnel.destroy()
    else (this.#tunnel as Socket).resetAndDestroy()
  }

  #start(): ClientRequest {
    const { method, target, body } = this.#wanted
    // What Node would write instead of what was asked.
    if (method === 'CONNECT' || method !== method.toUpperCase())
      throw fault('ERR_INVALID_METHOD', `cannot send the method ${method}`)
    const address = this.#connections.to(this.#wanted)
    const request = ('servername' in address ? httpsRequest : httpRequest)({
      ...address,
      method,
      path: target,
      headers: framed(this.#wanted) as never,
      maxHeaderSize: MAX_HEAD_BYTES,
    })
    // Otherwise Node drops what exceeds its count, silently.
    request.maxHeadersCount = 0
    request.on('socket', () => this.#connected(request))
    request.on('information', ({ statusCode, rawHeaders }) => {
      this.#heedBinding(rawHeaders)
      // Nobody downstream asked for a 100.
      if (this.#over || statusCode === 100) return
      this.#events.informational({ status: statusCode, headers: rawHeaders })
    })
    request.on('response', (response) => this.#responded(response))
    request.on('upgrade', (response, socket, head) => this.#upgraded(response, socket, head))
    request.on('drain', () => {
      if (!this.#over) this.#events.drained()
    })
    // One that was replaced has nothing more to say.
    request.on('error', (error) => {
      // What comes behind a whole answer, or of a request that nobody waits for any more, takes
      // nothing from it.
      if (request === this.#request && this.#response?.complete !== true) this.#failed(error)
    })
    request.on('close', () => {
      if (request !== this.#request || this.#response !== undefined) return
      if (this.#tunnel === undefined) this.#failed(fault('ECONNRESET', 'closed without an answer'))
    })
    if (body.kind === 'none') request.end()
    // The head goes out before the first body byte. (Not flushHeaders: it would write octets as
    // UTF-8.)
    else request.write('', 'latin1')
    return request
  }

  #connected(request: ClientRequest): void {
    if (this.#over) return
    this.#isSent = true
    this.#limit.clear()
    if (this.#wanted.body.kind === 'none' || request.writableNeedDrain) return
    // What was written meanwhile has been taken by now.
    this.#events.drained()
  }

  #responded(response: IncomingMessage): void {
    if (this.#over) return void response.resume()
    this.#response = response
    this.#heedBinding(response.rawHeaders)
    if (response.statusCode === 101)
      return this.#failed(fault(UNUSABLE_STATUS, 'a 101 that switches to nothing'))
    if (isCodedForTransfer(this.#wanted.method, response.statusCode!, response.rawHeaders))
      return this.#failed(fault(TRANSFER_CODING, 'a transfer coding that nobody asked for'))
    response.on('data', (bytes: Uint8Array) => {
      if (!this.#over) this.#events.data(bytes)
    })
    response.on('end', () => this.#ended(response))
    response.on('error', (error) => this.#failed(error))
    this.#events.responded({ status: response.statusCode!, headers: response.rawHeaders })
  }

  #ended(response: IncomingMessage): void {
    if (this.#over) return
    const { complete, rawTrailers } = response
    if (!complete || this.#isTorn(response))
      return this.#failed(fault('ECONNRESET', 'closed inside its answer'))
    this.#finish()
    if (rawTrailers.length > 0) this.#heedBinding(rawTrailers)
    // The rest of an unfinished request nobody wants to write; its connection can carry no other.
    if (!this.#request.writableEnded) this.#request.destroy()
    this.#events.ended(rawTrailers.length > 0 ? rawTrailers : undefined)
  }

  /**
   * It ended with a connection that was reset. One that answers before it has read the request may
   * reset it when it has said all.
   */
  #isTorn({ statusCode, rawHeaders }: IncomingMessage): boolean {
    return (
      wasCut(this.#request.socket!) &&
      this.#request.writableFinished &&
      endsWithConnection(this.#wanted.method, statusCode!, rawHeaders)
    )
  }

  #upgraded(response: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Behind a whole answer.
    if (this.#over || this.#response !== undefined)
      return void socket.on('error', () => undefined).destroy()
    socket.on('error', (error) => this.#failed(error))
    this.#tunnel = socket
    if (this.#wanted.upgrade === undefined)
      return this.#failed(fault(UNUSABLE_STATUS, 'a 101 nobody asked for'))
    if (head.length > 0) socket.unshift(head)
    socket.on('drain', () => {
      if (!this.#over) this.#events.drained()
    })
    socket.on('data', (bytes: Uint8Array) => {
      if (!this.#over) this.#events.data(bytes)
    })
    socket.on('end', () => {
      if (wasCut(socket)) this.#failed(fault('ECONNRESET', 'the tunnel was cut'))
      else if (!this.#over) this.#events.ended(undefined)
    })
    socket.on('close', () => {
      if (!socket.readableEnded) this.#failed(fault('ECONNRESET', 'the tunnel was cut'))
      this.#finish()
    })
    this.#events.upgraded({ status: response.statusCode!, headers: response.rawHeaders })
  }

  /** What shows authentication that is bound to the connection makes this its last exchange. */
  #heedBinding(headers: HeaderList): void {
    if (bindsConnection(headers)) this.#connections.retire(this.#request.socket!)
  }

  #misframed(): true {
    // Later: who writes must be through with it first.
    queueMicrotask(() => {
      this.#failed(fault(BODY_LENGTH, 'a request body of another length than announced'))
    })
    return true
  }

  #failed(error: unknown): void {
    if (this.#over) return
    const responded = this.#response !== undefined || this.#tunnel !== undefined
    if (this.#mayRetry(error, responded)) {
      this.#retried = true
      this.#request = this.#start()
      return
    }
    this.#finish()
    this.#request.destroy()
    this.#tunnel?.destroy()
    const cause = this.#isSent ? undefined : notSentCauseOf(error)
    if (cause !== undefined) return this.#events.notSent(cause, error)
    this.#events.failed(faultOf(error, responded), insideAnswer(error, responded))
  }

  /** Nothing of it is told any more. */
  #finish(): void {
    this.#over = true
    this.#limit.clear()
  }

  /** A connection that the application closed while we reached for it. */
  #mayRetry(error: unknown, responded: boolean): boolean {
    const { replayable, body } = this.#wanted
    if (!replayable || body.kind !== 'none' || responded || this.#retried) return false
    return this.#request.reusedSocket && isStale(error)
  }
}

/** Methods that Node and many a server expect a body with. */
const BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE'])

/**
 * The list as it is, then how this message is framed: last, because Node re-encodes some fields
 * that follow a length.
 */
function framed({ headers, method, body, upgrade }: BackendRequest): string[] {
  const list: string[] = []
  for (let i = 0; i < headers.length; i += 2)
    if (!isFraming(headers[i]!)) list.push(headers[i]!, headers[i + 1]!)
  if (body.kind === 'length') list.push('Content-Length', String(body.bytes))
  else if (body.kind === 'streamed') list.push('Transfer-Encoding', 'chunked')
  else if (!BODILESS.has(method)) list.push('Content-Length', '0')
  if (upgrade !== undefined) list.push('Connection', 'Upgrade', 'Upgrade', upgrade)
  return list
}

function isFraming(name: string): boolean {
  if (name.length !== 14 && name.length !== 17) return false
  const lower = name.toLowerCase()
  return lower === 'content-length' || lower === 'transfer-encoding'
}

function pairs(list: HeaderList): [string, string][] {
  return Array.from({ length: list.length / 2 }, (_, i) => [list[2 * i]!, list[2 * i + 1]!])
}
