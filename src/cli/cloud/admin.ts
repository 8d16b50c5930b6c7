/**
 * The admin API beside a cloud: a socket in the state directory for whoever is at the machine, and
 * a port where the configuration has one.
 */
import { join } from 'node:path'
import type { Cloud, InstancePresence } from 'app-proxy/cloud'
import { createAdminApi, type ConfigurationVersions } from 'app-proxy/cloud/admin'
import { createAdminListener, openLocalToken } from 'app-proxy/cloud/node'
import { ADMIN_SOCKET, ADMIN_TOKEN, type AdminSettings } from './admin-configuration.ts'
import type { Closing } from './engines.ts'
import type { ServerCertificate } from '../program/certificates.ts'
import { listen, urlAt } from '../program/listen.ts'

/** Options of {@link openAdmin}. */
export interface AdminOptions {
  /** The file that says so. */
  readonly file: string
  readonly settings: AdminSettings
  readonly stateDir: string
  /** For the port. */
  readonly credentials: ServerCertificate | undefined
  readonly versions: ConfigurationVersions | undefined
  readonly presence: InstancePresence
  readonly closing: Closing
}

/** Where it is. */
export interface AdminPlaces {
  readonly adminSocket: string
  /** Absent: it has no port. */
  readonly adminUrl?: string
}

/** @throws ConfigurationInvalid where it cannot be */
export async function openAdmin(cloud: Cloud, options: AdminOptions): Promise<AdminPlaces> {
  const { file, settings, stateDir, credentials, versions, presence, closing } = options
  const { port: wanted, host, hosts, access } = settings
  const localTokenHash = await openLocalToken(join(stateDir, ADMIN_TOKEN))
  // Each counts for itself who shows what is no token: at the port that may be anybody.
  const api = () =>
    createAdminApi(cloud, { access: { ...access, localTokenHash }, hosts, versions, presence })
  const adminSocket = join(stateDir, ADMIN_SOCKET)
  const atSocket = createAdminListener(api())
  await atSocket.listenAt(adminSocket)
  closing.push(() => atSocket.close())
  if (wanted === undefined) return { adminSocket }
  const atPort = createAdminListener(api(), { tls: credentials })
  const port = await listen(atPort.server, { port: wanted, host, file, at: 'admin.' })
  closing.push(() => atPort.close())
  const scheme = credentials === undefined ? 'http' : 'https'
  return { adminSocket, adminUrl: urlAt(scheme, host, port) }
}
