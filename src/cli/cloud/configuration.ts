/**
 * What `app-proxy cloud` reads from its file. `docs/cloud-configuration.schema.json` is generated
 * from this: its shape from the schema, its descriptions from the comments of the interfaces.
 *
 * @module
 */
import * as v from 'valibot'
import {
  checkConfiguration,
  DirectoryConfiguration,
  isNetwork,
  readDirectory,
  type DirectoryInput,
} from 'app-proxy/cloud'
import { ConfigurationInvalid, SHARES, TIME_LIMITS, type TimeLimits } from 'app-proxy/protocol'
import { AdminConfiguration, refuseAdmin, type AdminInput } from './admin-configuration.ts'
import { CertificateFilesConfiguration, type CertificateFilesInput } from './certificate-files.ts'
import { readSecretJson } from '../program/files.ts'
import { LogFormatSetting, LogLevelSetting } from '../program/log.ts'
import { allOf } from '../program/mistakes.ts'
import { NatsConfiguration, type NatsInput } from './nats-configuration.ts'

/** The configuration file of `app-proxy cloud`. */
export interface CloudServerInput {
  /** Where an editor finds the schema of this file. */
  readonly $schema?: string | undefined
  /** Where keys, certificates and the connector registry are kept: a directory of its own. */
  readonly stateDir: string
  /** The listener that users reach. */
  readonly users: UsersInput
  /** The listener that connectors reach: always TLS, with client certificates. */
  readonly connectors: ConnectorsInput
  /**
   * This instance's id, another for each that shares a broker. Default: `cloud-1`; it must be
   * given with `nats`.
   */
  readonly instance?: string | undefined
  /** The broker that instances share. Default: everything is kept in `stateDir`, by LMDB. */
  readonly nats?: NatsInput | undefined
  /**
   * The admin API. `app-proxy admin` on this machine calls it by a socket, `admin.sock` in
   * `stateDir`; the token for it is `admin-token` there, made at first start. Default: there is
   * none.
   */
  readonly admin?: AdminInput | undefined
  /** Whether it lives, whether it is ready, and its figures. Default: nobody is told. */
  readonly health?: HealthInput | undefined
  /** Tenants, connector groups and applications. Read again at SIGHUP. */
  readonly directory: DirectoryInput
  /** Time limits in milliseconds; those left out keep their defaults. */
  readonly limits?: LimitsInput | undefined
  /** How much one application, and one user, may hold at once. See docs/shares.md. */
  readonly shares?: SharesInput | undefined
  /** Audit events: where they go, one line of JSON each, and in whose names. */
  readonly audit?: AuditInput | undefined
  /** When somebody should look at a connector: audit events. See docs/operate.md, "Alarms". */
  readonly alarms?: AlarmsInput | undefined
  /** What it writes on standard error besides, and how. See docs/operate.md. */
  readonly log?: LogInput | undefined
  /**
   * The URL of the service itself, https: the `iss` of assertions, and a host that publishes their
   * keys. Default: each application's own.
   */
  readonly serviceUrl?: string | undefined
  /** The keys that sign assertions. See docs/single-sign-on/assertion.md. */
  readonly assertions?: AssertionsInput | undefined
}

/** The keys that sign assertions. */
export interface AssertionsInput {
  /**
   * Where they are kept, mode 0600; made if it is missing. Instances that serve the same users
   * share it. Default: `assertion-keys.json` in `stateDir`.
   */
  readonly keysFile?: string | undefined
  /**
   * Where the public keys are written, for applications and connectors that cannot fetch them.
   * Default: `assertion-keys.public.json` in `stateDir`.
   */
  readonly publicKeysFile?: string | undefined
}

/** The listener that users reach. */
export interface UsersInput {
  /** TCP port; 0 takes a free one. */
  readonly port: number
  /** The address it listens on. Default: `127.0.0.1`. */
  readonly host?: string | undefined
  /**
   * Key and certificate. Default: plain HTTP. `generated` makes a certificate authority of its own.
   */
  readonly tls?: 'generated' | CertificateFilesInput | undefined
  /**
   * A directory with a certificate for each published host: pairs of `NAME.crt` and `NAME.key`
   * (mode 0600), chosen by the name that a browser asks for and read again when they change; `tls`
   * is for all other names. Default: there is only `tls`.
   */
  readonly certificatesDir?: string | undefined
  /**
   * Reverse proxies before this listener, which are believed where users come from. Default: none.
   */
  readonly trustedProxies?: TrustedProxiesInput | undefined
  /**
   * Load balancers before this listener that say by the PROXY protocol, version 1 or 2, whose a
   * connection is. Default: none.
   */
  readonly proxyProtocol?: ProxyProtocolInput | undefined
}

