/**
 * What a cloud knows and signs with: engines and keys in its state directory.
 */
import { join, resolve } from 'node:path'
import {
  AssertionKeys,
  createCertificateAuthority,
  createServerAuthority,
  defaultCryptoProvider,
  KeyRing,
  MemoryPresence,
  type AuditSink,
  type AssertionKeyStore,
  type CloudOptions,
  type ConnectorRegistry,
  type InstancePresence,
  type KeyRingStore,
  type OfferQueue,
  type OnError,
  type ServerAuthority,
} from 'app-proxy/cloud'
import {
  assertionKeyFile,
  auditFile,
  auditStream,
  authorityFile,
  keyRingFile,
  type AuditFile,
} from 'app-proxy/cloud/node'
import type { ConfigurationStore } from 'app-proxy/cloud/admin'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import type { CloudServerSettings } from './configuration.ts'
import { openNats, reached } from './nats.ts'
import { writePublicKeys } from '../program/public-keys.ts'

const ONE_DAY_MS = 24 * 60 * 60 * 1000
/** Sessions last a day at most, and three keys are kept: none ends for a rotation's sake. */
const ROTATE_MS = 30 * ONE_DAY_MS

/** What has to be ended, the last first. */
export type Closing = (() => unknown)[]

/** What instances share: in files of one machine, or in a broker. */
interface SharedEngines extends Required<
  Pick<CloudOptions, 'registry' | 'revocations' | 'grants' | 'spentCodes'>
> {
  readonly keyRingStore: KeyRingStore
  /** Where keys of assertions are kept; absent: in a file. */
  readonly assertionStore?: AssertionKeyStore
  /** Joins this instance with others; absent: there are none. */
  readonly queue?: (keyRing: KeyRing) => OfferQueue
  readonly presence: InstancePresence
  /** Where versions of the configuration are kept. */
  readonly openVersionStore: () => Promise<ConfigurationStore>
}

/** What a cloud knows and signs with. */
export interface Engines
  extends
    Required<Pick<CloudOptions, 'registry' | 'revocations' | 'grants' | 'spentCodes'>>,
    Pick<SharedEngines, 'openVersionStore'>,
    Pick<CloudOptions, 'authority' | 'keyRing' | 'queue'> {
  /** What the certificates of the cloud's own servers are made by. */
  readonly servers: ServerAuthority
  readonly assertionSigner: AssertionKeys
  /** Which instances there are. */
  readonly presence: InstancePresence
  /** Makes new keys where the newest is old, and publishes those of assertions. */
  rotate(): Promise<void>
  /** Writes the public keys of assertions to their file. */
  publishKeys(): Promise<void>
}

/**
 * Opens all of it; what is missing is made. Authorities are files of the state directory, always.
 *
 * @param complain told of files that cannot be read again while it runs
 * @param line to other processes of this machine, which share the directory
 */
export async function openEngines(
  file: string,
  settings: CloudServerSettings,
  onError: OnError,
  closing: Closing,
  complain: (error: unknown) => void,
  line?: OfferQueue & InstancePresence,
): Promise<Engines> {
  const { stateDir, assertions } = settings
  const inState = (name: string) => join(stateDir, name)
  const { keysFile = inState('assertion-keys.json') } = assertions
  const { publicKeysFile = inState('assertion-keys.public.json') } = assertions
  if (resolve(keysFile) === resolve(publicKeysFile))
    throw new ConfigurationInvalid([
      { file, path: 'assertions.publicKeysFile', detail: 'is where the keys themselves are kept' },
    ])
  const crypto = await defaultCryptoProvider()
  const clocks = { now: () => performance.now(), wallClock: () => Date.now() }
  const { keyRingStore, assertionStore, queue, presence, ...shared } = await openShared(
    ...([file, settings, onError, closing, line] as const),
  )
  const [connectorAuthority, serverAuthority] = [
    inState('connector-authority.pem'),
    inState('server-authority.pem'),
  ]
  const authority = await ofFile(connectorAuthority, () =>
    createCertificateAuthority({
      ...{ crypto, clocks, store: authorityFile(connectorAuthority) },
      onError: ({ error }) => complain(error),
    }),
  )
  closing.push(() => authority.roll?.close())
  const servers = await ofFile(serverAuthority, () =>
    createServerAuthority({
      ...{ crypto, clocks, store: authorityFile(serverAuthority) },
      onError: ({ error }) => complain(error),
    }),
  )
  closing.push(() => servers.roll.close())
  const keyRing = await KeyRing.open({ store: keyRingStore, ...clocks, onError })
  closing.push(() => keyRing.close())
  await keyRing.rotateIfOlder(ROTATE_MS)
  const assertionSigner = await AssertionKeys.open({
    ...{ store: assertionStore ?? assertionKeyFile(keysFile), wallClock: clocks.wallClock },
  })
  closing.push(() => assertionSigner.close())
  await assertionSigner.rotateIfOlder(ROTATE_MS)
  const publishKeys = () => writePublicKeys(publicKeysFile, assertionSigner.publicKeys())
  await publishKeys()
  return {
    ...{ ...shared, authority, servers, keyRing, assertionSigner, publishKeys },
    ...(queue && { queue: queue(keyRing) }),
    presence,
    rotate: async () => {
      await keyRing.rotateIfOlder(ROTATE_MS)
      await assertionSigner.rotateIfOlder(ROTATE_MS)
      await publishKeys()
    },
  }
}

