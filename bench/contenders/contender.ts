/**
 * Somebody who stands between a user and the application, one hop, in processes of its own.
 *
 * @module
 */
import type { Child } from '../harness/child.ts'
import type { Workspace } from '../harness/workspace.ts'

/** Where the application listens. */
export interface Backends {
  /** Answers GET. */
  readonly pages: number
  /** Reads uploads and throws them away; the same for everybody. */
  readonly uploads: number
}

/** What a user asks for. */
export interface Target {
  readonly port: number
  readonly host: string
  readonly path: string
  readonly cookie?: string
}

/** A contender that answers. */
export interface Running {
  readonly page: Target
  /** Takes a path below which `/bytes/N` is N bytes. */
  readonly download: (bytes: number) => Target
  readonly upload: Target
  /** Whose processor time and memory count. */
  readonly processes: readonly Child[]
}

export interface Contender {
  /** Short, and the key in the results. */
  readonly name: string
  readonly title: string
  /** @throws Error with the reason why it cannot take part */
  start(backends: Backends, workspace: Workspace): Promise<Running>
}

/** Targets of a contender that forwards whatever path it is asked for. */
export function plainTargets(pages: number, uploads = pages): Omit<Running, 'processes'> {
  const host = '127.0.0.1'
  return {
    page: { port: pages, host, path: '/1k' },
    download: (bytes) => ({ port: pages, host, path: `/bytes/${bytes}` }),
    upload: { port: uploads, host, path: '/upload/' },
  }
}
