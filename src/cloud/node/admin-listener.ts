/**
 * The listener of the admin API: its own port, which by default this machine alone reaches, or a
 * socket of the file system, which nobody but the owner of its directory reaches.
 *
 * @module
 */
import { once } from 'node:events'
import { chmod, lstat, unlink } from 'node:fs/promises'
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { dirname } from 'node:path'
import { Readable } from 'node:stream'
import { ConfigurationInvalid } from '../../protocol/internal.ts'
import { preparePrivateDirectory } from '../../runtime/node/private-files.ts'
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
  /**
   * Listens at a path of the file system instead: a Unix domain socket, mode 0600, in a directory
   * of mode 0700, which is made if there is none. Whoever calls there is at this machine, and
   * whoever is called there has that directory: neither is so at a port, which anybody may have
   * while this process does not run. A socket that a killed process left is removed, so whoever
   * calls this holds the directory's lock (`lockStateDirectory`).
   *
   * @param path at most {@link SOCKET_PATH_OCTETS}
   * @throws ConfigurationInvalid where it is too long, its directory is none for secrets, something
   *   else is there, or its file system has no sockets
   */
  listenAt(path: string): Promise<void>
  /** Ends it, and what is open. */
  close(): Promise<void>
}

/** The longest path of a Unix domain socket, octets: the system's own limit, but for its end. */
export const SOCKET_PATH_OCTETS: number = process.platform === 'linux' ? 107 : 103

/** Whence whoever calls by a socket of the file system does: it has no address of its own. */
const THIS_MACHINE = '127.0.0.1'
const LOOPBACK = /^(?:127\.|::1$|::ffff:127\.|localhost$)/
/** A connection on which nothing moves is closed. Milliseconds. */
const QUIET_MS = 65_000
const nothing = (): void => undefined

/** Makes the listener; nobody is listened to yet. */
export function createAdminListener(
  api: Pick<AdminApi, 'handle'>,
  { tls }: AdminListenerOptions = {},
): AdminListener {
  let isAtPath = false
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    response.on('error', nothing)
    const way = { isSecure: tls !== undefined, isAtPath }
    void answer(api, way, request, response).catch(() => response.destroy())
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
    async listenAt(path) {
      const octets = Buffer.byteLength(path)
      if (octets > SOCKET_PATH_OCTETS)
        throw new ConfigurationInvalid(
          path,
          `has ${octets} octets: the path of a socket has at most ${SOCKET_PATH_OCTETS}`,
        )
      await preparePrivateDirectory(dirname(path))
      await removeStale(path)
      isAtPath = true
      // A process of several has it for itself.
      server.listen({ path, exclusive: true })
      try {
        await once(server, 'listening')
        await chmod(path, 0o600)
      } catch (cause) {
        const { code } = cause as NodeJS.ErrnoException
        throw new ConfigurationInvalid(path, `cannot be made a socket (${code})`, { cause })
      }
    },
    async close() {
      const closed = new Promise((ended) => server.close(ended))
      server.closeAllConnections()
      await closed
    },
  }
}

/** Nobody listens at a socket that was left. */
async function removeStale(path: string): Promise<void> {
  try {
    if (!(await lstat(path)).isSocket())
      throw new ConfigurationInvalid(path, 'is there already, and is no socket: move it away')
    await unlink(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

/** How a call came. */
interface Way {
  readonly isSecure: boolean
  readonly isAtPath: boolean
}

async function answer(
  { handle }: Pick<AdminApi, 'handle'>,
  { isSecure, isAtPath }: Way,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { remoteAddress = '' } = isAtPath ? { remoteAddress: THIS_MACHINE } : request.socket
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
