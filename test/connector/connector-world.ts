import { ConfigurationKeeper, type KeeperEvent } from '../../src/connector/configuration-keeper.ts'
import { register } from '../../src/connector/enrolment.ts'
import { MemoryIdentityStore } from '../../src/connector/memory-identity-store.ts'
import type { ControlChannel, IdentityStore } from '../../src/connector/ports.ts'
import { CloudInMemory, HOUR_MS } from './cloud-in-memory.ts'
import { VirtualTime } from './virtual-time.ts'

/** A cloud and a registered connector in virtual time. */
export class ConnectorWorld {
  readonly time = new VirtualTime()
  readonly store: IdentityStore
  readonly events: KeeperEvent[] = []
  cloud!: CloudInMemory

  static async create(store: IdentityStore = new MemoryIdentityStore()): Promise<ConnectorWorld> {
    const world = new ConnectorWorld(store)
    world.cloud = await CloudInMemory.create(world.time)
    await world.within(HOUR_MS, world.register())
    return world
  }

  private constructor(store: IdentityStore) {
    this.store = store
  }

  register(store: IdentityStore = this.store) {
    return register({
      channel: this.cloud,
      store,
      environment: this.time.environment,
      token: () => this.time.track(this.cloud.token()),
      instance: { name: 'host-1', version: '0.1.0' },
    })
  }

  keeper(
    more: { store?: IdentityStore; channel?: ControlChannel; check?: () => void } = {},
  ): Promise<ConfigurationKeeper> {
    return ConfigurationKeeper.open({
      channel: this.cloud,
      store: this.store,
      environment: this.time.environment,
      onEvent: (event) => this.events.push(event),
      ...more,
    })
  }

  /** What `work` comes to, if it does within `ms`. */
  async within<T>(ms: number, work: Promise<T>): Promise<T> {
    let over = false
    const end = work.finally(() => (over = true))
    end.catch(() => undefined)
    await this.time.pass(ms, () => over)
    if (!over) throw new Error(`not done within ${ms} ms`)
    return end
  }

  async close(): Promise<void> {
    await this.cloud.close()
  }

  happened(type: KeeperEvent['type']): number {
    return this.events.filter((event) => event.type === type).length
  }
}
