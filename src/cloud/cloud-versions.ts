/**
 * Versions of a cloud's configuration, assembled.
 *
 * @module
 */
import { Refused } from '../protocol/internal.ts'
import type { Containment } from '../runtime/containment.ts'
import type { Cloud } from './cloud.ts'
import type { DirectoryInput } from './directory/directory-input.ts'
import type { ConfiguredDirectory } from './directory/directory.ts'
import { ConfigurationVersions } from './versions/configuration-versions.ts'
import type { ConfigurationStore } from './versions/configuration-store.ts'

/** Options of {@link openConfigurationVersions}. */
export interface VersionsOptions {
  /**
   * Where versions are kept: `createMemoryConfigurationStore()`, `openLmdbConfigurationStore` of
   * `app-proxy/cloud/lmdb`, `openNatsConfigurationStore` of `app-proxy/cloud/nats`.
   */
  readonly store: ConfigurationStore
  /** The directory of the cloud: what is in force is put into it. */
  readonly directory: Pick<ConfiguredDirectory, 'replace'>
  /** What the directory was made of: the first version, where the store has none. */
  readonly initial: DirectoryInput
  /** Called when another version is in force on this instance. Default: nobody is told. */
  readonly onReplaced?: (() => void) | undefined
}

/**
 * Opens the versions of a cloud's configuration, for its admin API. The newest is in force when
 * this resolves, and from then on whichever is the newest, whoever applies it on whichever
 * instance: within a second. So do this before listeners are opened.
 *
 * A version that this program cannot read changes nothing here: what was in force stays, the audit
 * and `onError` are told, and the view of the instance says so.
 *
 * @throws PortFailed when the store cannot be read; ConfigurationInvalid for what `initial` says
 */
export function openConfigurationVersions(
  cloud: Cloud,
  { store, directory, initial, onReplaced = () => undefined }: VersionsOptions,
): Promise<ConfigurationVersions> {
  const { strictAudit: audit, clocks, crypto, containment, origin } = cloud
  return ConfigurationVersions.open(
    {
      ...{ directory, audit, clocks, crypto, containment },
      store: containedStore(store, containment),
      onReplaced: containment.notify('versions.onReplaced', onReplaced),
    },
    initial,
    { as: 'file', name: origin.instance },
  )
}

function containedStore(store: ConfigurationStore, containment: Containment): ConfigurationStore {
  const passing = { passes: (error: unknown) => error instanceof Refused }
  const { watch } = store
  return {
    heads: containment.await('versions.heads', () => store.heads(), passing),
    read: containment.await('versions.read', (number: number) => store.read(number), passing),
    append: containment.await(
      'versions.append',
      (...version: Parameters<ConfigurationStore['append']>) => store.append(...version),
      passing,
    ),
    ...(watch && {
      watch: containment.demand('versions.watch', (changed: () => void) =>
        watch.call(store, changed),
      ),
    }),
  }
}
