/**
 * What `app-proxy` and the programs of the examples have in common: how they end, with the codes of
 * {@link EXIT}.
 *
 * A stack trace is for whoever changes the program: `--verbose` shows it.
 */
import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { EXIT } from './exit-codes.ts'
import { linesOf } from './mistakes.ts'

/**
 * So long after the first signal Ctrl-C is meant to end it at once. Before, it may be the same one:
 * a terminal tells all programs in front, and some of them pass it on. Milliseconds.
 */
const AGAIN_MS = 1_000

/** What a program is given by whoever runs it: a process, or a test. */
export interface Surroundings {
  /** Without the names of runtime and program. */
  readonly argv: readonly string[]
  /** A line on standard output. */
  readonly say: (line: string) => void
  /** A line on standard error. */
  readonly log: (line: string) => void
  /** Aborted when the program is to finish what is under way, and end. */
  readonly signal: AbortSignal
  /** Calls back when settings are to be read again. */
  readonly onReload: (reload: () => void) => void
}

/** Resolves with the exit code; what it throws is told, and is one as well. */
export type Program = (surroundings: Surroundings) => Promise<number>

/** Runs a program and gives its exit code; never throws. */
export async function exitCodeOf(
  name: string,
  program: Program,
  surroundings: Surroundings,
): Promise<number> {
  try {
    return await program(surroundings)
  } catch (error) {
    const isVerbose = surroundings.argv.includes('--verbose')
    const { code, lines } = linesOf(error, isVerbose)
    if (surroundings.argv.includes('--json'))
      surroundings.log(JSON.stringify({ command: name, code, mistakes: lines }))
    else for (const line of lines) surroundings.log(`${name}: ${line}`)
    return code
  }
}

/** Runs a program as this process, if it is the file that the process was started with. */
export async function runAs(name: string, program: Program, url: string): Promise<void> {
  const started = process.argv[1]
  if (started === undefined || realpathSync(started) !== realpathSync(fileURLToPath(url))) return
  // A log that nobody reads any more is no reason to end.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  const stopping = new AbortController()
  let stoppedAt = Infinity
  const stop = (signal: NodeJS.Signals): void => {
    const now = performance.now()
    if (signal === 'SIGINT' && now >= stoppedAt + AGAIN_MS) process.exit(EXIT.interrupted)
    stoppedAt = Math.min(stoppedAt, now)
    stopping.abort(signal)
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)
  const code = await exitCodeOf(name, program, {
    argv: process.argv.slice(2),
    say: (line) => console.log(line),
    log: (line) => console.error(line),
    signal: stopping.signal,
    onReload: (reload) => void process.on('SIGHUP', reload),
  })
  process.exit(code)
}

/** Resolves when a signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
