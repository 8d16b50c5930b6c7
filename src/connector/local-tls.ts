/**
 * Puts to each request what this connector's own settings say of TLS towards its application.
 *
 * @module
 */
import type { ApplicationTlsOf } from './application-tls.ts'
import type { Backend, BackendCall, BackendEvents, BackendRequest } from './backend.ts'
import { ForwardingBackend } from './forwarding-backend.ts'
import { internalAddress } from './internal-request.ts'

/** A backend whose requests carry their {@link BackendRequest.tls}. */
export class LocalTlsBackend extends ForwardingBackend {
  readonly #tlsOf: ApplicationTlsOf

  constructor(inner: Backend, tlsOf: ApplicationTlsOf) {
    super(inner)
    this.#tlsOf = tlsOf
  }

  override call(request: BackendRequest, events: BackendEvents): BackendCall {
    const { isSecure, origin } = internalAddress(request.application)
    const tls = isSecure ? this.#tlsOf(origin) : undefined
    return super.call(tls === undefined ? request : { ...request, tls }, events)
  }
}
