/**
 * The benchmark: real processes on this machine, one table. See README.md beside this file.
 *
 * @module
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { compareAgainst } from './against.ts'
import { appProxy } from './contenders/app-proxy.ts'
import { startBackend } from './contenders/backend.ts'
import type { Contender } from './contenders/contender.ts'
import { direct } from './contenders/direct.ts'
import { httpProxy3 } from './contenders/http-proxy-3.ts'
import { nginx } from './contenders/nginx.ts'
import { sshRemoteForward } from './contenders/ssh.ts'
import { buildIfOld } from './harness/build.ts'
import { describeMachine, findProgram } from './harness/machine.ts'
import { Workspace } from './harness/workspace.ts'
import { runRounds } from './load/rounds.ts'
import { measureSlowReader, SLOW_DOWNLOAD_BYTES } from './load/slow-reader.ts'
import { runMicro } from './micro/run-micro.ts'
import { readOptions, USAGE, type BenchOptions } from './options.ts'
import { profile } from './profile/profile.ts'
import { plotRatios } from './report/plot.ts'
import type { Results } from './report/results.ts'
import { report } from './report/table.ts'
import { compareWorkers } from './workers.ts'

const CONTENDERS: readonly Contender[] = [
  appProxy('link', true),
  appProxy('link', false),
  appProxy('plain', true),
  appProxy('plain', false),
  httpProxy3,
  nginx,
  sshRemoteForward,
  direct,
]

const log = (line: string) => console.error(line)

const options = readOptions(process.argv.slice(2))
if (options === undefined) console.log(USAGE)
else
  await run(options).catch((error: unknown) => {
    log(error instanceof Error ? error.message : String(error))
    process.exitCode = 1
  })

async function run(options: BenchOptions): Promise<void> {
  const style = options.markdown ? 'markdown' : 'text'
  if (options.show !== undefined) {
    const recorded = JSON.parse(await readFile(options.show, 'utf8')) as Results
    return console.log(report(recorded, style))
  }
  if (options.build) await buildIfOld(log)
  const workspace = await Workspace.open()
  const giveUp = (code: number) => void workspace.close().then(() => process.exit(code))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => giveUp(130))
  process.stdout.on('error', () => giveUp(1)) // nobody reads it any more: `| head`
  try {
    if (options.against !== undefined) {
      if (!(await compareAgainst(options.against, options, workspace, log))) process.exitCode = 1
      return
    }
    if (options.workers !== undefined) {
      if (!(await compareWorkers(options.workers, options, workspace, log))) process.exitCode = 1
      return
    }
    if (options.profile) return await profile(workspace, options, log)
    const results = await measure(options, workspace)
    await write(results, options.out)
    console.log(report(results, style))
  } finally {
    await workspace.close()
  }
}

async function measure(options: BenchOptions, workspace: Workspace): Promise<Results> {
  const { sections, contenders, bulkMiB } = options
  const bulkBytes = bulkMiB * 2 ** 20
  let results: Results = {
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(),
    command: ['npm run bench', ...argumentsShown()].join(' '),
  }
  // The quiet ones first: nothing else runs beside them.
  if (sections.has('micro'))
    results = { ...results, micro: await runMicro('micro', workspace, options, log) }
  if (sections.has('idle')) {
    const idle = await runMicro('idle', workspace, options, log)
    results = { ...results, micro: { ...results.micro, ...idle } }
  }
  if (!sections.has('load') && !sections.has('slow')) return results
  const backend = await startBackend(workspace, [bulkBytes, SLOW_DOWNLOAD_BYTES])
  results = { ...results, backend: backend.description, loadGenerator: loadGenerator() }
  if (sections.has('load')) {
    const chosen = CONTENDERS.filter(({ name }) => contenders?.has(name) ?? true)
    const load = await runRounds(chosen, backend, workspace, { ...options, bulkBytes, log })
    results = { ...results, load }
  }
  if (sections.has('slow')) {
    results = {
      ...results,
      slowReader: await measureSlowReader(backend, workspace, options, log),
    }
  }
  return results
}

function loadGenerator(): string {
  const small = findProgram('wrk') === undefined ? 'node:http (wrk is not installed)' : 'wrk'
  const large = findProgram('curl') === undefined ? 'node:http (curl is not installed)' : 'curl'
  return `${small}, one thread; bulk bodies: ${large}`
}

/** The command as a reader would repeat it; where this run's file went is nobody's business. */
function argumentsShown(): string[] {
  const args = process.argv.slice(2)
  const at = args.indexOf('--out')
  const shown = at === -1 ? args : args.toSpliced(at, 2)
  return shown.length === 0 ? [] : ['--', ...shown]
}

async function write(results: Results, file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `${JSON.stringify(results, undefined, 2)}\n`)
  log(`written: ${file}`)
  if (results.load === undefined) return
  const plot = file.replace(/(?:\.json)?$/, '.svg')
  await writeFile(plot, plotRatios(results.load))
  log(`written: ${plot}`)
}
