/**
 * Private applications from Node, each request by the shortest path that can carry it.
 *
 * @module
 */
import { AFFINITY } from '../../protocol/internal.ts'
import type { Backend, BackendCall, BackendEvents, BackendRequest } from '../backend.ts'
import type { ApplicationConnectionOptions } from './application-connections.ts'
import { HttpBackend } from './http-backend.ts'
import { OwnConnections } from './own-connections.ts'
import { UndiciBackend } from './undici-backend.ts'

/**
 * Requests of users who are known by their connection go over {@link OwnConnections}. Safe requests
 * without a body go over {@link UndiciBackend}, everything else over {@link HttpBackend}: bodies,
 * because an application may answer before it has read one or say `100 Continue` unasked; upgrades;
 * and what may not be repeated. Methods with small letters `node:http` would write in capitals, so
 * they take the first way.
 */
export class NodeBackend implements Backend {
  /** Each user's connections to an application that knows users by them are kept apart. */
  readonly features: readonly string[] = [AFFINITY]
  readonly #short: UndiciBackend
  readonly #whole: HttpBackend
  readonly #own: OwnConnections

  constructor(options: ApplicationConnectionOptions = {}) {
    this.#whole = new HttpBackend(options)
    this.#own = new OwnConnections(options)
    this.#short = new UndiciBackend(options, this.#whole)
  }

  call(request: BackendRequest, events: BackendEvents): BackendCall {
    if (request.affinity !== undefined) return this.#own.call(request, events)
    const isShort = request.replayable || /[a-z]/.test(request.method)
    return (isShort ? this.#short : this.#whole).call(request, events)
  }

  async close(): Promise<void> {
    await Promise.all([this.#short.close(), this.#whole.close(), this.#own.close()])
  }
}
