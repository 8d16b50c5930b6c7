/**
 * Private applications from Node, each request by the shortest path that can carry it.
 *
 * @module
 */
import {
  AFFINITY,
  ANSWER_FAULTS,
  HTTP2,
  LENIENT_PREFIX,
  ResetCode,
} from '../../protocol/internal.ts'
import type { Backend, BackendCall, BackendEvents, BackendRequest } from '../backend.ts'
import type { ApplicationConnectionOptions } from './application-connections.ts'
import { ForwardingBackendCall } from '../forwarding-backend.ts'
import { fault } from './application-faults.ts'
import { isHttp2 } from './application-mistakes.ts'
import { NO_HTTP1, NO_PROTOCOL } from './http2-faults.ts'
import { Http2Backend } from './http2-backend.ts'
import { HttpBackend } from './http-backend.ts'
import { OwnConnections } from './own-connections.ts'
import { UndiciBackend } from './undici-backend.ts'

/**
 * Requests of users who are known by their connection go over {@link OwnConnections}. Safe requests
 * without a body go over {@link UndiciBackend}, everything else over {@link HttpBackend}: bodies,
 * because an application may answer before it has read one or say `100 Continue` unasked; upgrades;
 * and what may not be repeated. Methods with small letters `node:http` would write in capitals, so
 * they take the first way. Applications whose details say so are called over {@link Http2Backend};
 * what switches protocols goes over HTTP/1.1 there too, as browsers do it.
 */
export class NodeBackend implements Backend {
  /**
   * Each user's connections to an application that knows users by them are kept apart; HTTP/2 is
   * spoken to applications that want it; faults of old devices are mended.
   */
  readonly features: readonly string[] = [AFFINITY, HTTP2, ...LENIENT]
  readonly #short: UndiciBackend
  readonly #whole: HttpBackend
  readonly #own: OwnConnections
  readonly #http2: Http2Backend

  constructor(options: ApplicationConnectionOptions = {}) {
    this.#whole = new HttpBackend(options)
    this.#own = new OwnConnections(options)
    this.#short = new UndiciBackend(options, this.#whole)
    this.#http2 = new Http2Backend(options, (request, events) => this.#callHttp1(request, events))
  }

  call(request: BackendRequest, events: BackendEvents): BackendCall {
    if (request.affinity !== undefined) return this.#own.call(request, events)
    const { application, upgrade } = request
    if (application.backendProtocol === undefined) return this.#callHttp1(request, events)
    if (upgrade === undefined) return this.#http2.call(request, events)
    return new SwitchingCall(events).start(this.#whole, request)
  }

  #callHttp1(request: BackendRequest, events: BackendEvents): BackendCall {
    // undici has no place to mend what comes.
    if (request.application.lenient !== undefined) return this.#whole.call(request, events)
    const isShort = request.replayable || /[a-z]/.test(request.method)
    return (isShort ? this.#short : this.#whole).call(request, events)
  }

  async close(): Promise<void> {
    await Promise.all([
      this.#short.close(),
      this.#whole.close(),
      this.#own.close(),
      this.#http2.close(),
    ])
  }
}

/** A switch of protocols that is asked of an application of HTTP/2, over HTTP/1.1. */
class SwitchingCall extends ForwardingBackendCall {
  override failed(...[code, cause]: Parameters<BackendEvents['failed']>): void {
    if (isHttp2(cause)) super.failed(ResetCode.UNSUPPORTED, noHttp1(cause))
    else super.failed(code, cause)
  }

  override notSent(...[code, cause]: Parameters<BackendEvents['notSent']>): void {
    const isOfAlpn = NO_PROTOCOL.test((cause as NodeJS.ErrnoException).code ?? '')
    if (isOfAlpn) super.failed(ResetCode.UNSUPPORTED, noHttp1(cause))
    else super.notSent(code, cause)
  }
}

/** Nothing in the configuration is wrong: users ask it for what it has not. */
const noHttp1 = (cause: unknown) =>
  Object.assign(fault(NO_HTTP1, 'it speaks no HTTP/1.1, over which protocols are switched'), {
    cause,
  })

/** Every fault that can be mended is a feature of its own. */
const LENIENT = ANSWER_FAULTS.map((fault) => `${LENIENT_PREFIX}${fault}`)