/** Load balancers that speak the PROXY protocol. */
export interface ProxyProtocolInput {
  /**
   * `address/prefix-length` of the load balancers. No connection of theirs is served without the
   * header; of others none is read.
   */
  readonly from: readonly string[]
}

/** Reverse proxies that are believed. */
export interface TrustedProxiesInput {
  /** `address/prefix-length` of the proxies. */
  readonly networks: readonly string[]
  /**
   * The header in which each adds its peer; the other is not read. Default: `x-forwarded-for`.
   */
  readonly header?: 'x-forwarded-for' | 'forwarded' | undefined
}

/** The listener that connectors reach. */
export interface ConnectorsInput {
  /** TCP port; 0 takes a free one. */
  readonly port: number
  /** The address it listens on. Default: `127.0.0.1`. */
  readonly host?: string | undefined
  /** How connectors reach it, https. Default: its own address. */
  readonly publicUrl?: string | undefined
}

/** The port of `/livez`, `/readyz` and `/metrics`. Nobody is asked who they are there. */
export interface HealthInput {
  /** TCP port; 0 takes a free one. */
  readonly port: number
  /** The address it listens on; none that users reach. Default: `127.0.0.1`. */
  readonly host?: string | undefined
  /**
   * Which connector groups must be served for it to be ready: `any`, one at least; `all`; or those
   * with these ids. The others are told only. Default: `any`.
   */
  readonly requireGroups?: 'any' | 'all' | readonly string[] | undefined
  /**
   * How long it goes on taking connections after it said that it is not ready any more, when it is
   * to end: as long as whoever asks `/readyz` takes to notice. Milliseconds. Default: 0.
   */
  readonly drainDelayMs?: number | undefined
}

/** Where audit events go. */
export interface AuditInput {
  /** A stream, or a file that lines are added to. Default: `stderr`. */
  readonly to?: 'stdout' | 'stderr' | AuditFileInput | undefined
  /** `ocsf`: under the names of the Open Cybersecurity Schema Framework. Default: `native`. */
  readonly format?: 'native' | 'ocsf' | undefined
  /** Whether each request of a user is an event, when it is over. Default: false. */
  readonly requests?: boolean | undefined
}

/** A file for audit events. */
export interface AuditFileInput {
  /** Its path; made if it is missing. */
  readonly file: string
}

/** When alarms are raised. */
export interface AlarmsInput {
  /** Registrations of a tenant in `windowMs`. Default: 10. */
  readonly registrations?: number | undefined
  /** Faults in a row of a connector at an application that others answer for. Default: 3. */
  readonly faults?: number | undefined
  /**
   * In which registrations are counted, and in which no alarm is raised twice for the same.
   * Milliseconds. Default: 600000.
   */
  readonly windowMs?: number | undefined
}

/** What is written on standard error; read at the start. */
export interface LogInput {
  /** The least that is written; `error` is the fewest lines. Default: `info`. */
  readonly level?: 'error' | 'warning' | 'info' | 'debug' | undefined
  /** `text`: lines for people; `json`: an object a line. Default: `text`. */
  readonly format?: 'text' | 'json' | undefined
}

/** How connectors' capacity is shared. */
export interface SharesInput {
  /**
   * Of its connectors' capacity, one application; all where there is no other. Above 0 to 1.
   * Default: 0.5.
   */
  readonly application?: number | undefined
  /** Of its application's share, one user. Above 0 to 1. Default: 0.5. */
  readonly user?: number | undefined
  /** Requests of a connector group that wait at once. Default: 1000. */
  readonly waiting?: number | undefined
}

/** Every time limit may be set. Milliseconds. */
export type LimitsInput = { readonly [K in keyof TimeLimits]?: number | undefined }

const SERVICE_URL = /^(?:https:|http:\/\/(?:[\w-]+\.)*localhost(?::\d+)?\/?$)/
const INSTANCE = /^[A-Za-z0-9._-]{1,64}$/
const INSTANCE_FAULT = 'must be 1 to 64 characters of a-z, A-Z, 0-9, ".", "_" and "-"'
const NETWORK =
  'must be a network, such as "192.0.2.0/24" or "2001:db8::/32", without bits beyond its prefix'

const port = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535))
const path = v.pipe(v.string(), v.minLength(1))
const limit = v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)))
const limits = v.strictObject(
  Object.fromEntries(Object.keys(TIME_LIMITS).map((name) => [name, limit])) as Record<
    keyof TimeLimits,
    typeof limit
  >,
)

/** Above 0 to 1. */
const part = (usual: number) => v.optional(v.pipe(v.number(), v.gtValue(0), v.maxValue(1)), usual)
const shares = v.strictObject({
  application: part(SHARES.application),
  user: part(SHARES.user),
  waiting: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), SHARES.waiting),
})

