/**
 * The listener of the admin API: its own port, which by default this machine alone reaches.
 *
 * @module
 */
import { once } from 'node:events'
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { Readable } from 'node:stream'
import { ConfigurationInvalid } from '../../protocol/internal.ts'
import { serverCredentials, type ServerCredentials } from '../../runtime/node/server-credentials.ts'
import type { AdminApi } from '../cloud-admin.ts'
import { AcceptedConnections } from '../../runtime/node/accepted-connections.ts'

/** Options of {@link createAdminListener}. */
export interface AdminListenerOptions {
  /**
   * Key and certificate chain, PEM or DER. Default: plain HTTP, which is served on addresses of
   * this machine alone.
   */
  readonly tls?: ServerCredentials | undefined
}

/** A listener that was made. */
export interface AdminListener {
  readonly server: Server
  /**
   * Listens.
   *
   * @param port 0: any
   * @param host default `127.0.0.1`
   * @returns the port
   * @throws ConfigurationInvalid for another machine's reach without TLS
   */
  listen(port: number, host?: string): Promise<number>
  /** Ends it, and what is open. */
  close(): Promise<void>
}

const LOOPBACK = /^(?:127\.|::1$|::ffff:127\.|localhost$)/
/** A connection on which nothing moves is closed. Milliseconds. */
const QUIET_MS = 65_000
const nothing = (): void => undefined

/** Makes the listener; nobody is listened to yet. */
export function createAdminListener(
  api: Pick<AdminApi, 'handle'>,
  { tls }: AdminListenerOptions = {},
): AdminListener {
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    response.on('error', nothing)
    void answer(api, tls !== undefined, request, response).catch(() => response.destroy())
  }
  const limits = { requestTimeout: 30_000, headersTimeout: 15_000, maxHeaderSize: 32 * 1024 }
  const server: Server =
    tls === undefined
      ? createHttpServer(limits, serve)
      : createHttpsServer({ ...limits, ...serverCredentials(tls), minVersion: 'TLSv1.2' }, serve)
  new AcceptedConnections(QUIET_MS).of(
    server,
    tls === undefined ? 'connection' : 'secureConnection',
  )
  // Nothing here speaks another protocol.
  server.on('upgrade', (_request, socket) => void socket.destroy())
  server.on('clientError', (_error, socket) => void (socket as Socket).destroy())
  return {
    server,
    async listen(port, host = '127.0.0.1') {
      if (tls === undefined && !LOOPBACK.test(host))
        throw new ConfigurationInvalid(
          'host',
          'must be of this machine alone where there is no TLS',
        )
      server.listen(port, host)
      await once(server, 'listening')
      return (server.address() as AddressInfo).port
    },
    async close() {
      const closed = new Promise((ended) => server.close(ended))
      server.closeAllConnections()
      await closed
    },
  }
}

async function answer(
  { handle }: Pick<AdminApi, 'handle'>,
  isSecure: boolean,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { remoteAddress = '' } = request.socket
  const given = await handle(asRequest(request, isSecure), {
    remoteAddress,
    isLocal: LOOPBACK.test(remoteAddress) && !isForwarded(request),
  })
  response.writeHead(given.status, Object.fromEntries(given.headers))
  if (given.body === null) return void response.end()
  const reader = given.body.getReader()
  response.once('close', () => void reader.cancel().catch(nothing))
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return void response.end()
    if (!response.write(value)) await Promise.race([once(response, 'drain'), closed(response)])
    if (response.destroyed) return
  }
}

/** A proxy on this machine brings others. */
function isForwarded({ headers }: IncomingMessage): boolean {
  return ['forwarded', 'x-forwarded-for', 'via', 'x-real-ip'].some((name) => name in headers)
}

async function closed(response: ServerResponse): Promise<void> {
  if (!response.destroyed) await once(response, 'close')
}

function asRequest(request: IncomingMessage, isSecure: boolean): Request {
  const { method = 'GET', headers, url = '/' } = request
  const path = url.startsWith('/') ? url : '/'
  const fields = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  )
  const hasBody = method !== 'GET' && method !== 'HEAD'
  return new Request(new URL(`http${isSecure ? 's' : ''}://admin.invalid${path}`), {
    method,
    headers: fields,
    ...(hasBody && { body: Readable.toWeb(request) as ReadableStream, duplex: 'half' }),
  })
}
