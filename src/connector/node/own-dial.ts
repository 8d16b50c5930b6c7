/**
 * Connections to the cloud over a way of the embedder's own: through a proxy, another network, or
 * memory. What it gives carries TLS from end to end, so nobody on the way sees or ends it.
 *
 * @module
 */
import { Agent as HttpsAgent } from 'node:https'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { ApiMisuse, PortFailed } from '../../protocol/wire/errors.ts'
import { CONNECTION_TIME_LIMITS } from '../../protocol/wire/limits.ts'
import type { Containment } from '../../runtime/containment.ts'
import { timerOf } from '../../runtime/scheduler.ts'
import { agentOptions, type ConnectorTlsOptions } from './tls-options.ts'

/** Where a connection must lead. */
export interface DialTarget {
  /** Name or address of the cloud's connector listener, and its port: as its URL has them. */
  readonly host: string
  readonly port: number
  /** Aborted when nobody waits for the connection any more. */
  readonly signal: AbortSignal
}

/**
 * Makes one connection to the cloud, below TLS: what it resolves to is read and written from then
 * on, and destroyed in the end. Rejecting with a system error, one that has a `code`, is a failure
 * of the way; anything else is told to `onError`. It has 10 s.
 *
 * @example
 *   // Through an HTTP proxy.
 *   const dial = ({ host, port, signal }: DialTarget) =>
 *     new Promise<Duplex>((resolve, reject) => {
 *       const path = `${host}:${port}`
 *       request({ host: 'proxy.example', port: 3128, method: 'CONNECT', path, signal })
 *         .on('connect', (response, socket) => {
 *           if (response.statusCode === 200) return resolve(socket)
 *           reject(new Error(`the proxy answers ${response.statusCode}`))
 *         })
 *         .on('error', reject)
 *         .end()
 *     })
 */
export type Dial = (target: DialTarget) => Duplex | Promise<Duplex>

const CONNECT_MS = CONNECTION_TIME_LIMITS.connectMs

const CLOSED = 'the connection closed before it stood'

/** What an embedder gave, so that nothing of it travels further than the connection. */
export function containedDial(dial: Dial, containment: Containment): Dial {
  const isOfTheWay = (error: unknown): boolean =>
    !(error instanceof ApiMisuse) &&
    typeof (error as NodeJS.ErrnoException | null | undefined)?.code === 'string'
  const dialled = async (target: DialTarget): Promise<Duplex> => {
    const stream = checked(await dial(target))
    // Nobody waits for it any more, and nobody else would end it.
    if (target.signal.aborted) letGo(stream)
    return stream
  }
  return containment.await('dial', dialled, { passes: isOfTheWay, withinMs: CONNECT_MS })
}

type Done = (error: Error | null, socket: TLSSocket | null) => void

/** Makes TLS connections over what `dial` gives. */
export class TlsOverDial {
  readonly #dial: Dial
  /** Those that are being made. */
  readonly #waiting = new Set<AbortController>()
  #isEnded = false

  constructor(dial: Dial) {
    this.#dial = dial
  }

  /** Tells `done` once: of a connection whose other end was verified, or why there is none. */
  connect(
    tls: ConnectionOptions,
    { host, port }: { host: string; port: number },
    done: Done,
  ): void {
    // Held here until it is told: of a signal made of others the runtime lets go of the timeout.
    const waiting = new AbortController()
    this.#waiting.add(waiting)
    if (this.#isEnded) waiting.abort()
    const callOff = timerOf().after(CONNECT_MS, () =>
      waiting.abort(new DOMException('the connection took too long', 'TimeoutError')),
    )
    const told = (error: Error | null, socket: TLSSocket | null): void => {
      callOff()
      this.#waiting.delete(waiting)
      done(error, socket)
    }
    this.#connected(tls, { host: bare(host), port, signal: waiting.signal }).then(
      (socket) => told(null, socket),
      (error: unknown) =>
        told(error instanceof Error ? error : new PortFailed('dial', { cause: error }), null),
    )
  }

  /** Nobody waits for what is being dialled. */
  end(): void {
    this.#isEnded = true
    for (const waiting of this.#waiting) waiting.abort()
  }

  async #connected(tls: ConnectionOptions, target: DialTarget): Promise<TLSSocket> {
    const { host, signal } = target
    const stream = checked(await this.#dial(target))
    if (signal.aborted || stream.destroyed) {
      letGo(stream)
      throw signal.aborted ? signal.reason : new Error(CLOSED)
    }
    const socket = connectTls({
      ...tls,
      socket: stream,
      host,
      servername: isIP(host) === 0 ? host : '',
    })
    return new Promise((resolve, reject) => {
      const aborted = () => {
        socket.destroy()
        letGo(stream)
        reject(signal.reason)
      }
      const failed = (error: Error) => reject(error)
      signal.addEventListener('abort', aborted, { once: true })
      socket.once('error', failed)
      // A stream that ends without a word ends so.
      socket.once('close', () => reject(new Error(CLOSED)))
      socket.once('secureConnect', () => {
        signal.removeEventListener('abort', aborted)
        socket.off('error', failed)
        resolve(socket)
      })
    })
  }
}

/** An agent for one identity's calls; over `over`, if that is how the cloud is reached. */
export function cloudAgent(tls: ConnectorTlsOptions, over: TlsOverDial | undefined): HttpsAgent {
  const agent = new HttpsAgent(agentOptions(tls))
  return over === undefined ? agent : dialling(agent, tls, over)
}

/** For one call that trusts its answer with nothing. */
export function unverifiedAgent(over: TlsOverDial): HttpsAgent {
  return dialling(new HttpsAgent(), { rejectUnauthorized: false }, over)
}

function dialling(agent: HttpsAgent, tls: ConnectionOptions, over: TlsOverDial): HttpsAgent {
  agent.createConnection = ({ host, port }, callback) => {
    const target = { host: host ?? '', port: Number(port) }
    over.connect(tls, target, (error, socket) => callback?.(error, socket!))
    return undefined
  }
  return agent
}

/** Of nothing `node:tls` would make a connection of its own, past what was to be gone through. */
function checked(stream: Duplex): Duplex {
  if (typeof (stream as Partial<Duplex> | undefined)?.pipe === 'function') return stream
  throw new ApiMisuse('"dial" must give a stream that can be read and written')
}

/** Whatever it says to that. */
function letGo(stream: Duplex): void {
  stream.on('error', () => undefined).destroy()
}

/** Node writes IPv6 addresses of URLs in brackets. */
function bare(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1) : host
}
