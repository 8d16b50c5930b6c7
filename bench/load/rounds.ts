/**
 * Interleaved rounds: each contender once per round, the first one another each time, in fresh processes. What disturbs the machine for a minute
 * disturbs all of them alike.
 *
 * @module
 */
import { get } from 'node:http'
import type { Backends, Contender, Running, Target } from '../contenders/contender.ts'
import { peakBytes, processorMicroseconds } from '../harness/process-usage.ts'
import type { Workspace } from '../harness/workspace.ts'
import type { Figures, Row } from '../report/results.ts'
import { download, upload } from './bulk.ts'
import { load } from './wrk.ts'

/** How small requests are measured. */
export interface LoadRounds {
  readonly runs: number
  readonly seconds: number
  readonly warmUpSeconds: number
  readonly connections: number
  readonly log: (line: string) => void
}

export interface RoundsOptions extends LoadRounds {
  readonly bulkBytes: number
}

export async function runRounds(
  contenders: readonly Contender[],
  backends: Backends,
  workspace: Workspace,
  options: RoundsOptions,
): Promise<Row[]> {
  const rows = contenders.map(({ name, title }) => ({ name, title, rounds: [] as Figures[] }))
  const failures = new Map<string, string>()
  for (let round = 0; round < options.runs; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const at = (round + turn) % contenders.length
      const contender = contenders[at]!
      if (failures.has(contender.name)) continue
      const label = `round ${round + 1}/${options.runs}, ${contender.title}`
      try {
        const figures = await once(contender, backends, workspace, options)
        rows[at]!.rounds.push(figures)
        options.log(`${label}: ${Math.round(figures.requestsPerSecond)} requests/s`)
      } catch (error) {
        workspace.assertOpen()
        const reason = error instanceof Error ? error.message : String(error)
        failures.set(contender.name, reason)
        options.log(`${label}: ${reason}`)
      }
    }
  }
  return rows.map((row) => {
    const failure = failures.get(row.name)
    return failure === undefined ? row : { ...row, failure }
  })
}

/** Requests alone, without the bulk bodies. */
export function measureRequests(
  contender: Contender,
  backends: Backends,
  workspace: Workspace,
  options: LoadRounds,
): Promise<RequestFigures> {
  return inOwnWorkspace(contender, backends, workspace, (running, part) =>
    smallRequests(running, part, options),
  )
}

/** Starts one that goes on running, warmed up. What it gives measures its requests. */
export async function startMeasured(
  contender: Contender,
  backends: Backends,
  whole: Workspace,
  options: LoadRounds,
): Promise<() => Promise<RequestFigures>> {
  const workspace = await whole.part()
  const running = await started(contender, backends, workspace)
  await warmUp(running, workspace, options)
  return () => warmRequests(running, workspace, options)
}

function once(
  contender: Contender,
  backends: Backends,
  workspace: Workspace,
  options: RoundsOptions,
): Promise<Figures> {
  return inOwnWorkspace(contender, backends, workspace, (running, part) =>
    measure(running, part, options),
  )
}

async function inOwnWorkspace<T>(
  contender: Contender,
  backends: Backends,
  whole: Workspace,
  figures: (running: Running, part: Workspace) => Promise<T>,
): Promise<T> {
  const workspace = await whole.part()
  try {
    const running = await started(contender, backends, workspace)
    return await figures(running, workspace)
  } finally {
    await workspace.close()
  }
}

async function started(
  contender: Contender,
  backends: Backends,
  workspace: Workspace,
): Promise<Running> {
  const running = await contender.start(backends, workspace)
  await assertAnswers(running.page)
  return running
}

export type RequestFigures = Pick<
  Figures,
  'requestsPerSecond' | 'p50Ms' | 'p99Ms' | 'cpuMicroseconds'
>

async function smallRequests(
  running: Running,
  workspace: Workspace,
  options: LoadRounds,
): Promise<RequestFigures> {
  await warmUp(running, workspace, options)
  return warmRequests(running, workspace, options)
}

async function warmUp(
  { page }: Running,
  workspace: Workspace,
  { connections, warmUpSeconds: seconds }: LoadRounds,
): Promise<void> {
  await load(page, { connections, seconds }, workspace)
}

/** Of one that has been warmed up. */
async function warmRequests(
  { page, processes }: Running,
  workspace: Workspace,
  { connections, seconds }: LoadRounds,
): Promise<RequestFigures> {
  const before = processorMicroseconds(processes)
  const small = await load(page, { connections, seconds }, workspace)
  const after = processorMicroseconds(processes)
  return {
    requestsPerSecond: small.requestsPerSecond,
    p50Ms: small.p50Ms,
    p99Ms: small.p99Ms,
    ...(after !== undefined && { cpuMicroseconds: (after - before!) / small.requests }),
  }
}

async function measure(
  running: Running,
  workspace: Workspace,
  options: RoundsOptions,
): Promise<Figures> {
  const { download: big, upload: sink, processes } = running
  const { bulkBytes } = options
  const small = await smallRequests(running, workspace, options)
  // As before requests: the first body finds code that is not compiled and memory that was never touched.
  await download(big(bulkBytes), bulkBytes, workspace)
  const downMBps = await download(big(bulkBytes), bulkBytes, workspace)
  await upload(sink, bulkBytes, workspace)
  const upMBps = await upload(sink, bulkBytes, workspace)
  const peak = peakBytes(processes)
  return {
    ...small,
    downMBps,
    upMBps,
    ...(peak !== undefined && { peakMiB: peak / 2 ** 20 }),
  }
}

/** Fast is no good if it is wrong: the right kibibyte, before anything is measured. */
async function assertAnswers({ port, host, path, cookie }: Target): Promise<void> {
  const headers = { host, ...(cookie !== undefined && { cookie }) }
  const [status, body] = await new Promise<[number | undefined, string]>((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
      let text = ''
      response.setEncoding('latin1')
      response.on('data', (piece: string) => (text += piece))
      response.on('end', () => resolve([response.statusCode, text]))
      response.on('error', reject)
    }).on('error', reject)
  })
  if (status !== 200 || body !== 'x'.repeat(1024)) {
    throw new Error(`the page is not right: ${status}, ${body.length} bytes`)
  }
}
