/**
 * How a broker is reached, and who this service is there.
 *
 * @module
 */
import {
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
  type Authenticator,
  type NodeConnectionOptions,
} from '@nats-io/transport-node'
import { ConfigurationInvalid } from '../../protocol/wire/errors.ts'
import type { OnError } from '../../runtime/containment.ts'
import { systemClocks, type Clocks } from '../../runtime/clocks.ts'
import { isLocalHost } from '../directory/published-url.ts'
import { INBOX_PREFIX } from './subjects.ts'

/** Who this service is to the broker; secret. */
export type NatsCredentials =
  | { readonly user: string; readonly password: string }
  | { readonly token: string }
  /** An NKey's seed (`SU…`). */
  | { readonly seed: string }
  /** The text of a `.creds` file. */
  | { readonly creds: string }

/** Certificates of the connection to the broker, PEM. */
export interface NatsTls {
  /** Roots that the broker's certificate may stem from. Default: those of Node. */
  readonly ca?: string | undefined
  /** This service's own certificate and key, where the broker asks for one. Default: none. */
  readonly cert?: string | undefined
  /** The key of `cert`. */
  readonly key?: string | undefined
}

/** Options of {@link openNatsConnection}. */
export interface NatsConnectionOptions {
  /** `host:port` or `nats://host:port`, of each server of the cluster. No user in it. */
  readonly servers: string | readonly string[]
  /** TLS. Default: Node's roots; none where every server is on a loopback address. */
  readonly tls?: NatsTls | undefined
  /** Asked at each connection, so that they may change. Default: nobody in particular. */
  readonly credentials?: (() => NatsCredentials) | undefined
  /** What the broker's own pages call this connection. Default `app-proxy`. */
  readonly name?: string | undefined
  /** How often the broker is asked whether it is there. Milliseconds: 1 000, at most 2 000. */
  readonly pingEveryMs?: number | undefined
  /** What was not confirmed for so long is stale. Milliseconds, default 10 000. */
  readonly staleAfterMs?: number | undefined
  /** A call that is not answered by then failed. Milliseconds, default 2 000. */
  readonly answerMs?: number | undefined
  /** Default: the runtime's. `now` times everything here. */
  readonly clocks?: Clocks | undefined
  /** Told of what failed here, and in whoever listens. Default: nobody is. */
  readonly onError?: OnError | undefined
}

/** The options, whole. @internal */
export interface CheckedOptions {
  readonly pingEveryMs: number
  readonly staleAfterMs: number
  readonly answerMs: number
  readonly clocks: Clocks
  readonly onError: OnError | undefined
  readonly client: NodeConnectionOptions
}

/** How long nobody is dialled after a failure. Milliseconds. */
const REDIAL = { reconnectTimeWait: 250, reconnectJitter: 250, reconnectJitterTLS: 250 }

/** @throws ConfigurationInvalid that names the option. @internal */
export function checkOptions(options: NatsConnectionOptions): CheckedOptions {
  const { pingEveryMs = 1_000, staleAfterMs = 10_000, answerMs = 2_000, credentials } = options
  const servers = [options.servers].flat()
  if (servers.length === 0) throw new ConfigurationInvalid('servers', 'names no server')
  if (!(pingEveryMs > 0 && pingEveryMs <= 2_000))
    throw new ConfigurationInvalid('pingEveryMs', 'is not above 0 and at most 2 000')
  const isLocal = servers.every((server) => isLocalHost(hostOf(server)))
  return {
    ...{ pingEveryMs, staleAfterMs, answerMs },
    clocks: options.clocks ?? systemClocks,
    onError: options.onError,
    client: {
      ...{ servers, name: options.name ?? 'app-proxy', inboxPrefix: INBOX_PREFIX },
      ...{ pingInterval: pingEveryMs, maxPingOut: 2, timeout: answerMs },
      ...{ reconnect: true, maxReconnectAttempts: -1, ...REDIAL },
      // What a server says of others is not followed: it could lead out of TLS.
      ignoreClusterUpdates: true,
      tls: isLocal && options.tls === undefined ? null : tlsOf(options.tls),
      ...(credentials && { authenticator: (nonce) => authenticatorOf(credentials())(nonce) }),
    },
  }
}

function hostOf(server: string): string {
  let url: URL
  try {
    url = new URL(server.includes('://') ? server : `nats://${server}`)
  } catch {
    throw new ConfigurationInvalid('servers', 'holds what is no "host:port"')
  }
  if (url.username !== '' || url.password !== '')
    throw new ConfigurationInvalid('servers', 'holds a user: name it in "credentials"')
  return url.hostname
}

function tlsOf({ ca, cert, key }: NatsTls = {}): NonNullable<NodeConnectionOptions['tls']> {
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  }
}

function authenticatorOf(credentials: NatsCredentials): Authenticator {
  const octets = (text: string) => new TextEncoder().encode(text)
  if ('user' in credentials)
    return usernamePasswordAuthenticator(credentials.user, credentials.password)
  if ('token' in credentials) return tokenAuthenticator(credentials.token)
  if ('seed' in credentials) return nkeyAuthenticator(octets(credentials.seed))
  return credsAuthenticator(octets(credentials.creds))
}
