/**
 * One large body, down or up, read or made by curl, else by a client of our own.
 *
 * @module
 */
import { execFile } from 'node:child_process'
import { open } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { Target } from '../contenders/contender.ts'
import { startProgram } from '../harness/child.ts'
import { findProgram } from '../harness/machine.ts'
import type { Workspace } from '../harness/workspace.ts'

const AT_MOST_SECONDS = 300

/** Megabytes (10⁶) per second. */
export async function download(
  target: Target,
  bytes: number,
  workspace: Workspace,
): Promise<number> {
  const curl = findProgram('curl')
  if (curl === undefined) return byNode('download', target, bytes, workspace)
  return byCurl(curl, target, bytes, ['-w', '%{http_code} %{size_download} %{time_total}'])
}

/** Megabytes (10⁶) per second. The body has a length: it is a file that is sent. */
export async function upload(target: Target, bytes: number, workspace: Workspace): Promise<number> {
  const curl = findProgram('curl')
  if (curl === undefined) return byNode('upload', target, bytes, workspace)
  const path = workspace.path('upload')
  const file = await open(path, 'w')
  await file.truncate(bytes)
  await file.close()
  return byCurl(curl, target, bytes, [
    ...['-T', path, '-H', 'Expect:', '-w', '%{http_code} %{size_upload} %{time_total}'],
  ])
}

async function byCurl(
  curl: string,
  { port, path, host, cookie }: Target,
  bytes: number,
  args: readonly string[],
): Promise<number> {
  const { stdout } = await promisify(execFile)(curl, [
    ...['-s', '-S', '-o', '/dev/null', '--max-time', String(AT_MOST_SECONDS)],
    ...['-H', `Host: ${host}`, ...(cookie === undefined ? [] : ['-H', `Cookie: ${cookie}`])],
    ...args,
    `http://127.0.0.1:${port}${path}`,
  ])
  const [status, moved, seconds] = stdout.trim().split(' ').map(Number)
  if (status !== 200 || moved !== bytes) throw new Error(`${status}, ${moved} of ${bytes} bytes`)
  return bytes / 1e6 / seconds!
}

async function byNode(
  job: 'download' | 'upload',
  target: Target,
  bytes: number,
  workspace: Workspace,
): Promise<number> {
  const client = startProgram(workspace, 'load-client', { job, target, bytes })
  const { seconds } = await client.line<{ seconds: number }>('seconds', AT_MOST_SECONDS * 1000)
  return bytes / 1e6 / seconds
}
