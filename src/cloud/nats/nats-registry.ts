/**
 * A connector registry that all instances of a cloud share, in NATS.
 *
 * Every change is one entry of a log, decided on what all entries before it say: a registration is
 * there whole or not at all, whoever dies when. The rules are those of every registry.
 *
 * @module
 */
import type { OnError } from '../../runtime/containment.ts'
import { changeStanding, forgetConnector } from '../connectors/connector-changes.ts'
import type { ConnectorRecord, ConnectorStanding } from '../connectors/connector-records.ts'
import type { RecordChange, StandingChange } from '../connectors/connector-registry.ts'
import { TransactionalRegistry } from '../connectors/transactional-registry.ts'
import type { DeploymentKeys } from './deployment-keys.ts'
import type { NatsConnection } from './nats-connection.ts'
import { isUnavailable, NatsRegistryStore } from './registry-store.ts'
import type { UnsaidChangesStore } from './unsaid-changes.ts'

/** What every engine in NATS is opened with. */
export interface NatsEngineOptions {
  /** Several engines share one. */
  readonly connection: NatsConnection
  /** What it says in the broker is sealed under these. */
  readonly deploymentKeys: DeploymentKeys
  /** Told of listeners that fail. Default: nobody is. */
  readonly onError?: OnError | undefined
}

/** Options of {@link openNatsRegistry}. */
export interface NatsRegistryOptions extends NatsEngineOptions {
  /**
   * Where this instance keeps what it changed while the broker could not be asked, until the others
   * know it. Default: nowhere, it is lost with the process.
   *
   * @see {@link unsaidChangesFile}
   */
  readonly unsaid?: UnsaidChangesStore | undefined
}

/**
 * While the broker cannot be asked, what is known is served, and whatever needs one place to be
 * decided in is refused (`unavailable`): registrations, certificates, approvals, tickets. A
 * connector that is drained, disabled, revoked or forgotten is so on this instance at once, and on
 * the others when the broker is back; a revocation wins over whatever was done there meanwhile.
 *
 * @see {@link NatsRegistryOptions} for what of it outlives the process
 */
export class NatsRegistry extends TransactionalRegistry {
  readonly #store: NatsRegistryStore

  /** @internal */
  constructor(store: NatsRegistryStore, onError: OnError | undefined) {
    super(store, onError)
    this.#store = store
  }

  override async setStanding(
    connectorId: string,
    standing: Exclude<ConnectorStanding, 'pending'>,
    now: number,
    change: StandingChange = {},
  ): Promise<ConnectorRecord> {
    try {
      return await super.setStanding(connectorId, standing, now, change)
    } catch (error) {
      if (standing === 'active' || !isUnavailable(error)) throw error
      return this.#store.transactHere(
        (tables) => changeStanding(tables, connectorId, standing, now, change),
        { kind: 'standing', connectorId, standing, now },
      )
    }
  }

  override async forget(
    connectorId: string,
    now: number,
    change: RecordChange = {},
  ): Promise<ConnectorRecord> {
    try {
      return await super.forget(connectorId, now, change)
    } catch (error) {
      if (!isUnavailable(error)) throw error
      return this.#store.transactHere(
        (tables) => forgetConnector(tables, connectorId, now, change),
        { kind: 'forget', connectorId, now },
      )
    }
  }

  /** Ends the watch on the log. The connection stays. */
  async close(): Promise<void> {
    this.#store.close()
  }
}

/**
 * Opens the registry, and makes its log if there is none. All of it is kept in memory, some 3 KB a
 * connector; a change is stored by the broker before it is answered, and told to the listeners of
 * every instance in milliseconds.
 *
 * @throws PortFailed `nats` when it cannot be read, or was sealed under other keys
 */
export async function openNatsRegistry(options: NatsRegistryOptions): Promise<NatsRegistry> {
  const { connection, deploymentKeys, onError, unsaid } = options
  const store = await NatsRegistryStore.open(connection, deploymentKeys, unsaid)
  return new NatsRegistry(store, onError)
}
