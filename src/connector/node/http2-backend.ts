/**
 * Private applications over HTTP/2: by TLS, or in the clear where it is known that they speak it.
 *
 * @see docs/http2-and-grpc.md
 * @module
 */
import type { ConnectionOptions } from 'node:tls'
import type { BackendCall, BackendEvents, BackendRequest } from '../backend.ts'
import { internalAddress } from '../internal-request.ts'
import {
  authorities,
  CONNECT_MS,
  serverNameOf,
  type ApplicationConnectionOptions,
} from './application-connections.ts'
import { Http2Call, type CallHttp1 } from './http2-call.ts'
import { Http2Destination, type Http2Limits } from './http2-destination.ts'
import { ownContext, OwnPools } from './own-pools.ts'

/** What is spoken to an application, where it is not HTTP/1.1. */
type Http2Protocol = NonNullable<BackendRequest['application']['backendProtocol']>

/** What is offered in the handshake: a server that speaks no HTTP/2 must not choose the other. */
const OFFERED = { h2: ['h2'], auto: ['h2', 'http/1.1'] } as const

/** Calls private applications over HTTP/2. */
export class Http2Backend {
  readonly #limits: Http2Limits
  readonly #connectMs: number
  readonly #trusted: ReturnType<typeof authorities>
  readonly #callHttp1: CallHttp1
  /** By what they lead to, and how. */
  readonly #shared = new Map<string, Http2Destination>()
  /** Of applications that have TLS settings of their own, by protocol. */
  readonly #own: Readonly<Record<Http2Protocol, OwnPools<Http2Destination>>>
  /** The place that a pool of {@link #own} is made for. */
  #at: Pick<BackendRequest, 'application'> | undefined

  /** @param callHttp1 serves what TLS does not agree on HTTP/2 for, and what it is not made for */
  constructor(
    options: ApplicationConnectionOptions,
    callHttp1: CallHttp1,
    limits: Http2Limits = {},
  ) {
    this.#limits = limits
    this.#connectMs = options.connectMs ?? CONNECT_MS
    this.#trusted = authorities(options.ca)
    this.#callHttp1 = callHttp1
    const pools = (protocol: Http2Protocol) =>
      new OwnPools((tls) =>
        this.#destination(protocol, this.#at!, {
          ...ownContext(tls, this.#trusted.ca),
          rejectUnauthorized: true,
        }),
      )
    this.#own = { h2: pools('h2'), h2c: pools('h2c'), auto: pools('auto') }
  }

  /** Connections that are there or being made. */
  get connections(): number {
    let connections = 0
    for (const destination of this.#shared.values()) connections += destination.size
    return connections
  }

  /**
   * @throws what `node:http2` throws for a request that it cannot make; ConfigurationInvalid when
   *   its `tls` is not what it must be
   */
  call(request: BackendRequest, events: BackendEvents): BackendCall {
    const protocol = request.application.backendProtocol!
    const destination = this.#to(protocol, request)
    if (destination.isHttp1) return this.#callHttp1(request, events)
    return new Http2Call(destination, this.#connectMs, request, events, this.#callHttp1)
  }

  async close(): Promise<void> {
    for (const destination of this.#shared.values()) destination.destroy()
    this.#shared.clear()
    await Promise.all(Object.values(this.#own).map((pools) => pools.destroy()))
  }

  #to(protocol: Http2Protocol, request: BackendRequest): Http2Destination {
    const { origin, isSecure } = internalAddress(request.application)
    this.#at = request
    const own = isSecure ? this.#own[protocol].of(origin, request.tls) : undefined
    if (own !== undefined) return own
    const { verifyCertificate } = request.application
    const key = `${protocol} ${verifyCertificate} ${origin}`
    let shared = this.#shared.get(key)
    if (shared !== undefined) return shared
    // Where an application has moved from.
    for (const [other, destination] of this.#shared)
      if (destination.isIdle && !destination.isHttp1) this.#shared.delete(other)
    const tls = isSecure ? { ...this.#trusted, rejectUnauthorized: verifyCertificate } : undefined
    shared = this.#destination(protocol, request, tls)
    this.#shared.set(key, shared)
    return shared
  }

  #destination(
    protocol: Http2Protocol,
    { application }: Pick<BackendRequest, 'application'>,
    tls: ConnectionOptions | undefined,
  ): Http2Destination {
    const { hostname, port } = internalAddress(application)
    const target = {
      ...{ hostname, port, connectMs: this.#connectMs },
      tls: tls && {
        servername: serverNameOf(hostname),
        ...tls,
        ALPNProtocols: [...OFFERED[protocol === 'h2c' ? 'h2' : protocol]],
      },
    }
    return new Http2Destination(target, protocol === 'auto', this.#limits)
  }
}
