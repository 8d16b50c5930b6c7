/**
 * One instance of a cloud, as a process of its own: it shares state with others in one directory, and its offers over a broker.
 *
 *     instance.child.ts SETTINGS.json
 *
 * One line on stdout says that it is ready. SIGTERM drains it, whole: it takes nothing of others any more, its users' connections end politely, its links are
 * told, then it leaves. Which connector claimed which request is in its journal, written at once.
 */
import { openSync, readFileSync, writeSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import {
  createCertificateAuthority,
  createCloud,
  createDirectory,
  createServerAuthority,
  KeyRing,
  type AuditEvent,
} from '../../src/cloud/index.ts'
import { createAdminApi } from '../../src/cloud/admin/index.ts'
import { openLmdbRegistry } from '../../src/cloud/lmdb/index.ts'
import {
  deploymentKeyFile,
  natsOfferQueue,
  openNatsConnection,
  openNatsRegistry,
} from '../../src/cloud/nats/index.ts'
import {
  authorityFile,
  createAdminListener,
  createConnectorListener,
  createUserListener,
  keyRingFile,
  openLocalToken,
  type UserEdge,
} from '../../src/cloud/node/index.ts'
import type { TimeLimits } from '../../src/protocol/internal.ts'

export type Engine = 'LMDB' | 'NATS'

/** What an instance is told. */
export interface InstanceSettings {
  readonly id: string
  readonly usersPort: number
  readonly connectorsPort: number
  /** All instances: id → base URL of the connector listener. */
  readonly instances: Readonly<Record<string, string>>
  /** Shared by all of them. */
  readonly stateDirectory: string
  readonly nats: string
  /** Where connectors are kept: in a file of that directory, or in the broker. */
  readonly engine: Engine
  readonly directory: Parameters<typeof createDirectory>[0]
  readonly limits: Partial<TimeLimits>
  /** Where its journal goes. */
  readonly journal: string
}

/** What it says when it is ready. */
export interface InstanceReady {
  readonly id: string
  /** PEM. */
  readonly ca: string
  /** Of the admin API, for the token in `admin-token` of the state directory. */
  readonly adminPort: number
}

/** One line of the journal. */
export type JournalLine =
  | { readonly heard: string }
  | { readonly claimed: string; readonly connectorId: string }
  | { readonly ended: string; readonly kind: string; readonly reason?: string }
  | { readonly event: AuditEvent }

const settings = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as InstanceSettings
const { id, stateDirectory, limits } = settings
const inState = (name: string) => join(stateDirectory, name)
const journal = openSync(settings.journal, 'a', 0o600)
const note = (line: JournalLine) => void writeSync(journal, `${JSON.stringify(line)}\n`)

const keyRing = await KeyRing.open({ store: keyRingFile(inState('key-ring.json')) })
const authority = await createCertificateAuthority({
  store: authorityFile(inState('authority.pem')),
})
const servers = await createServerAuthority({ store: authorityFile(inState('servers.pem')) })
const nats = await openNatsConnection({ servers: settings.nats })
const registry =
  settings.engine === 'LMDB'
    ? openLmdbRegistry({ path: inState('registry.lmdb') })
    : await openNatsRegistry({
        connection: nats,
        deploymentKeys: await deploymentKeyFile(inState('deployment.key')),
      })
const directory = createDirectory(settings.directory, undefined, limits)
const cloud = createCloud({
  ...{ directory, registry, authority, keyRing },
  ...{ instance: id, instances: () => settings.instances, limits },
  queue: natsOfferQueue({ nats, keyRing }),
  cloudAuthorities: [servers.certificate],
  auditRequests: false,
  audit: {
    write: (event) => {
      if (event.type === 'access.failure') note({ event })
    },
  },
  observer: {
    claimed: ({ requestNumber, connectorId = '' }) => note({ claimed: requestNumber, connectorId }),
    ended: ({ requestNumber }, { kind, reason }) =>
      note({ ended: requestNumber, kind, ...(reason && { reason }) }),
  },
  onError: ({ port, error }) => console.error(`${port} failed: ${String(error)}`),
})
const issued = await servers.issue({ dnsNames: ['localhost'] })
const connectors = createConnectorListener(cloud, { key: issued.key, cert: issued.certificate })
const { drainMs } = cloud.origin.limits
const { edge } = cloud
const heard: UserEdge = {
  unread: (refused) => edge.unread(refused),
  handle(exchange, limits) {
    note({ heard: exchange.head.target })
    edge.handle(exchange, limits)
  },
}
const users = createUserListener(heard, { drainMs })
connectors.server.listen(settings.connectorsPort, '127.0.0.1')
await once(connectors.server, 'listening')
users.listen(settings.usersPort, '127.0.0.1')
await once(users, 'listening')
const localTokenHash = await openLocalToken(inState('admin-token'))
const admin = createAdminListener(createAdminApi(cloud, { access: { localTokenHash } }))
const adminPort = await admin.listen(0)
console.log(JSON.stringify({ id, ca: issued.ca, adminPort } satisfies InstanceReady))

// Nobody is there who could end it.
process.once('disconnect', () => process.exit(1))
let isStopping = false
process.on('SIGTERM', () => {
  if (isStopping) return
  isStopping = true
  void stop().then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})

async function stop(): Promise<void> {
  cloud.origin.retire()
  await new Promise((closed) => users.close(closed))
  connectors.stopAccepting()
  connectors.drain()
  await connectors.close()
  cloud.origin.end()
  await admin.close()
  keyRing.close()
  await registry.close()
  await nats.close()
}
