/**
 * Private applications from Node, each request by the shortest path that can carry it.
 *
 * @module
 */
import type { Backend, BackendCall, BackendEvents, BackendRequest } from '../backend.ts'
import type { ApplicationConnectionOptions } from './application-connections.ts'
import { HttpBackend } from './http-backend.ts'
import { UndiciBackend } from './undici-backend.ts'

/**
 * Safe requests without a body go over {@link UndiciBackend}, everything else over {@link
 * HttpBackend}: bodies, because an application may answer before it has read one or say `100
 * Continue` unasked; upgrades; and what may not be repeated. Methods with small letters `node:http`
 * would write in capitals, so they take the first way.
 */
export class NodeBackend implements Backend {
  readonly #short: UndiciBackend
  readonly #whole: HttpBackend

  constructor(options: ApplicationConnectionOptions = {}) {
    this.#whole = new HttpBackend(options)
    this.#short = new UndiciBackend(options, this.#whole)
  }

  call(request: BackendRequest, events: BackendEvents): BackendCall {
    const isShort = request.replayable || /[a-z]/.test(request.method)
    return (isShort ? this.#short : this.#whole).call(request, events)
  }

  async close(): Promise<void> {
    await Promise.all([this.#short.close(), this.#whole.close()])
  }
}
