/**
 * The listener of the admin API beside a cloud, for whoever is at the machine.
 */
import { join } from 'node:path'
import type { Cloud, InstancePresence } from 'app-proxy/cloud'
import { createAdminApi, type ConfigurationVersions } from 'app-proxy/cloud/admin'
import { createAdminListener, openLocalToken } from 'app-proxy/cloud/node'
import { listen } from '../program/listen.ts'
import type { CloudServerSettings } from './configuration.ts'
import type { Closing } from './engines.ts'

/** In the state directory: the local token, mode 0600. */
export const ADMIN_TOKEN = 'admin-token'

/** Resolves with its URL. */
export async function openAdmin(
  cloud: Cloud,
  file: string,
  { port: wanted, host }: NonNullable<CloudServerSettings['admin']>,
  { stateDir }: Pick<CloudServerSettings, 'stateDir'>,
  closing: Closing,
  versions: ConfigurationVersions | undefined,
  presence: InstancePresence,
): Promise<string> {
  const localTokenHash = await openLocalToken(join(stateDir, ADMIN_TOKEN))
  const listener = createAdminListener(
    createAdminApi(cloud, { access: { localTokenHash }, versions, presence }),
  )
  const port = await listen(listener.server, { port: wanted, host, file, at: 'admin.' })
  closing.push(() => listener.close())
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
