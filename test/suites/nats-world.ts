/** A broker for a suite: one server, and for each test the state of a new deployment. */
import { randomBytes } from 'node:crypto'
import { jetstreamManager } from '@nats-io/jetstream'
import {
  DeploymentKeys,
  openNatsConnection,
  type NatsConnection,
  type NatsConnectionOptions,
  type NatsEngineOptions,
} from '../../src/cloud/nats/index.ts'
import { NatsServer } from '../nats-server.ts'
import { until } from '../until.ts'

/** Instances of one cloud, as far as their broker sees them. */
export class NatsWorld {
  readonly server: NatsServer
  readonly #key = randomBytes(32)
  readonly deploymentKeys = new DeploymentKeys(this.#key)
  readonly #connections: NatsConnection[] = []

  private constructor(server: NatsServer) {
    this.server = server
  }

  static async start(): Promise<NatsWorld> {
    return new NatsWorld(await NatsServer.start())
  }

  /** For another process. */
  get deploymentKeyText(): string {
    return this.#key.toString('base64url')
  }

  /** What an engine of a further instance is opened with. */
  async instance(options: Partial<NatsConnectionOptions> = {}): Promise<NatsEngineOptions> {
    const { server, deploymentKeys } = this
    const servers = server.address
    const connection = await openNatsConnection({ servers, pingEveryMs: 200, ...options })
    this.#connections.push(connection)
    await until(() => connection.isFresh)
    return { connection, deploymentKeys }
  }

  /** What the broker holds stays. */
  async endInstances(): Promise<void> {
    for (const connection of this.#connections.splice(0)) await connection.close()
  }

  /** Ends all instances, and what they stored. */
  async clear(): Promise<void> {
    if (this.#connections.length === 0) return
    await this.endInstances()
    const { connection } = await this.instance()
    const manager = await jetstreamManager(connection.client)
    for await (const { config } of manager.streams.list()) await manager.streams.delete(config.name)
    for (const last of this.#connections.splice(0)) await last.close()
  }

  close(): Promise<void> {
    return this.server.close()
  }
}
