/**
 * Requests that name another protocol: which of them may leave HTTP, and how the others stay in it.
 *
 * `node:http` stops parsing at every `Connection: upgrade`, whatever is offered. An offer may be
 * ignored (RFC 9110 §7.8), and one that comes with a body, by HTTP/1.0, or for a protocol of the
 * connection itself (`h2c`, `TLS/1.2`) is ignored here.
 *
 * @module
 */
import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { headerValue, headerValues, type HeaderList } from '../../protocol/internal.ts'
import { keepDraining, whenAnswered } from '../../runtime/node/request-turns.ts'
import { pairs } from './user-exchange.ts'

/**
 * The protocols a request offers that an application may switch to; undefined: none, and it is an
 * ordinary request.
 */
export function offeredProtocols({ httpVersion, rawHeaders }: IncomingMessage): string | undefined {
  if (httpVersion !== '1.1' || hasBody(rawHeaders)) return undefined
  const offered = tokens(headerValues(rawHeaders, 'upgrade').join(','))
  const possible = offered.filter((name) => !/^(h2c|http|tls)(\/|$)/i.test(name))
  return possible.length > 0 ? possible.join(', ') : undefined
}

/**
 * Gives a request back to its server without the offer: it is parsed once more, with its body and
 * whatever follows, by a fresh parser. Its server then emits `connection` (`secureConnection`) a
 * second time for the same socket.
 */
export function serveWithoutUpgrade(request: IncomingMessage, socket: Duplex, rest: Buffer): void {
  serveAgain(request, withoutOffer(request.rawHeaders), socket, rest)
}

/**
 * Serves a request that came behind others as it is, once they are answered. A user who leaves
 * meanwhile is noticed: one segment more is read.
 */
export function serveLater(request: IncomingMessage, socket: Socket, rest: Buffer): void {
  const held = [rest]
  const hold = (octets: Buffer): void => {
    held.push(octets)
    socket.pause()
  }
  keepDraining(socket)
  socket.on('data', hold)
  whenAnswered(socket, () => {
    socket.off('data', hold)
    if (!socket.writable) return
    if (!socket.readable) return void socket.destroy()
    socket.setTimeout(0)
    serveAgain(request, request.rawHeaders, socket, Buffer.concat(held))
  })
}

function serveAgain(
  { method, url, httpVersion }: IncomingMessage,
  headers: HeaderList,
  socket: Duplex,
  rest: Buffer,
): void {
  const lines = pairs(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `${method} ${url} HTTP/${httpVersion}\r\n${lines.join('')}\r\n`
  serveNext(socket, Buffer.concat([Buffer.from(head, 'latin1'), rest]))
}

/**
 * Gives a connection back to its server, which reads requests on it as on a new one: it emits
 * `connection` (`secureConnection`) once more. `rest`: what was read of it already.
 */
export function serveNext(socket: Duplex, rest?: Uint8Array): void {
  if (rest !== undefined) socket.unshift(rest)
  const { server } = socket as Socket & { server: Server }
  server.emit((socket as TLSSocket).encrypted ? 'secureConnection' : 'connection', socket)
}

function withoutOffer(headers: HeaderList): HeaderList {
  return pairs(headers).flatMap(([name, value]) => {
    const field = name.toLowerCase()
    if (field === 'upgrade' || field === 'http2-settings') return []
    if (field !== 'connection') return [name, value]
    const kept = tokens(value).filter((token) => !/^(upgrade|http2-settings)$/i.test(token))
    return kept.length > 0 ? [name, kept.join(', ')] : []
  })
}

function hasBody(headers: HeaderList): boolean {
  const length = headerValue(headers, 'content-length')
  const coding = headerValue(headers, 'transfer-encoding')
  return coding !== undefined || (length !== undefined && length !== '0')
}

function tokens(list: string): string[] {
  return list
    .split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '')
}
