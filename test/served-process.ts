/** Programs of others that tests start: each serves on a free port of this machine, and has a folder of its own. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** A process that serves on a port of this machine, and the folder all of it is in. */
export class ServedProcess {
  readonly folder: string
  readonly said: string[] = []
  #child: ChildProcess | undefined

  private constructor(folder: string) {
    this.folder = folder
  }

  static async inFolder(name: string): Promise<ServedProcess> {
    return new ServedProcess(await mkdtemp(join(tmpdir(), `app-proxy-${name}-`)))
  }

  /** Resolves once `url` answers. */
  async start(
    program: string,
    args: readonly string[],
    url: string,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const child = spawn(program, args, {
      cwd: this.folder,
      env: { PATH: process.env['PATH'], ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data) => this.said.push(String(data)))
    for (let i = 0; i < 600; i++) {
      if (child.exitCode !== null) break
      const answer = await fetch(url).catch(() => undefined)
      await answer?.arrayBuffer()
      if (answer?.ok) return
      await wait(50)
    }
    throw new Error(`${program} does not serve: ${this.said.join('').slice(-2_000)}`)
  }

  /** `signal`: one that it ends its own processes at, where it has some. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#child?.exitCode === null) {
      const exit = once(this.#child, 'exit')
      this.#child.kill(signal)
      await exit
    }
    await rm(this.folder, { recursive: true, force: true })
  }
}
