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
import { rootCertificates, type ConnectionOptions as TlsOptions, type TLSSocket } from 'node:tls'
import { bindsConnection, CONNECTION_TIME_LIMITS } from '../../protocol/internal.ts'
import { readCertificates, type CertificateInput } from '../../runtime/certificates.ts'
import { toPem } from '../../runtime/node/pem.ts'
import type { BackendRequest } from '../backend.ts'
import { internalAddress } from '../internal-request.ts'
import { CONNECT_TIMEOUT, fault, PIN_LOST } from './application-faults.ts'
import { heedingAlert, heedReset } from './cut-connections.ts'
import { mendAnswers, type MendedAnswers } from './mended-answers.ts'
import { ownContext, OwnPools, type Pool } from './own-pools.ts'

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
  /**
   * Milliseconds after which a connection takes no further request, so that another address of the
   * application is noticed under steady traffic as well. Default 300 000.
   */
  readonly connectionAgeMs?: number
}

export const CONNECT_MS = CONNECTION_TIME_LIMITS.connectMs
export const CONNECTION_AGE_MS = CONNECTION_TIME_LIMITS.applicationConnectionAgeMs
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
  readonly #http: Agents<HttpAgent>
  readonly #https: Agents<HttpsAgent>
  readonly #own: OwnPools<HttpsPool>
  /** Milliseconds that a connection may take. */
  readonly connectMs: number
  /** Connections that are being made: no agent knows them yet. */
  readonly #connecting = new Set<Socket>()

  constructor(options: ApplicationConnectionOptions) {
    const { keepAliveMs = KEEP_ALIVE_MS, connectMs = CONNECT_MS } = options
    const { connectionAgeMs = CONNECTION_AGE_MS } = options
    const heedAge = (socket: Socket) => void endsAt.set(socket, performance.now() + connectionAgeMs)
    this.connectMs = connectMs
    const prepare: Prepare = (agent, ...watches) =>
      prepared(agent, this.#connecting, connectMs, watches)
    const trusted = authorities(options.ca)
    this.#http = {
      pooled: prepare(new HttpAgent(pooled(keepAliveMs)), heedReset, heedUnasked, heedAge),
      alone: prepare(new HttpAgent({ keepAlive: false }), heedReset, mendAnswers),
      switching: prepare(new HttpAgent(SWITCHING), heedReset, mendAnswers),
    }
    this.#https = httpsAgents(prepare, heedAge, keepAliveMs, trusted)
    this.#own = new OwnPools(
      (tls) =>
        new HttpsPool(httpsAgents(prepare, heedAge, keepAliveMs, ownContext(tls, trusted.ca))),
    )
  }

  /**
   * What a request needs to find its connection.
   *
   * @throws ConfigurationInvalid when its `tls` is not what it must be
   */
  to({ application, upgrade, headers, tls }: BackendRequest): ClientRequestArgs & MendedAnswers {
    const { isSecure, origin, hostname, port } = internalAddress(application)
    const { lenient } = application
    const isAlone = lenient !== undefined || bindsConnection(headers)
    const kind = upgrade !== undefined ? 'switching' : isAlone ? 'alone' : 'pooled'
    const mended = lenient === undefined ? {} : { lenient }
    if (!isSecure) return { agent: this.#http[kind], host: hostname, port, ...mended }
    const own = this.#own.of(origin, tls)
    const recognised = {
      servername: tls?.serverName ?? serverNameOf(hostname),
      rejectUnauthorized: own !== undefined || application.verifyCertificate,
    }
    const { [kind]: agent } = own?.agents ?? this.#https
    return { agent, host: hostname, port, ...recognised, ...mended }
  }

  /** This connection serves no other request than the one it has. */
  retire(socket: Socket): void {
    retired.add(socket)
  }

  close(): void {
    for (const agents of [this.#http, this.#https])
      for (const agent of Object.values(agents)) agent.destroy()
    void this.#own.destroy()
    for (const socket of this.#connecting) socket.destroy()
  }
}

/** By what a request does to its connection. */
interface Agents<A extends HttpAgent> {
  /** Nothing: another may follow. */
  readonly pooled: A
  /** It shows credentials that are bound to it. */
  readonly alone: A
  /** It wants to switch protocols. */
  readonly switching: A
}

/** Sees a connection as it is made, and what the request says that it is made for. */
type Watch = (socket: Socket, options: MendedAnswers) => void
type Prepare = <A extends HttpAgent>(agent: A, ...watches: Watch[]) => A

const pooled = (keepAliveMs: number) => ({ keepAlive: true, timeout: keepAliveMs })
/** In a tunnel each direction ends alone. */
const SWITCHING = { keepAlive: false, allowHalfOpen: true }

function httpsAgents(
  prepare: Prepare,
  heedAge: (socket: Socket) => void,
  keepAliveMs: number,
  options: Pick<TlsOptions, 'ca' | 'secureContext'>,
): Agents<HttpsAgent> {
  // A resumed TLS session would skip what the application's certificate is checked for.
  const tls = { maxCachedSessions: 0, ...options }
  return {
    pooled: prepare(
      new HttpsAgent({ ...pooled(keepAliveMs), ...tls }),
      ...[heedReset, heedUnasked, heedAge],
    ),
    alone: prepare(new HttpsAgent({ keepAlive: false, ...tls }), heedReset, mendAnswers),
    switching: prepare(heedful(new HttpsAgent({ ...SWITCHING, ...tls })), mendAnswers),
  }
}

/** The agents of an application that has TLS settings of its own. */
class HttpsPool implements Pool {
  readonly agents: Agents<HttpsAgent>

  constructor(agents: Agents<HttpsAgent>) {
    this.agents = agents
  }

  get isIdle(): boolean {
    const all = Object.values(this.agents) as HttpsAgent[]
    return all.every((agent) => isEmpty(agent.sockets) && isEmpty(agent.requests))
  }

  retire(): void {
    const { pooled } = this.agents
    pooled.keepSocketAlive = () => false
    for (const sockets of Object.values(pooled.freeSockets))
      for (const socket of sockets ?? []) socket.destroy()
  }

  destroy(): void {
    for (const agent of Object.values(this.agents) as HttpsAgent[]) agent.destroy()
  }
}

const isEmpty = (lists: NodeJS.ReadOnlyDict<unknown[]>): boolean => Object.keys(lists).length === 0

/**
 * One connection, for the requests of one user one after the other: it may bind its user. When it
 * has closed there is no other.
 */
export class OwnConnection {
  readonly connectMs: number
  readonly #agent: HttpAgent
  readonly #args: ClientRequestArgs
  readonly #closed: () => void
  readonly #connecting = new Set<Socket>()
  #socket: Socket | undefined
  #mayBeTunnel = false

  /**
   * @param to where it leads, for good
   * @param closed told when it has closed, and when it could not be made
   * @throws ConfigurationInvalid when `tls` is not what it must be
   */
  constructor(
    options: ApplicationConnectionOptions,
    { application, tls }: Pick<BackendRequest, 'application' | 'tls'>,
    closed: () => void,
  ) {
    const { connectMs = CONNECT_MS } = options
    const { isSecure, hostname, port } = internalAddress(application)
    const kept = { keepAlive: true, maxSockets: 1 }
    const trusted = authorities(options.ca)
    const secured = tls === undefined ? trusted : ownContext(tls, trusted.ca)
    const watches = [heedUnasked, (socket: Socket) => this.#made(socket)]
    this.connectMs = connectMs
    this.#closed = closed
    this.#agent = isSecure
      ? prepared(
          heedful(new HttpsAgent({ ...kept, maxCachedSessions: 0, ...secured })),
          this.#connecting,
          connectMs,
          watches,
        )
      : prepared(new HttpAgent(kept), this.#connecting, connectMs, [heedReset, ...watches])
    const connect = this.#agent.createConnection.bind(this.#agent)
    this.#agent.createConnection = (to, connected) => {
      if (this.#socket === undefined) return connect(to, connected)
      // A request that comes when it has closed must not have another in its place.
      queueMicrotask(() => connected!(fault(PIN_LOST, 'its own connection is closed'), null!))
      return undefined as never
    }
    const recognised = isSecure && {
      servername: tls?.serverName ?? serverNameOf(hostname),
      rejectUnauthorized: tls !== undefined || application.verifyCertificate,
    }
    this.#args = { agent: this.#agent, host: hostname, port, ...recognised }
  }

  to({ upgrade }: BackendRequest): ClientRequestArgs {
    // In a tunnel each direction ends alone.
    this.#mayBeTunnel = upgrade !== undefined
    if (this.#socket !== undefined) this.#socket.allowHalfOpen = this.#mayBeTunnel
    return this.#args
  }

  /** Nothing is under way on it. One that the application has closed is closed: it is no tunnel. */
  rest(): void {
    this.#mayBeTunnel = false
    if (this.#socket === undefined) return
    this.#socket.allowHalfOpen = false
    if (this.#socket.readableEnded) this.#socket.destroy()
  }

  /** It is its user's alone already. */
  retire(): void {}

  close(): void {
    this.#agent.destroy()
    for (const socket of this.#connecting) socket.destroy()
  }

  #made(socket: Socket): void {
    this.#socket = socket
    socket.allowHalfOpen = this.#mayBeTunnel
    socket.once('close', this.#closed)
  }
}

const retired = new WeakSet<Duplex>()
/** When a connection is too old for another request. */
const endsAt = new WeakMap<Duplex, number>()
const isOld = (socket: Duplex) => performance.now() >= (endsAt.get(socket) ?? Infinity)

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
  watches: readonly Watch[],
): A {
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (options, connected) => {
    const socket = connect(options) as Socket
    awaitConnection(socket, connecting, connectMs, connected as Connected)
    keepReading(socket)
    for (const watch of watches) watch(socket, options as MendedAnswers)
    // The agent waits for the call instead.
    return undefined as never
  }
  const keep = agent.keepSocketAlive.bind(agent)
  agent.keepSocketAlive = (socket) => !retired.has(socket) && !isOld(socket) && keep(socket)
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
