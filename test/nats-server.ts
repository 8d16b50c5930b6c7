/**
 * Debian's `nats-server` on a free port of this machine, with JetStream in a folder of its own. It
 * can be stopped, killed and started again on the same port and store, and made silent: a process
 * that is stopped by a signal takes connections, and answers nothing.
 *
 * @module
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileOf } from './debian-packages.ts'
import { freePort } from './served-process.ts'

/** Options of {@link NatsServer.start}. */
export interface NatsServerOptions {
  /** Certificate and key, PEM: then nothing is said without TLS. */
  readonly tls?: {
    readonly certificate: string
    readonly key: string
    /** Then clients show a certificate of this authority. */
    readonly clientAuthority?: string
  }
  /** More lines of its configuration: `authorization { … }`. */
  readonly configuration?: string
}

/** A server, and the folder that all of it is in. */
export class NatsServer {
  readonly folder: string
  readonly port: number
  readonly said: string[] = []
  #child: ChildProcess | undefined

  private constructor(folder: string, port: number) {
    this.folder = folder
    this.port = port
  }

  static async start(options: NatsServerOptions = {}): Promise<NatsServer> {
    const folder = await mkdtemp(join(tmpdir(), 'app-proxy-nats-'))
    const server = new NatsServer(folder, await freePort())
    await writeFile(join(folder, 'nats.conf'), await configurationOf(server, options))
    await server.restart()
    return server
  }

  /** Without a scheme: what `servers` takes. */
  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Starts it on the store that is there; resolves once it takes connections. */
  async restart(): Promise<void> {
    const child = spawn(fileOf('nats-server'), ['-c', 'nats.conf'], {
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data) => this.said.push(String(data)))
    for (let i = 0; i < 600 && child.exitCode === null; i++) {
      if (this.said.join('').includes('Server is ready') && (await isOpen(this.port))) return
      await wait(20)
    }
    throw new Error(`nats-server does not serve: ${this.said.join('').slice(-2_000)}`)
  }

  /** As an operator stops it; what it stored stays. */
  stop(): Promise<void> {
    return this.#end('SIGTERM')
  }

  /** As a power failure does not: the kernel keeps what was written. */
  kill(): Promise<void> {
    return this.#end('SIGKILL')
  }

  /** From now on it answers nothing. */
  pause(): void {
    this.#child!.kill('SIGSTOP')
  }

  resume(): void {
    this.#child!.kill('SIGCONT')
  }

  /** Ends it, and removes its folder. */
  async close(): Promise<void> {
    await this.kill()
    await rm(this.folder, { recursive: true, force: true })
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    this.said.length = 0
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill(signal)
    await exit
  }
}

async function configurationOf(
  { folder, port }: NatsServer,
  { tls, configuration = '' }: NatsServerOptions,
): Promise<string> {
  const lines = [
    `listen: "127.0.0.1:${port}"`,
    `jetstream { store_dir: "${folder}", max_file_store: 1GB, max_memory_store: 64MB }`,
    configuration,
  ]
  if (tls !== undefined) {
    const { certificate, key, clientAuthority } = tls
    const written = { 'server.pem': certificate, 'server.key': key, 'clients.pem': clientAuthority }
    for (const [name, text] of Object.entries(written))
      if (text !== undefined) await writeFile(join(folder, name), text, { mode: 0o600 })
    const clients = clientAuthority === undefined ? '' : 'ca_file: "clients.pem", verify: true'
    lines.push(`tls { cert_file: "server.pem", key_file: "server.key", ${clients} }`)
  }
  return lines.join('\n')
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
