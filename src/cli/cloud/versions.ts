/**
 * Versions of the configuration beside a cloud: what operators apply, and what its file says.
 */
import { join } from 'node:path'
import type { Cloud, ConfiguredDirectory, DirectoryInput } from 'app-proxy/cloud'
import {
  openConfigurationVersions,
  type ConfigurationStore,
  type ConfigurationVersions,
} from 'app-proxy/cloud/admin'
import { readPrivateFile, replacePrivateFile } from 'app-proxy/cloud/node'
import type { CloudServerSettings } from './configuration.ts'
import type { Closing } from './engines.ts'

/**
 * Digest of what the file said when it was read last. Once it says something else, that is a
 * version.
 */
const SAID = 'configuration-file.digest'

/** The versions, and the file as one of those who make them. */
export interface KeptVersions {
  readonly versions: ConfigurationVersions
  /** What the file says now. @throws ConfigurationInvalid, Refused */
  takeFile(directory: DirectoryInput): Promise<void>
}

/** Resolves when the newest is in force. */
export async function openVersions(
  cloud: Cloud,
  directory: ConfiguredDirectory,
  { stateDir, directory: initial }: Pick<CloudServerSettings, 'stateDir' | 'directory'>,
  store: ConfigurationStore,
  onReplaced: () => void,
  closing: Closing,
): Promise<KeptVersions> {
  const path = join(stateDir, SAID)
  const versions = await openConfigurationVersions(cloud, {
    ...{ store, directory, initial, onReplaced },
  })
  closing.push(() => versions.close())
  const takeFile = async (written: DirectoryInput) => {
    const before = (await readPrivateFile(path))?.trim()
    const said = await versions.takeFile(written, cloud.origin.instance, before)
    if (said !== before) await replacePrivateFile(path, `${said}\n`)
  }
  await takeFile(initial)
  return { versions, takeFile }
}
