/**
 * A cloud instance, assembled: everything but its listeners.
 *
 * @module
 */
import type { TimeLimits } from '../protocol/index.ts'
import { TIME_LIMITS } from '../protocol/index.ts'
import type { CertificateAuthority } from './authority/certificate-authority.ts'
import { ConfigurationService } from './connectors/configuration-service.ts'
import { ConnectorCertificates } from './connectors/connector-certificate.ts'
import type { ConnectorRegistry } from './connectors/connector-registry.ts'
import { Edge } from './edge/edge.ts'
import type { KeyRing } from './session/key-ring.ts'
import { Origin } from './offers/origin.ts'
import type { PageRenderer } from './pages/pages.ts'
import { AccessControl } from './policy/access-control.ts'
import type { TrustedProxies } from './policy/client-address.ts'
import type { Locate, RiskAssessor } from './policy/risk.ts'
import type { AuditSink, Clocks, CryptoProvider, Directory } from './ports.ts'
import { createRegistrar, type Registrar } from './connectors/registrar.ts'
import { MemoryRequestQueue, type RequestQueue } from './offers/request-queue.ts'
import { Sessions } from './session/session.ts'
import type { SessionRevocations } from './session/session-revocations.ts'
import { PreAuthentication } from './sign-in/sign-in.ts'

/** Options of {@link createCloud}. */
export interface CloudOptions {
  readonly directory: Directory
  readonly registry: ConnectorRegistry
  readonly authority: CertificateAuthority
  readonly keyRing: KeyRing
  readonly audit: AuditSink
  /** Whether each request of a user is an audit event (`access.request`), when it is over. Default false: there is one for each. */
  readonly auditRequests?: boolean
  /** This instance's id. Default `cloud-1`. */
  readonly instance?: string
  /** The instances connectors may dial: id → base URL of its connector listener. Asked at each pull. */
  readonly instances: () => Readonly<Record<string, string>>
  /** Roots of the cloud's own servers, DER: what connectors pin at registration. Default: none, they keep what they were given. */
  readonly cloudAuthorities?: readonly Uint8Array[]
  /** Default {@link TIME_LIMITS}. */
  readonly limits?: Partial<TimeLimits>
  /** A connector's certificate older than this is rolled. Milliseconds, default 30 days. */
  readonly renewAfterMs?: number
  /** The `typ` that a registrar's token must have: `at+jwt` (RFC 9068), or `any` for issuers that set none. Default: what the tenant's issuer is configured with. */
  readonly tokenType?: 'at+jwt' | 'any'
  /** Validity of a connector's certificate. Milliseconds, default 60 days. */
  readonly validityMs?: number
  /** Default: in memory. */
  readonly queue?: RequestQueue
  /** Sessions ended before their time. Default: in memory, so for this process only. */
  readonly revocations?: SessionRevocations
  /** A session ends after this even if the issuer's token lasts longer. Milliseconds, default 24 hours. */
  readonly longestSessionMs?: number
  /** Other words or another template for what the service itself says. Default: plain pages in English. */
  readonly pages?: PageRenderer
  /** Reverse proxies before the user listener. Default: none, and the peer of a connection is the user. */
  readonly trustedProxies?: TrustedProxies
  /** Where addresses are, for policies that ask for a country. Default: nobody knows. */
  readonly locate?: Locate
  /** How risky sign-ins are, for policies that ask. Default: nobody knows. */
  readonly risk?: RiskAssessor
  /** Default: the runtime's. */
  readonly clocks?: Clocks
  /** Default: the runtime's Web Crypto. */
  readonly crypto?: CryptoProvider
}

/** What the listeners stand on. */
export interface Cloud {
  readonly edge: Edge
  /** Whoever may end users' sessions does so with its `revoke`. */
  readonly sessions: Sessions
  readonly origin: Origin
  readonly registrar: Registrar
  readonly configuration: ConfigurationService
  readonly certificates: ConnectorCertificates
  readonly registry: ConnectorRegistry
  readonly authority: CertificateAuthority
  readonly audit: AuditSink
  readonly clocks: Clocks
  readonly crypto: CryptoProvider
}

/** Assembles a cloud instance. It does nothing until a listener brings it users and connectors. */
export function createCloud(options: CloudOptions): Cloud {
  const { directory, registry, authority, keyRing, audit } = options
  const crypto = options.crypto ?? globalThis.crypto
  const clocks = options.clocks ?? {
    now: () => performance.now(),
    wallClock: () => Date.now(),
  }
  const limits = { ...TIME_LIMITS, ...options.limits }
  const validity = options.validityMs === undefined ? {} : { validityMs: options.validityMs }
  const origin = new Origin({
    instance: options.instance ?? 'cloud-1',
    queue: options.queue ?? new MemoryRequestQueue(),
    clocks,
    crypto,
    limits,
  })
  const sessions = new Sessions({
    keyRing,
    crypto,
    audit,
    wallClock: () => clocks.wallClock(),
    ...(options.revocations && { revocations: options.revocations }),
    ...(options.longestSessionMs !== undefined && { longestMs: options.longestSessionMs }),
  })
  const access = new AccessControl({
    ...{ clocks, audit },
    ...{ locate: options.locate, risk: options.risk },
  })
  const preAuthentication = new PreAuthentication({
    access,
    directory,
    keyRing,
    sessions,
    clocks,
    audit,
    crypto,
  })
  return {
    clocks,
    crypto,
    registry,
    authority,
    audit,
    origin,
    sessions,
    edge: new Edge({
      ...{ directory, origin, sessions, preAuthentication, clocks, crypto, audit },
      ...(options.pages && { pages: options.pages }),
      auditRequests: options.auditRequests ?? false,
      decideAccess: access.onRequest,
      ...(options.trustedProxies && { trustedProxies: options.trustedProxies }),
    }),
    certificates: new ConnectorCertificates({
      crypto,
      authority: authority.certificate,
      registry,
    }),
    registrar: createRegistrar({
      crypto,
      clocks,
      directory,
      registry,
      authority,
      audit,
      ...(options.tokenType !== undefined && { tokenType: options.tokenType }),
      ...(options.cloudAuthorities !== undefined && { cloudAuthorities: options.cloudAuthorities }),
      ...validity,
    }),
    configuration: new ConfigurationService({
      crypto,
      clocks,
      directory,
      registry,
      authority,
      audit,
      instances: options.instances,
      pullEveryMs: limits.configurationPullMs,
      ...(options.renewAfterMs !== undefined && { renewAfterMs: options.renewAfterMs }),
      ...validity,
    }),
  }
}
