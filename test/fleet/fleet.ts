/**
 * A service of several instances: processes of their own, joined by a broker, with connectors that are processes too. Any of them can be ended and started again.
 */
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLmdbRegistry } from '../../src/cloud/lmdb/index.ts'
import { createDeploymentKeyFile } from '../../src/cloud/nats/index.ts'
import type { TimeLimits } from '../../src/protocol/internal.ts'
import { RawConnector, type Credentials } from '../integration/raw-connector.ts'
import { REGISTRAR_AUDIENCE, registrarToken } from '../integration/registrar-token.ts'
import { startIssuer, type Issuer } from '../issuer.ts'
import { NatsServer } from '../nats-server.ts'
import { freePort } from '../served-process.ts'
import { FleetPrograms, type FleetProcess } from './fleet-process.ts'
import type { ConnectorSettings } from './connector.child.ts'
import type { Engine, InstanceReady, InstanceSettings, JournalLine } from './instance.child.ts'

const INSTANCE = 'test/fleet/instance.child.ts'
const CONNECTOR = 'test/fleet/connector.child.ts'

export interface FleetOptions {
  readonly instances: number
  /** The group of each connector. */
  readonly connectors: readonly string[]
  /** Of each application: its group; it is published as `<id>.localhost`. */
  readonly applications: Readonly<
    Record<string, { readonly groupId: string; readonly port: number }>
  >
  readonly limits?: Partial<TimeLimits>
  /** Where connectors are kept. Default `LMDB`: a file that all instances share. */
  readonly engine?: Engine
  /** By connector: what is wrong with it. */
  readonly faults?: Readonly<Record<number, ConnectorSettings['fault']>>
}

/** One process of the fleet, which may be another one tomorrow. */
export interface Member<Ready> {
  readonly settings: string
  process: FleetProcess<Ready>
}

export interface FleetInstance extends Member<InstanceReady> {
  readonly port: number
  readonly connectorsPort: number
}

interface Parts {
  readonly directory: string
  readonly issuer: Issuer
  readonly nats: NatsServer
  readonly programs: FleetPrograms
}

export class Fleet {
  readonly nats: NatsServer
  readonly instances: FleetInstance[] = []
  readonly connectors: Member<{ connectorId: string }>[] = []
  readonly journal: string
  readonly #directory: string
  readonly #issuer: Issuer
  readonly #options: FleetOptions
  readonly #programs: FleetPrograms

  private constructor(options: FleetOptions, parts: Parts) {
    const { directory, issuer, nats, programs } = parts
    this.#options = options
    this.#directory = directory
    this.#issuer = issuer
    this.#programs = programs
    this.nats = nats
    this.journal = join(directory, 'journal.jsonl')
  }

  static async start(options: FleetOptions): Promise<Fleet> {
    const directory = await mkdtemp(join(tmpdir(), 'app-proxy-fleet-'))
    const fleet = new Fleet(options, {
      ...{ directory, issuer: await startIssuer(), nats: await NatsServer.start() },
      programs: await FleetPrograms.bundle(INSTANCE, CONNECTOR),
    })
    try {
      await fleet.#startInstances()
      // One after the other: which is in which group is known once it is registered.
      for (const [i, groupId] of options.connectors.entries()) await fleet.#addConnector(i, groupId)
    } catch (error) {
      await fleet.close()
      throw error
    }
    return fleet
  }

  get ports(): number[] {
    return this.instances.map(({ port }) => port)
  }

