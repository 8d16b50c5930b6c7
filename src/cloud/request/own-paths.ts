/**
 * What is served under `/.app-proxy/`: ours on every external host, and never forwarded.
 *
 * @module
 */
import type { Target } from '../../protocol/internal.ts'
import type { EdgeRequest } from './edge-request.ts'
import { OWN_ANSWERS } from '../pages/own-answers.ts'
import type { Application } from '../directory/directory-port.ts'

/** A request for a path of ours. */
export interface OwnCall {
  readonly request: EdgeRequest
  /**
   * Those on this host, the longest path first; on the service's own, those that are called back
   * there. Only there may be none.
   */
  readonly applications: readonly Application[]
  readonly target: Target
}

export type OwnHandler = (call: OwnCall) => Promise<void> | void

/** Path → method → what answers. */
export type OwnPathTable = Readonly<Record<string, Readonly<Record<string, OwnHandler>>>>

/** Answers every request under `/.app-proxy/`. */
export class OwnPaths {
  /** By method and path. */
  readonly #handlers = new Map<string, OwnHandler>()
  readonly #paths = new Set<string>()

  constructor(...tables: readonly OwnPathTable[]) {
    for (const table of tables)
      for (const [path, methods] of Object.entries(table)) {
        this.#paths.add(path)
        for (const [method, handler] of Object.entries(methods))
          this.#handlers.set(`${method} ${path}`, handler)
      }
  }

  /** Whether there is something at a path, by any method or by this one. */
  has(path: string, method?: string): boolean {
    return method === undefined ? this.#paths.has(path) : this.#handlers.has(`${method} ${path}`)
  }

  serve(call: OwnCall): Promise<void> | void {
    const handler = this.#handlers.get(`${call.request.user.head.method} ${call.target.path}`)
    return handler === undefined ? nothingHere(call) : handler(call)
  }
}

/** The answer of a handler that finds it has nothing to serve. */
export function nothingHere({ request }: OwnCall): void {
  request.answer(OWN_ANSWERS['not-found'])
}
