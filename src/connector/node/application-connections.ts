/**
 * Connections to private applications for `node:http`: shared ones, those for one request with
 * credentials that are bound to their connection, and those that switch protocols.
 *
 * @module
 */
import { Agent as HttpAgent, type ClientRequestArgs } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { rootCertificates, type TLSSocket } from 'node:tls'
import { bindsConnection, CONNECTION_TIME_LIMITS } from '../../protocol/internal.ts'
import { readCertificates, type CertificateInput } from '../../runtime/certificates.ts'
import { toPem } from '../../runtime/node/pem.ts'
import type { BackendRequest } from '../backend.ts'
import { internalAddress } from '../internal-request.ts'
import { CONNECT_TIMEOUT, fault } from './application-faults.ts'
import { heedingAlert, heedReset } from './cut-connections.ts'

/** How private applications are connected to. */
export interface ApplicationConnectionOptions {
  /**
   * Authorities that private https applications may be certified by, besides the public ones: PEM
   * or DER.
   */
  readonly ca?: CertificateInput | readonly CertificateInput[]
  /** Milliseconds to connect, TLS included. Default 10 000. */
  readonly connectMs?: number
  /**
   * Milliseconds that an unused connection is kept, unless the application names fewer. Default 4
   * 000.
   */
  readonly keepAliveMs?: number
}

export const CONNECT_MS = CONNECTION_TIME_LIMITS.connectMs
export const KEEP_ALIVE_MS = CONNECTION_TIME_LIMITS.applicationKeepAliveMs

/**
 * The `ca` option for TLS: given alone, it would replace the public ones.
 *
 * @throws ConfigurationInvalid when it is neither PEM nor DER
 */
export function authorities(ca: ApplicationConnectionOptions['ca']): { ca?: string[] } {
  if (ca === undefined) return {}
  const given = readCertificates(ca, 'ca').map((der) => toPem('CERTIFICATE', der))
  return { ca: [...rootCertificates, ...given] }
}

/**
 * The name an https application shows a certificate for: that of its internal URL, whatever `Host`
 * it is sent.
 */
export function serverNameOf(hostname: string): string {
  return isIP(hostname) === 0 ? hostname : ''
}

/**
 * The agents that requests go out by. No limit on connections: the offers a connector grants are
 * the limit.
 *
 * A request is given its connection only when that stands: made, with TLS where the application has
 * it. So a request that never got one has sent nothing.
 */
export class ApplicationConnections {
  readonly #pooled: { http: HttpAgent; https: HttpsAgent }
  readonly #alone: { http: HttpAgent; https: HttpsAgent }
  readonly #switching: { http: HttpAgent; https: HttpsAgent }
  /** Milliseconds that a connection may take. */
  readonly connectMs: number
  /** Connections that are being made: no agent knows them yet. */
  readonly #connecting = new Set<Socket>()

