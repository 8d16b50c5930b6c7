/**
 * The processes of the demo: each says in one line of JSON that it is ready, and none outlives the
 * demo.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** The tsconfig that resolves 'app-proxy/…' is found from here. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const KILL_AFTER_MS = 10_000

export interface ProcessesOptions {
  /** Where each process writes its log; absent: to the demo's own stderr. */
  readonly logDir?: string
  /** A process ended although nobody asked it to. */
  readonly died: (message: string) => void
}

export class Processes {
  readonly #options: ProcessesOptions
  readonly #running = new Set<ChildProcess>()
  /** Others need them until they have ended. */
  readonly #last = new Set<ChildProcess>()
  #isStopping = false

  constructor(options: ProcessesOptions) {
    this.#options = options
  }

  /**
   * Starts an example, or a command of `app-proxy`; resolves with what its ready line says.
   *
   * @param isLast it is ended when all others have ended
   */
  async start<Ready>(name: string, args: readonly string[], isLast = false): Promise<Ready> {
    // Whoever waits for a process to start would wait for ever.
    if (this.#isStopping) return new Promise(() => undefined)
    const log =
      this.#options.logDir && join(this.#options.logDir, `${name.replace(/[ /]/, '-')}.log`)
    const imports = ['--import', 'tsx', '--import', './examples/demo/end-with-parent.ts']
    const child = spawn(process.execPath, [...imports, ...programOf(name), ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', log === undefined ? 'inherit' : openSync(log, 'a', 0o600), 'ipc'],
    })
    this.#running.add(child)
    if (isLast) this.#last.add(child)
    child.on('exit', (code, signal) => {
      this.#running.delete(child)
      if (this.#isStopping) return
      const said = log === undefined ? '' : `\n${readFileSync(log, 'utf8').slice(-4096)}`
      this.#options.died(`${name} ended unexpectedly (${signal ?? `code ${code}`})${said}`)
    })
    const lines = createInterface(child.stdout!)
    const [ready] = (await once(lines, 'line')) as [string]
    lines.on('line', (line) => console.error(line))
    return JSON.parse(ready) as Ready
  }

  /** Ends all of them, by force those that do not listen. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await Promise.all([...this.#running].filter((child) => !this.#last.has(child)).map(ended))
    await Promise.all([...this.#running].map(ended))
  }
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS)
  await exit
  clearTimeout(late)
}

/** The CLI where two words are said, and else `examples/NAME.ts`. */
const programOf = (name: string) =>
  name.includes(' ') ? ['src/cli/main.ts', ...name.split(' '), '--json'] : [`examples/${name}.ts`]
