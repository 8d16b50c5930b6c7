/** The package as it was packed at an earlier commit, installed in a project of its own. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { buildReference } from '../../../bench/harness/reference-build.ts'
import type { Workspace } from '../../../bench/harness/workspace.ts'

const run = promisify(execFile)
/** What its programs are run with. */
const TOOLS = ['tsx', 'lmdb']

/** A program of it that runs. */
export interface EarlierProgram {
  /** What its first line says. */
  readonly ready: string
  /** What it said on stderr. */
  readonly said: readonly string[]
  /** Ends it as an operator would; resolves with the exit code. */
  stop(): Promise<number | null>
}

export class EarlierPackage {
  readonly commit: string
  readonly #directory: string
  readonly #workspace: Workspace

  private constructor(commit: string, directory: string, workspace: Workspace) {
    this.commit = commit
    this.#directory = directory
    this.#workspace = workspace
  }

  static async at(
    ref: string,
    workspace: Workspace,
    say: (line: string) => void,
  ): Promise<EarlierPackage> {
    const { commit, root } = await buildReference(ref, workspace, say)
    const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', workspace.directory]
    const { stdout } = await run('npm', pack, { cwd: root })
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
    const { devDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
      devDependencies: Readonly<Record<string, string>>
    }
    const tools = TOOLS.map((name) => `${name}@${devDependencies[name]}`)
    const project = workspace.path('project')
    await mkdir(project)
    await writeFile(join(project, 'package.json'), '{ "private": true, "type": "module" }')
    const quietly = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']
    const wanted = [workspace.path(filename), ...tools]
    await run('npm', ['install', ...quietly, ...wanted], { cwd: project })
    return new EarlierPackage(commit, project, workspace)
  }

  /** Runs one of its examples to its end. */
  async run(example: string, ...args: readonly string[]): Promise<void> {
    const node = ['--import', 'tsx', this.#example(example), ...args]
    await run(process.execPath, node, { cwd: this.#directory })
  }

  /** Starts one of its examples; it is ready when it has said so. */
  start(example: string, ...args: readonly string[]): Promise<EarlierProgram> {
    return this.#started(['--import', 'tsx', this.#example(example), ...args])
  }

  /** The same of a program that is written here, and imports the package. */
  async startProgram(text: string, ...args: readonly string[]): Promise<EarlierProgram> {
    const file = join(this.#directory, 'program.mjs')
    await writeFile(file, text)
    return this.#started([file, ...args])
  }

  #example(name: string): string {
    return join(this.#directory, 'node_modules/app-proxy/examples', `${name}.ts`)
  }

  async #started(args: readonly string[]): Promise<EarlierProgram> {
    const child = spawn(process.execPath, args, {
      ...{ cwd: this.#directory, stdio: ['ignore', 'pipe', 'pipe'] },
    })
    this.#workspace.onClose(async () => void (await stopped(child)))
    const said: string[] = []
    createInterface(child.stderr).on('line', (line) => said.push(line))
    const ended = once(child, 'exit').then(() => {
      throw new Error(`a program of ${this.commit} ended: ${said.join('\n')}`)
    })
    ended.catch(() => undefined)
    const [ready] = (await Promise.race([once(createInterface(child.stdout), 'line'), ended])) as [
      string,
    ]
    return { ready, said, stop: () => stopped(child) }
  }
}

async function stopped(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  return ((await exit) as [number | null])[0]
}
