/**
 * What a connector on Node is started with, and what it is then.
 *
 * @module
 */
import type { Binding, ConnectorConfiguration, TimeLimits } from '../../protocol/internal.ts'
import type { OnError } from '../../runtime/containment.ts'
import type { ExchangeObserver } from '../../runtime/exchange-observer.ts'
import type { ApplicationTlsOf } from '../application-tls.ts'
import type { Backend } from '../backend.ts'
import type { RegistrationProof } from '../enrolment.ts'
import type { SignOn } from '../sign-on/sign-on.ts'
import type { ConnectorIdentity } from '../ports.ts'
import type { ConnectorStats } from './connector-stats.ts'
import type { ConnectorEvent } from './connector-events.ts'
import type { Dial } from './own-dial.ts'
import type { ProxyOptions } from './proxy-settings.ts'
import type { CloudTrust } from './tls-options.ts'

/** Options of {@link startConnector}. */
export interface ConnectorOptions extends CloudTrust, RegistrationProof {
  /** Base URL of the cloud's connector listener, https: `https://cloud.example:8443`. */
  readonly url: string
  /** Where key and certificate are kept: a directory of its own, mode 0700. */
  readonly stateDirectory: string
  /** What an operator recognises it by. Default: the machine's name. */
  readonly name?: string
  /** Exchanges at once, over all links to all cloud instances. Default 200. */
  readonly offers?: number
  /** Tunnels, event streams and answers that stand still, at once beside them. Default 1 000. */
  readonly streams?: number | undefined
  /**
   * Cloud instances that it keeps a link to, of those that the configuration lists; where there are
   * more it dials the others only to claim what one of these has offered. Default 8.
   */
  readonly instances?: number | undefined
  /**
   * `link`: one framed connection per cloud instance, and plain HTTP calls only where the upgrade
   * to it is refused. `plain`: calls only; slower, and without WebSockets. Default `link`.
   */
  readonly binding?: Binding
  /**
   * Makes the connections to the cloud, below TLS: through a proxy, over another network, in
   * memory. All of them: calls, links, and the look at a server's time. Default: TCP.
   */
  readonly dial?: Dial | undefined
  /**
   * A proxy on the way to the cloud, for calls and links; in the place of `dial`. Applications are
   * not called through it. Default: none; {@link proxyFromEnvironment} reads what the environment
   * names.
   */
  readonly proxy?: ProxyOptions | undefined
  /**
   * Calls private applications. One that throws fails the exchange it was called for, with 502; so
   * does one that tells its events out of turn. Default: a {@link NodeBackend}.
   */
  readonly backend?: Backend
  /**
   * The ways in which it makes users known to applications, each kind once. Applications that are
   * configured for another kind are not offered to it. Default: none.
   *
   * @see docs/single-sign-on.md
   */
  readonly signOn?: readonly SignOn[] | undefined
  /**
   * TLS towards applications that is not as towards all others: certificates that it shows,
   * authorities, names. Asked for each request; one that throws fails that request, with 502. The
   * connector names the feature `backend-tls`. Default: none has any.
   *
   * @see {@link SignOnFile}; docs/single-sign-on/client-certificate.md
   */
  readonly applicationTls?: ApplicationTlsOf | undefined
  /** Time limits, in milliseconds. Default {@link TIME_LIMITS}. */
  readonly limits?: Partial<TimeLimits>
  /**
   * Told what happens. An event of type `mistake` says once what a person has to put right; without
   * `onEvent` a connector that cannot reach the cloud waits in silence. Whatever it throws, or
   * rejects with, is told to `onError` and changes nothing. Default: nobody is told.
   */
  readonly onEvent?: (event: ConnectorEvent) => void
  /**
   * Told what `onEvent`, a `backend` or a part of this connector did wrong: which one, the error as
   * it was, and whether the flow went on without it. Called where it happens, so it must be quick;
   * what it throws is ignored. Default: nobody is told.
   */
  readonly onError?: OnError
  /** Whether links carry, now and then, what no cloud knows and each must ignore. Default true. */
  readonly grease?: boolean
  /** Told of each exchange's moments. Contained as `onEvent` is; costs nothing when left out. */
  readonly observer?: ExchangeObserver | undefined
  /** Gives up while starting. */
  readonly signal?: AbortSignal
}

/** A connector at work. */
export interface RunningConnector {
  readonly identity: ConnectorIdentity
  readonly configuration: ConnectorConfiguration
  /** Whether a link to every instance that it dials is up. */
  readonly isReady: boolean
  /**
   * What it holds now: links, grants, exchanges under way, certificate, the age of the
   * configuration. Counted when asked.
   */
  stats(): ConnectorStats
  /** Pulls the configuration now. */
  refresh(): void
  /** Takes no more offers, finishes what is under way within the drain limit, ends. */
  stop(): Promise<void>
}