  /** What the instances have written, in the order of each. */
  lines(): JournalLine[] {
    const text = readFileSync(this.journal, 'utf8')
    return text
      .split('\n')
      .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as JournalLine]))
  }

  /** What an operator asks the admin API of an instance; with `body`: a change. */
  async operator<T>(i: number, path: string, body?: object): Promise<T> {
    const { adminPort } = this.instances[i]!.process.ready
    const token = readFileSync(join(this.#directory, 'state', 'admin-token'), 'utf8').trim()
    const answer = await fetch(`http://127.0.0.1:${adminPort}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        ...{ authorization: `Bearer ${token}`, 'if-match': '*' },
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`)
    return (await answer.json()) as T
  }

  /** What somebody has who took a connector's state directory: key and certificate, PEM. */
  credentials(i: number): Credentials {
    const text = readFileSync(join(this.#directory, `connector-${i}`, 'identity.json'), 'utf8')
    const { current } = JSON.parse(text) as {
      current: { keys: { privateKey: string }; certificate: string }
    }
    return { key: current.keys.privateKey, cert: current.certificate }
  }

  /** Calls the connector listener of an instance by hand. */
  calls(i: number, credentials: Credentials): RawConnector {
    const { connectorsPort, process } = this.instances[i]!
    return new RawConnector(`https://localhost:${connectorsPort}`, process.ready.ca, credentials)
  }

  /** Everything at once, as a power failure does; and all of it again, but these connectors. */
  async killAll(without: readonly number[]): Promise<void> {
    const all = [...this.connectors, ...this.instances]
    await Promise.all(all.map(({ process }) => process.kill()))
    await this.nats.kill()
    await this.nats.restart()
    for (const member of this.instances)
      member.process = await this.#programs.start(INSTANCE, member.settings)
    for (const [i, member] of this.connectors.entries())
      if (!without.includes(i))
        member.process = await this.#programs.start(CONNECTOR, member.settings)
  }

  /** As an operator stops it; starts it again. */
  async restartInstance(i: number): Promise<void> {
    const member = this.instances[i]!
    const code = await member.process.stop()
    if (code !== 0) throw new Error(`instance ${i} ended with ${code}: ${tail(member)}`)
    member.process = await this.#programs.start(INSTANCE, member.settings)
  }

  async restartConnector(i: number): Promise<void> {
    const member = this.connectors[i]!
    const code = await member.process.stop()
    if (code !== 0) throw new Error(`connector ${i} ended with ${code}: ${tail(member)}`)
    member.process = await this.#programs.start(CONNECTOR, member.settings)
  }

  /** At once, and nothing is said; starts it again. */
  async killConnector(i: number): Promise<void> {
    const member = this.connectors[i]!
    await member.process.kill()
    member.process = await this.#programs.start(CONNECTOR, member.settings)
  }

  async close(): Promise<void> {
    await Promise.all(this.connectors.map(({ process }) => process.kill()))
    await Promise.all(this.instances.map(({ process }) => process.kill()))
    await this.nats.close()
    await this.#issuer.close()
    await rm(this.#directory, { recursive: true, force: true })
  }

  async #startInstances(): Promise<void> {
    const { instances: count, applications, limits = {}, engine = 'LMDB' } = this.#options
    const places = await Promise.all(
      Array.from({ length: count }, async (_, i) => ({
        ...{ id: `cloud-${i + 1}`, usersPort: await freePort(), connectorsPort: await freePort() },
      })),
    )
    const instances = Object.fromEntries(
      places.map(({ id, connectorsPort }) => [id, `https://localhost:${connectorsPort}`]),
    )
    const groups = [...new Set(['default', ...this.#options.connectors])]
    const directory = {
      tenants: [
        { id: 'contoso', issuer: this.#issuer.url, registrars: { audience: REGISTRAR_AUDIENCE } },
      ],
      groups: groups.map((id) => ({ id, tenantId: 'contoso' })),
      applications: Object.entries(applications).map(([id, { groupId, port }]) => ({
        ...{ id, groupId, externalUrl: `http://${id}.localhost/` },
        ...{ internalUrl: `http://127.0.0.1:${port}/`, preAuthentication: 'passthrough' as const },
      })),
    } as InstanceSettings['directory']
    const stateDirectory = join(this.#directory, 'state')
    await mkdir(stateDirectory, { mode: 0o700 })
    await createDeploymentKeyFile(join(stateDirectory, 'deployment.key'))
    // The first makes the keys that all of them share.
    for (const place of places) {
      const settings: InstanceSettings = {
        ...{ ...place, instances, stateDirectory, nats: this.nats.address, directory },
        ...{ limits: { drainMs: 8_000, ...limits }, journal: this.journal, engine },
      }
      const file = join(this.#directory, `${place.id}.json`)
      await writeFile(file, JSON.stringify(settings), { mode: 0o600 })
      this.instances.push({
        ...{ settings: file, port: place.usersPort, connectorsPort: place.connectorsPort },
        process: await this.#programs.start(INSTANCE, file),
      })
    }
  }

  async #addConnector(i: number, groupId: string): Promise<void> {
    const first = this.instances[0]!
    const { instances } = JSON.parse(readFileSync(first.settings, 'utf8')) as InstanceSettings
    const settings: ConnectorSettings = {
      ...{ url: Object.values(instances)[0]!, ca: first.process.ready.ca, name: `connector-${i}` },
      stateDirectory: join(this.#directory, `connector-${i}`),
      token: await registrarToken(this.#issuer),
      ...{ fault: this.#options.faults?.[i], drainMs: 8_000 },
    }
    const file = join(this.#directory, `connector-${i}.json`)
    await writeFile(file, JSON.stringify(settings), { mode: 0o600 })
    const process = await this.#programs.start<{ connectorId: string }>(CONNECTOR, file)
    this.connectors.push({ settings: file, process })
    if (groupId === 'default') return
    const registry = openLmdbRegistry({ path: join(this.#directory, 'state', 'registry.lmdb') })
    await registry.setGroup(process.ready.connectorId, groupId)
    await registry.close()
  }
}

const tail = ({ process }: Member<unknown>) => process.said.slice(-10).join('\n')
