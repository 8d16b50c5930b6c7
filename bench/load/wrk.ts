/**
 * Small requests: so many connections, each asking again as soon as it has its answer. `wrk` where it is installed, else a client of our own.
 *
 * @module
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Target } from '../contenders/contender.ts'
import { startProgram } from '../harness/child.ts'
import { findProgram } from '../harness/machine.ts'
import type { Workspace } from '../harness/workspace.ts'

export interface LoadOptions {
  readonly connections: number
  readonly seconds: number
}

export interface LoadFigures {
  readonly requests: number
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Answers that were no 2xx or 3xx, and connections that broke. */
  readonly errors: number
}

export async function load(
  target: Target,
  options: LoadOptions,
  workspace: Workspace,
): Promise<LoadFigures> {
  const wrk = findProgram('wrk')
  const figures =
    wrk === undefined
      ? await loadByNode(target, options, workspace)
      : parseWrk((await promisify(execFile)(wrk, wrkArguments(target, options))).stdout)
  if (figures.errors > figures.requests / 1000) {
    throw new Error(`${figures.errors} of ${figures.requests} requests failed`)
  }
  return figures
}

function wrkArguments(target: Target, { connections, seconds }: LoadOptions): string[] {
  const { port, path, host, cookie } = target
  return [
    ...['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '-H', `Host: ${host}`],
    ...(cookie === undefined ? [] : ['-H', `Cookie: ${cookie}`]),
    `http://127.0.0.1:${port}${path}`,
  ]
}

/** @throws Error when it is not what wrk prints with `--latency` */
export function parseWrk(printed: string): LoadFigures {
  const need = (pattern: RegExp) => {
    const found = pattern.exec(printed)
    if (found === null) throw new Error(`wrk printed no ${pattern.source}`)
    return found
  }
  const percentile = (share: number) => {
    const [, value, unit] = need(new RegExp(`^\\s+${share}%\\s+([\\d.]+)(us|ms|s|m)\\s*$`, 'm'))
    return Number(value) * MILLISECONDS[unit as keyof typeof MILLISECONDS]
  }
  const refused = /Non-2xx or 3xx responses: (\d+)/.exec(printed)?.[1] ?? 0
  const broken = /Socket errors: (.*)$/m.exec(printed)?.[1]?.match(/\d+/g) ?? []
  return {
    requests: Number(need(/^\s+(\d+) requests in /m)[1]),
    requestsPerSecond: Number(need(/^Requests\/sec:\s+([\d.]+)/m)[1]),
    p50Ms: percentile(50),
    p99Ms: percentile(99),
    errors: [refused, ...broken].reduce<number>((sum, one) => sum + Number(one), 0),
  }
}

const MILLISECONDS = { us: 0.001, ms: 1, s: 1000, m: 60_000 }

function loadByNode(
  target: Target,
  options: LoadOptions,
  workspace: Workspace,
): Promise<LoadFigures> {
  const client = startProgram(workspace, 'load-client', { job: 'load', target, ...options })
  return client.line<LoadFigures>('requests', (options.seconds + 30) * 1000)
}
