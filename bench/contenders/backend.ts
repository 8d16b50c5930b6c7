/**
 * The application behind every contender: nginx with static files where it is installed, else a `node:http` process; uploads always go to the
 * `node:http` process, since nginx has no way to throw a body away while it reads it.
 *
 * @module
 */
import { mkdir, open, writeFile } from 'node:fs/promises'
import { startProgram } from '../harness/child.ts'
import { findProgram } from '../harness/machine.ts'
import type { Workspace } from '../harness/workspace.ts'
import type { Backends } from './contender.ts'
import { startNginx } from './nginx.ts'

export interface RunningBackend extends Backends {
  /** What serves, for the results. */
  readonly description: string
}

export async function startBackend(
  workspace: Workspace,
  fileBytes: readonly number[],
): Promise<RunningBackend> {
  const child = startProgram(workspace, 'backend', {})
  const { port: uploads } = await child.line<{ port: number }>('port')
  if (findProgram('nginx') === undefined) {
    return { pages: uploads, uploads, description: 'node:http' }
  }
  const root = workspace.path('files')
  await mkdir(`${root}/bytes`, { recursive: true })
  await writeFile(`${root}/1k`, 'x'.repeat(1024))
  for (const bytes of fileBytes) {
    const file = await open(`${root}/bytes/${bytes}`, 'w')
    await file.truncate(bytes) // takes no room on the disk
    await file.close()
  }
  const { port: pages } = await startNginx(workspace, `root ${root};`)
  return { pages, uploads, description: 'nginx static files; uploads: node:http' }
}
