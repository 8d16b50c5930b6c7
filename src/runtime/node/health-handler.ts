/**
 * `/livez`, `/readyz` and `/metrics` as a request listener of Node's.
 *
 * @module
 */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { Health } from '../health.ts'
import { AcceptedConnections } from './accepted-connections.ts'

const LIMITS = { requestTimeout: 10_000, headersTimeout: 10_000, maxHeaderSize: 8 * 1024 }
/** A connection on which nothing moves is closed. Milliseconds. */
const QUIET_MS = 10_000
/** Whoever asks is a few: what holds connections open takes no more than these. */
const MOST_CONNECTIONS = 64

/**
 * A server of its own that answers for `health`; nobody is listened to yet. For an address that
 * users cannot reach:
 *
 *     createHealthListener(health).listen(9464, '127.0.0.1')
 */
export function createHealthListener(health: Pick<Health, 'answer'>): Server {
  const server = createServer(LIMITS, healthHandler(health))
  server.maxConnections = MOST_CONNECTIONS
  new AcceptedConnections(QUIET_MS).of(server, 'connection')
  return server
}

/** Answers for `health`, one request a connection: for a server of one's own. */
export function healthHandler(health: Pick<Health, 'answer'>): RequestListener {
  return ({ method = '', url = '' }, response) => {
    const { status, headers, body } = health.answer(method, url)
    const length = Buffer.byteLength(body)
    response.writeHead(status, { ...headers, connection: 'close', 'content-length': length })
    response.end(body)
  }
}
