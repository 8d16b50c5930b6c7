/**
 * The example servers as processes of their own: what is measured and stopped here is what runs outside.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Shares, TimeLimits } from '../../src/protocol/internal.ts'
import { startIssuer } from '../issuer.ts'
import type { Observation } from './observed.ts'
import { REGISTRAR_AUDIENCE, registrarToken } from './registrar-token.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** `app-proxy`, as it is written. */
export const CLI = 'src/cli/main.ts'
const PAGE_BYTES = 4096
const TICKS_PER_SECOND = 100

/** An example server that runs, or a program of the tests beside it. */
export class Example<Ready = unknown> {
  readonly #child: ChildProcess
  readonly ready: Ready
  /** What it said on stderr. */
  readonly said: readonly string[]

  private constructor(child: ChildProcess, ready: Ready, said: readonly string[]) {
    this.#child = child
    this.ready = ready
    this.said = said
  }

  /** Starts `examples/NAME.ts`, or a command of `app-proxy`; it is ready when it has said so. */
  static start<Ready>(name: string, args: readonly string[]): Promise<Example<Ready>> {
    if (!name.includes(' ')) return Example.program(`examples/${name}.ts`, args)
    return Example.program(CLI, [...name.split(' '), '--json', ...args])
  }

  /** The same with a program of any other directory. */
  static async program<Ready>(path: string, args: readonly string[]): Promise<Example<Ready>> {
    const preloaded = [
      'tsx',
      './examples/demo/end-with-parent.ts',
      './test/integration/observed.ts',
    ]
    const imports = preloaded.flatMap((path) => ['--import', path])
    const child = spawn(process.execPath, [...imports, path, ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    const said: string[] = []
    createInterface(child.stderr!).on('line', (line) => said.push(line))
    const exit = once(child, 'exit').then(() => {
      throw new Error(`${path} ended: ${said.join('\n')}`)
    })
    exit.catch(() => undefined)
    const line = await Promise.race([once(createInterface(child.stdout!), 'line'), exit])
    return new Example(child, JSON.parse(line[0] as string) as Ready, said)
  }

  get pid(): number {
    return this.#child.pid!
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Resident memory, bytes. */
  get residentBytes(): number {
    return Number(this.#proc('statm').split(' ')[1]) * PAGE_BYTES
  }

  /** Processor time it has used, in user and system mode together. Seconds. */
  get processorSeconds(): number {
    const fields = this.#proc('stat').split(') ')[1]!.split(' ')
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
  }

  async observe(): Promise<Observation> {
    this.#child.send('observe')
    const [observation] = (await once(this.#child, 'message')) as [Observation]
    return observation
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Ends it as an operator would; the exit code. */
  async stop(): Promise<number | null> {
    if (!this.isRunning) return this.#child.exitCode
    const exit = once(this.#child, 'exit')
    this.signal('SIGCONT')
    this.signal('SIGTERM')
    return ((await exit) as [number | null])[0]
  }

  /** It gets no chance to end in order. */
  async kill(): Promise<void> {
    const exit = once(this.#child, 'exit')
    this.signal('SIGKILL')
    await exit
  }

  #proc(file: string): string {
    return readFileSync(`/proc/${this.#child.pid}/${file}`, 'utf8')
  }
}

export interface ProcessesOptions {
  /** The application that is published as `open.localhost`; `refusing.localhost` is one that nobody can reach. */
  readonly internalUrl: string
  /** Published beside them, by the same server. */
  readonly others?: readonly string[]
  readonly limits?: Partial<TimeLimits>
  readonly shares?: Partial<Shares>
  /** Of the application. */
  readonly responseHeadMs?: number
  /** Users come by TLS. */
  readonly tls?: boolean
  /** Of its port for health, on a free port. */
  readonly health?: { readonly drainDelayMs?: number; readonly requireGroups?: string[] }
  /** An application of another tenant, whose group `away` has no connector. */
  readonly unserved?: string
}

/** A cloud and its connectors, each a process; the issuer is the test's. */
export interface Processes {
  readonly cloud: Example<{ usersUrl: string; connectorUrl: string; healthUrl?: string }>
  /** Where users come to. */
  readonly port: number
  /**
   * A further connector each time: the example, with further options, or a program of the tests
   * that takes the same options behind `first`.
   */
  startConnector(
    program?: string,
    ...first: readonly string[]
  ): Promise<Example<{ connectorId: string; healthUrl?: string }>>
  close(): Promise<void>
}

export async function startProcesses(options: ProcessesOptions): Promise<Processes> {
  const directory = await mkdtemp(join(tmpdir(), 'app-proxy-'))
  const issuer = await startIssuer()
  const configuration = join(directory, 'cloud.json')
  await writeFile(
    configuration,
    JSON.stringify(cloudConfiguration(options, directory, issuer.url)),
    {
      mode: 0o600,
    },
  )
  const cloud = await Example.start<{
    usersUrl: string
    connectorUrl: string
    caFile: string
    healthUrl?: string
  }>('cloud run', ['--config', configuration])
  const connectors: Example[] = []
  return {
    cloud,
    port: Number(new URL(cloud.ready.usersUrl).port),
    async startConnector(program = CLI, ...first) {
      const name = `connector-${connectors.length}`
      const tokenFile = join(directory, `${name}.token`)
      await writeFile(tokenFile, await registrarToken(issuer), { mode: 0o600 })
      const { connectorUrl, caFile } = cloud.ready
      const connector = await Example.program<{ connectorId: string; healthUrl?: string }>(
        program,
        [
          ...(program === CLI ? ['connector', 'run', '--json', ...first] : first),
          ...['--url', connectorUrl, '--ca', caFile, '--token-file', tokenFile],
          ...['--state-dir', join(directory, name), '--name', name],
        ],
      )
      connectors.push(connector)
      return connector
    },
    async close() {
      await Promise.all(connectors.map((connector) => connector.stop()))
      await cloud.stop()
      await issuer.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

const FABRIKAM = {
  id: 'fabrikam',
  issuer: 'https://login.fabrikam.example',
  registrars: { audience: REGISTRAR_AUDIENCE },
}

function cloudConfiguration(options: ProcessesOptions, directory: string, issuer: string): object {
  const {
    internalUrl,
    others = [],
    limits = {},
    shares = {},
    responseHeadMs,
    tls = false,
    health,
    unserved,
  } = options
  const published = { groupId: 'default', internalUrl, preAuthentication: 'passthrough' }
  const externalUrl = (id: string) => `${tls ? 'https' : 'http'}://${id}.localhost/`
  return {
    stateDir: join(directory, 'cloud'),
    users: { port: 0, ...(tls && { tls: 'generated' }) },
    connectors: { port: 0 },
    // A connector that was killed or stopped ends nothing by itself.
    limits: { drainMs: 500, ...limits },
    shares,
    ...(health && { health: { port: 0, ...health } }),
    directory: {
      tenants: [
        { id: 'contoso', issuer, registrars: { audience: REGISTRAR_AUDIENCE } },
        ...(unserved === undefined ? [] : [FABRIKAM]),
      ],
      groups: [
        { id: 'default', tenantId: 'contoso' },
        ...(unserved === undefined ? [] : [{ id: 'away', tenantId: FABRIKAM.id }]),
      ],
      applications: [
        {
          ...published,
          id: 'open',
          externalUrl: externalUrl('open'),
          ...(responseHeadMs !== undefined && { responseHeadMs }),
        },
        ...(unserved === undefined
          ? []
          : [{ ...published, id: unserved, groupId: 'away', externalUrl: externalUrl(unserved) }]),
        ...others.map((id) => ({ ...published, id, externalUrl: externalUrl(id) })),
        {
          ...published,
          id: 'refusing',
          externalUrl: externalUrl('refusing'),
          // Nobody listens on the TCP port multiplexer's port.
          internalUrl: 'http://127.0.0.1:1/',
        },
      ],
    },
  }
}
