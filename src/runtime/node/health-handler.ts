/**
 * `/livez`, `/readyz` and `/metrics` as a request listener of Node's.
 *
 * @module
 */
import type { RequestListener } from 'node:http'
import type { Health } from '../health.ts'

/**
 * Answers for `health`, one request a connection. For a server of its own, on an address that users
 * cannot reach:
 *
 *     createServer(healthHandler(health)).listen(9464, '127.0.0.1')
 */
export function healthHandler(health: Pick<Health, 'answer'>): RequestListener {
  return ({ method = '', url = '' }, response) => {
    const { status, headers, body } = health.answer(method, url)
    const length = Buffer.byteLength(body)
    response.writeHead(status, { ...headers, connection: 'close', 'content-length': length })
    response.end(body)
  }
}
