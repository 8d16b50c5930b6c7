/**
 * A process of the benchmark: started, awaited, and ended by its id.
 *
 * @module
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Workspace } from './workspace.ts'

const LAST_LINES = 10
const KILL_AFTER_MS = 5_000
const READY_WITHIN_MS = 30_000

export class Child {
  readonly name: string
  readonly #process: ChildProcess
  /** The last lines it wrote on stderr, for the reason when it fails. */
  readonly #said: string[] = []
  readonly #lines: object[] = []
  readonly #exit: Promise<unknown>
  #heard: () => void = () => undefined

  constructor(workspace: Workspace, name: string, command: string, args: readonly string[]) {
    this.name = name
    this.#process = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#process.stdin!.on('error', () => undefined) // it may end before it reads
    createInterface(this.#process.stderr!).on('line', (line) => {
      this.#said.push(line)
      if (this.#said.length > LAST_LINES) this.#said.shift()
    })
    createInterface(this.#process.stdout!).on('line', (line) => {
      if (line.startsWith('{')) this.#lines.push(JSON.parse(line) as object)
      this.#heard()
    })
    this.#exit = once(this.#process, 'exit').catch(() => undefined)
    void this.#exit.then(() => this.#heard())
    workspace.onClose(() => this.stop())
  }

  get pid(): number {
    return this.#process.pid!
  }

  get isRunning(): boolean {
    const { pid, exitCode, signalCode } = this.#process
    return pid !== undefined && exitCode === null && signalCode === null
  }

  /** Every line of JSON it wrote on stdout. */
  get lines(): readonly object[] {
    return this.#lines
  }

  /** Gives it a line of JSON; its standard input stays open: a process whose parent is gone reads the end of it. */
  tell(options: object): void {
    this.#process.stdin!.write(`${JSON.stringify(options)}\n`)
  }

  /** The first line of JSON that has this key. */
  async line<T extends object>(key: keyof T & string, withinMs = READY_WITHIN_MS): Promise<T> {
    const late = performance.now() + withinMs
    for (;;) {
      const line = this.#lines.find((one) => key in one)
      if (line !== undefined) return line as T
      this.#assertRunning()
      const left = late - performance.now()
      if (left <= 0) throw new Error(`${this.name} was not ready within ${withinMs / 1000} s`)
      await new Promise<void>((heard) => {
        const timer = setTimeout(heard, left)
        this.#heard = () => {
          clearTimeout(timer)
          heard()
        }
      })
    }
  }

  /** Until it accepts connections. */
  async listening(port: number): Promise<void> {
    const late = performance.now() + READY_WITHIN_MS
    while (!(await accepts(port))) {
      this.#assertRunning()
      if (performance.now() > late) throw new Error(`${this.name} does not listen on ${port}`)
      await new Promise((later) => setTimeout(later, 20))
    }
  }

  /** Until it has ended by itself. */
  async ended(): Promise<void> {
    await this.#exit
  }

  /** Ends it: politely first. */
  async stop(): Promise<void> {
    if (!this.isRunning) return
    this.#process.kill('SIGTERM')
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), KILL_AFTER_MS)
    await this.#exit
    clearTimeout(timer)
  }

  #assertRunning(): void {
    if (this.isRunning) return
    const reason = this.#said.find((line) => /error/i.test(line)) ?? this.#said.at(-1)
    throw new Error(`${this.name} ended: ${reason ?? 'it said nothing'}`)
  }
}

/** One of the programs in `bench/processes`, run by plain Node: it uses the built package. */
export function startProgram(
  workspace: Workspace,
  name: string,
  options: object,
  flags: readonly string[] = [],
): Child {
  const file = fileURLToPath(new URL(`../processes/${name}.mjs`, import.meta.url))
  const child = new Child(workspace, name, process.execPath, [...flags, file])
  child.tell(options)
  return child
}

function accepts(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      answer(true)
    })
    socket.once('error', () => answer(false))
  })
}
