/**
 * Programs of a fleet as processes. They are bundled once, so that one that was killed is back within a moment: that is not what is tried.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { isAlive } from '../is-alive.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Packages that find files of their own beside them. */
const OWN_FILES = ['lmdb', 'koffi', '@nats-io/*']

/** By the files that are in them: bundled once for each process that runs tests. */
const bundled = new Map<string, Promise<string>>()

/** Where the bundled programs are. */
export class FleetPrograms {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** `files`: paths inside the repository. */
  static async bundle(...files: readonly string[]): Promise<FleetPrograms> {
    const key = files.join()
    let folder = bundled.get(key)
    if (folder === undefined) bundled.set(key, (folder = bundleOf(files)))
    return new FleetPrograms(await folder)
  }

  start<Ready>(file: string, ...args: readonly string[]): Promise<FleetProcess<Ready>> {
    return FleetProcess.start(join(this.#folder, file.replace(/\.ts$/, '.mjs')), args)
  }
}

async function bundleOf(files: readonly string[]): Promise<string> {
  // Below node_modules: what is not bundled is found from there.
  const cache = join(ROOT, 'node_modules', '.cache')
  await mkdir(cache, { recursive: true })
  // A process that runs tests is ended without a word: the next one removes what it has left.
  for (const name of await readdir(cache))
    if (/^fleet-\d+-/.test(name) && !isAlive(Number(name.split('-')[1])))
      await rm(join(cache, name), { recursive: true, force: true })
  const outdir = await mkdtemp(join(cache, `fleet-${process.pid}-`))
  await build({
    ...{ entryPoints: files.map((file) => join(ROOT, file)), outdir, outbase: ROOT },
    ...{ bundle: true, format: 'esm', platform: 'node', splitting: true, target: 'node20' },
    ...{ outExtension: { '.js': '.mjs' }, logLevel: 'error', external: OWN_FILES },
    // Packages that are no modules ask for Node's own parts.
    banner: {
      js: `import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url)`,
    },
  })
  return outdir
}

/** One that runs; it is ready when it has said so. */
export class FleetProcess<Ready> {
  readonly ready: Ready
  /** What it said on stderr. */
  readonly said: readonly string[]
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, ready: Ready, said: readonly string[]) {
    this.#child = child
    this.ready = ready
    this.said = said
  }

  static async start<Ready>(
    program: string,
    args: readonly string[],
  ): Promise<FleetProcess<Ready>> {
    const child = spawn(process.execPath, [program, ...args], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    const said: string[] = []
    createInterface(child.stderr!).on('line', (line) => said.push(line))
    const exit = once(child, 'exit').then(() => {
      throw new Error(`${program} ended: ${said.slice(-20).join('\n')}`)
    })
    exit.catch(() => undefined)
    const [line] = (await Promise.race([once(createInterface(child.stdout!), 'line'), exit])) as [
      string,
    ]
    return new FleetProcess(child, JSON.parse(line) as Ready, said)
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** As an operator ends it; the exit code. */
  async stop(): Promise<number | null> {
    if (!this.isRunning) return this.#child.exitCode
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    return ((await exit) as [number | null])[0]
  }

  /** At once: it says nothing. */
  async kill(): Promise<void> {
    if (!this.isRunning) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exit
  }

  /** It does nothing any more, and holds all it has. */
  pause(): void {
    this.#child.kill('SIGSTOP')
  }
}