  constructor(options: ApplicationConnectionOptions) {
    const { keepAliveMs = KEEP_ALIVE_MS, connectMs = CONNECT_MS } = options
    this.connectMs = connectMs
    // A resumed TLS session would skip what the application's certificate is checked for.
    const tls = { maxCachedSessions: 0, ...authorities(options.ca) }
    const pooled = { keepAlive: true, timeout: keepAliveMs }
    const prepare = <A extends HttpAgent>(agent: A, ...watches: ((socket: Socket) => void)[]): A =>
      prepared(agent, this.#connecting, connectMs, watches)
    this.#pooled = {
      http: prepare(new HttpAgent(pooled), heedReset, heedUnasked),
      https: prepare(new HttpsAgent({ ...pooled, ...tls }), heedReset, heedUnasked),
    }
    this.#alone = {
      http: prepare(new HttpAgent({ keepAlive: false }), heedReset),
      https: prepare(new HttpsAgent({ keepAlive: false, ...tls }), heedReset),
    }
    // In a tunnel each direction ends alone.
    const switching = { keepAlive: false, allowHalfOpen: true }
    this.#switching = {
      http: prepare(new HttpAgent(switching), heedReset),
      https: prepare(heedful(new HttpsAgent({ ...switching, ...tls }))),
    }
  }

  /** What a request needs to find its connection. */
  to({ application, upgrade, headers }: BackendRequest): ClientRequestArgs {
    const { isSecure, hostname, port } = internalAddress(application)
    const agents =
      upgrade !== undefined
        ? this.#switching
        : bindsConnection(headers)
          ? this.#alone
          : this.#pooled
    if (!isSecure) return { agent: agents.http, host: hostname, port }
    const tls = {
      servername: serverNameOf(hostname),
      rejectUnauthorized: application.verifyCertificate,
    }
    return { agent: agents.https, host: hostname, port, ...tls }
  }

  /** This connection serves no other request than the one it has. */
  retire(socket: Socket): void {
    retired.add(socket)
  }

  close(): void {
    for (const { http, https } of [this.#pooled, this.#alone, this.#switching]) {
      http.destroy()
      https.destroy()
    }
    for (const socket of this.#connecting) socket.destroy()
  }
}

const retired = new WeakSet<Duplex>()

/** A tunnel that was cut must not pass for one that ended. */
function heedful(agent: HttpsAgent): HttpsAgent {
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (options) =>
    heedingAlert(options as { host?: string; port?: number }, (socket) => {
      return connect({ ...options, socket } as typeof options) as TLSSocket
    })
  return agent
}

function prepared<A extends HttpAgent>(
  agent: A,
  connecting: Set<Socket>,
  connectMs: number,
  watches: readonly ((socket: Socket) => void)[],
): A {
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (options, connected) => {
    const socket = connect(options) as Socket
    awaitConnection(socket, connecting, connectMs, connected as Connected)
    keepReading(socket)
    for (const watch of watches) watch(socket)
    // The agent waits for the call instead.
    return undefined as never
  }
  const keep = agent.keepSocketAlive.bind(agent)
  agent.keepSocketAlive = (socket) => !retired.has(socket) && keep(socket)
  return agent
}

type Connected = (error: Error | null, socket?: Socket) => void

/** Tells `connected`, once, when the connection stands, or why it does not. */
function awaitConnection(
  socket: Socket,
  connecting: Set<Socket>,
  connectMs: number,
  connected: Connected,
): void {
  connecting.add(socket)
  const timer = setTimeout(() => {
    socket.destroy(fault(CONNECT_TIMEOUT, `no connection within ${connectMs} ms`))
  }, connectMs)
  const settled = (error: Error | null): void => {
    if (!connecting.delete(socket)) return
    clearTimeout(timer)
    if (error === null) connected(null, socket)
    else connected(error)
  }
  socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => settled(null))
  // It stays: between two requests nobody else may listen.
  socket.on('error', settled)
  socket.once('close', () => settled(fault('ECONNRESET', 'closed before it was connected')))
}

/**
 * Bytes that answer no request would be taken for the answer to the next. Node listens to none once
 * an answer is complete, though that answer may still wait for its reader and the connection for
 * its next request.
 */
function heedUnasked(socket: Socket): void {
  const push = socket.push.bind(socket)
  socket.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk !== null && socket.listenerCount('data') === 0) socket.destroy()
    return push(chunk, encoding)
  }
}

/**
 * A write that the application refuses must not destroy what it has answered already: it said its
 * word and closed, as it may. The answer is read to its end, and the reading tells of an end
 * without an answer.
 *
 * @see RFC 9112, section 9.6
 */
function keepReading(socket: Socket): void {
  const write = socket._write.bind(socket)
  socket._write = (chunk, encoding, done) => write(chunk, encoding, forgiving(socket, done))
  const writev = socket._writev?.bind(socket)
  if (writev === undefined) return
  socket._writev = (chunks, done) => writev(chunks, forgiving(socket, done))
}

function forgiving(
  socket: Socket,
  done: (error?: Error | null) => void,
): (error?: Error | null) => void {
  return (error) => {
    const { code = '' } = (error ?? {}) as NodeJS.ErrnoException
    done(REFUSED.has(code) && !socket.readableEnded && !socket.destroyed ? null : error)
  }
}

const REFUSED = new Set(['EPIPE', 'ECONNRESET'])