/** The registry alone, for a command that runs beside the cloud. */
export async function openRegistry(
  file: string,
  { stateDir, nats: broker, instance = 'cloud-1' }: CloudServerSettings,
  closing: Closing,
): Promise<ConnectorRegistry> {
  if (broker !== undefined) {
    const { nats, shared } = await openNats(file, broker, instance, undefined, closing)
    const registry = await reached(file, () => nats.openNatsRegistry(shared))
    closing.push(() => registry.close())
    return registry
  }
  const lmdb = await import('app-proxy/cloud/lmdb')
  const registry = lmdb.openLmdbRegistry({ path: join(stateDir, LMDB.registry) })
  closing.push(() => registry.close())
  return registry
}

/** Files of the state directory. */
const LMDB = {
  registry: 'registry.lmdb',
  revocations: 'revocations.lmdb',
  grants: 'session-grants.lmdb',
  spentCodes: 'spent-codes.lmdb',
  versions: 'configuration.lmdb',
} as const

async function openShared(
  file: string,
  settings: CloudServerSettings,
  onError: OnError,
  closing: Closing,
  line: (OfferQueue & InstancePresence) | undefined,
): Promise<SharedEngines> {
  const opened = <T extends { close(): unknown }>(part: T): T => {
    closing.push(() => part.close())
    return part
  }
  const { stateDir, nats: broker, instance = 'cloud-1' } = settings
  if (broker === undefined) {
    const inState = (name: string) => join(stateDir, name)
    const lmdb = await import('app-proxy/cloud/lmdb')
    const { versions, ...always } = LMDB
    const opening = [...Object.values(always), ...(settings.admin === undefined ? [] : [versions])]
    lmdb.checkLmdbFiles(opening.map(inState))
    return {
      registry: opened(lmdb.openLmdbRegistry({ path: inState(LMDB.registry) })),
      revocations: opened(lmdb.openLmdbRevocations({ path: inState(LMDB.revocations) })),
      grants: opened(lmdb.openLmdbSessionGrants({ path: inState(LMDB.grants) })),
      spentCodes: opened(lmdb.openLmdbSpentCodes({ path: inState(LMDB.spentCodes) })),
      keyRingStore: keyRingFile(inState('key-ring.json')),
      presence: line ?? new MemoryPresence(),
      ...(line && { queue: () => line }),
      openVersionStore: async () =>
        opened(lmdb.openLmdbConfigurationStore({ path: inState(versions), onError })),
    }
  }
  const { nats, shared } = await openNats(file, broker, instance, onError, closing)
  const { staleLimitMs } = broker
  const unsaid = (name: string) =>
    nats.unsaidChangesFile(join(stateDir, `${name}.${encodeURIComponent(instance)}.json`))
  return reached(file, async () => ({
    registry: opened(
      await nats.openNatsRegistry({ ...shared, unsaid: unsaid('unsaid-connector-changes') }),
    ),
    revocations: opened(
      await nats.openNatsRevocations({
        ...{ ...shared, staleLimitMs, unsaid: unsaid('unsaid-revocations') },
      }),
    ),
    grants: await nats.openNatsSessionGrants(shared),
    spentCodes: await nats.openNatsSpentCodes(shared),
    keyRingStore: opened(await nats.openNatsKeyRing(shared)),
    assertionStore: opened(await nats.openNatsAssertionKeys(shared)),
    queue: (keyRing) => nats.natsOfferQueue({ nats: shared.connection, keyRing, onError }),
    presence: await nats.openNatsPresence(shared),
    openVersionStore: async () => opened(await nats.openNatsConfigurationStore(shared)),
  }))
}

/** What is wrong with what stands in a file names the file. */
async function ofFile<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (!(cause instanceof ConfigurationInvalid) || cause.path === file) throw cause
    throw new ConfigurationInvalid(
      cause.mistakes.map((one) => ({ ...one, file })),
      { cause },
    )
  }
}

/** Where audit events go. One that cannot be written ends nothing; see `onError`. */
export function auditSink(audit: CloudServerSettings['audit']): AuditSink & Partial<AuditFile> {
  return typeof audit.to === 'string'
    ? auditStream(process[audit.to], audit)
    : auditFile(audit.to.file, audit)
}