const server = {
  $schema: v.optional(v.string()),
  stateDir: path,
  users: v.strictObject({
    port,
    host: v.optional(path, '127.0.0.1'),
    tls: v.optional(v.union([v.literal('generated'), CertificateFilesConfiguration])),
    certificatesDir: v.optional(path),
    trustedProxies: v.optional(
      v.strictObject({
        networks: v.array(v.pipe(v.string(), v.check(isNetwork, NETWORK))),
        header: v.optional(v.picklist(['x-forwarded-for', 'forwarded']), 'x-forwarded-for'),
      }),
    ),
    proxyProtocol: v.optional(
      v.strictObject({
        from: v.pipe(v.array(v.pipe(v.string(), v.check(isNetwork, NETWORK))), v.minLength(1)),
      }),
    ),
  }),
  connectors: v.strictObject({
    port,
    host: v.optional(path, '127.0.0.1'),
    publicUrl: v.optional(
      v.pipe(v.string(), v.url(), v.startsWith('https:', 'must be an https URL')),
    ),
  }),
  admin: v.optional(AdminConfiguration),
  instance: v.optional(v.pipe(v.string(), v.regex(INSTANCE, INSTANCE_FAULT))),
  nats: v.optional(NatsConfiguration),
  health: v.optional(
    v.strictObject({
      port,
      host: v.optional(path, '127.0.0.1'),
      requireGroups: v.optional(v.union([v.picklist(['any', 'all']), v.array(path)]), 'any'),
      drainDelayMs: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 0),
    }),
  ),
  limits: v.optional(limits, {}),
  shares: v.optional(shares, {}),
  audit: v.optional(
    v.strictObject({
      to: v.optional(
        v.union([v.picklist(['stdout', 'stderr']), v.strictObject({ file: path })]),
        'stderr',
      ),
      format: v.optional(v.picklist(['native', 'ocsf']), 'native'),
      requests: v.optional(v.boolean(), false),
    }),
    {},
  ),
  alarms: v.optional(v.strictObject({ registrations: limit, faults: limit, windowMs: limit }), {}),
  log: v.optional(
    v.strictObject({
      level: v.optional(LogLevelSetting, 'info'),
      format: v.optional(LogFormatSetting, 'text'),
    }),
    {},
  ),
  serviceUrl: v.optional(
    v.pipe(v.string(), v.url(), v.regex(SERVICE_URL, 'must be an https URL, except on localhost')),
  ),
  assertions: v.optional(
    v.strictObject({ keysFile: v.optional(path), publicKeysFile: v.optional(path) }),
    {},
  ),
}

/** The shape of the whole file. */
export const CloudServerConfiguration = v.strictObject({
  ...server,
  directory: DirectoryConfiguration,
})
const Server = v.strictObject({ ...server, directory: v.unknown() })

/** The file with defaults filled in; the directory as it is written. */
export type CloudServerSettings = Omit<v.InferOutput<typeof Server>, 'directory'> & {
  readonly directory: DirectoryInput
}

/**
 * Reads the file. It may hold secrets of clients: only its owner may read it.
 *
 * @throws ConfigurationInvalid with all mistakes
 */
export async function readCloudServerConfiguration(file: string): Promise<CloudServerSettings> {
  const json = await readSecretJson(file, { path: '--config' })
  const [settings, directory] = await allOf(
    () => {
      const settings = checkConfiguration(Server, json, { file })
      if (settings.nats !== undefined && settings.instance === undefined) {
        const detail = 'is missing: with "nats" each instance has an id of its own'
        throw new ConfigurationInvalid([{ file, path: 'instance', detail }])
      }
      return settings
    },
    () => {
      const { directory } = (json ?? {}) as { readonly directory?: unknown }
      // That it is missing is told once.
      return directory === undefined
        ? undefined
        : readDirectory(directory, { file, at: 'directory' })
    },
  )
  await allOf(
    () => refuseUnknownGroups(settings.health?.requireGroups, directory!, file),
    () => refuseAdmin(settings, directory!, file),
  )
  return { ...settings, directory: directory! }
}

function refuseUnknownGroups(
  required: 'any' | 'all' | readonly string[] = 'any',
  { groups }: DirectoryInput,
  file: string,
): void {
  if (typeof required === 'string') return
  const known = new Set(groups.map(({ id }) => id))
  const mistakes = required.flatMap((id, i) =>
    known.has(id)
      ? []
      : [
          {
            file,
            path: `health.requireGroups[${i}]`,
            detail: 'names no group',
            value: JSON.stringify(id),
          },
        ],
  )
  if (mistakes.length > 0) throw new ConfigurationInvalid(mistakes)
}
