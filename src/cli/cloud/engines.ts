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
  type AuditSink,
  type CloudOptions,
  type ServerAuthority,
} from 'app-proxy/cloud'
import { openLmdbRegistry, openLmdbRevocations, openLmdbSessionGrants } from 'app-proxy/cloud/lmdb'
import {
  assertionKeyFile,
  auditFile,
  auditStream,
  authorityFile,
  keyRingFile,
  type AuditFile,
} from 'app-proxy/cloud/node'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import type { CloudServerSettings } from './configuration.ts'
import { writePublicKeys } from '../program/public-keys.ts'

const ONE_DAY_MS = 24 * 60 * 60 * 1000
/** Sessions last a day at most, and three keys are kept: none ends for a rotation's sake. */
const ROTATE_MS = 30 * ONE_DAY_MS

/** What has to be ended, the last first. */
export type Closing = (() => unknown)[]

/** What is kept in the state directory. */
export interface StateEngines extends Required<
  Pick<CloudOptions, 'registry' | 'revocations' | 'grants' | 'authority' | 'keyRing'>
> {
  /** What the certificates of the cloud's own servers are made by. */
  readonly servers: ServerAuthority
  readonly assertionSigner: AssertionKeys
  /** Makes new keys where the newest is old, and publishes those of assertions. */
  rotate(): Promise<void>
  /** Writes the public keys of assertions to their file. */
  publishKeys(): Promise<void>
}

/**
 * Opens all of it; what is missing is made.
 *
 * @param complain told of files that cannot be read again while it runs
 */
export async function openEngines(
  file: string,
  { stateDir, assertions }: CloudServerSettings,
  closing: Closing,
  complain: (error: unknown) => void,
): Promise<StateEngines> {
  const inState = (name: string) => join(stateDir, name)
  const crypto = await defaultCryptoProvider()
  const clocks = { now: () => performance.now(), wallClock: () => Date.now() }
  const opened = <T extends { close(): unknown }>(part: T): T => {
    closing.push(() => part.close())
    return part
  }
  const registry = opened(openLmdbRegistry({ path: inState('registry.lmdb') }))
  const revocations = opened(openLmdbRevocations({ path: inState('revocations.lmdb') }))
  const grants = opened(openLmdbSessionGrants({ path: inState('session-grants.lmdb') }))
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
  const keyRing = opened(
    await KeyRing.open({ store: keyRingFile(inState('key-ring.json')), ...clocks }),
  )
  await keyRing.rotateIfOlder(ROTATE_MS)
  const { keysFile = inState('assertion-keys.json') } = assertions
  const { publicKeysFile = inState('assertion-keys.public.json') } = assertions
  if (resolve(keysFile) === resolve(publicKeysFile))
    throw new ConfigurationInvalid([
      { file, path: 'assertions.publicKeysFile', detail: 'is where the keys themselves are kept' },
    ])
  const assertionSigner = opened(
    await AssertionKeys.open({
      ...{ store: assertionKeyFile(keysFile), wallClock: clocks.wallClock },
    }),
  )
  await assertionSigner.rotateIfOlder(ROTATE_MS)
  const publishKeys = () => writePublicKeys(publicKeysFile, assertionSigner.publicKeys())
  await publishKeys()
  return {
    ...{ registry, revocations, grants, authority, servers, keyRing, assertionSigner, publishKeys },
    rotate: async () => {
      await keyRing.rotateIfOlder(ROTATE_MS)
      await assertionSigner.rotateIfOlder(ROTATE_MS)
      await publishKeys()
    },
  }
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
