/**
 * A cloud instance, assembled: everything but its listeners.
 *
 * @module
 */
import { type Shares, type TimeLimits, TIME_LIMITS } from '../protocol/internal.ts'
import { expiryOf, readCertificates, type CertificateInput } from '../runtime/certificates.ts'
import { Containment, type OnError } from '../runtime/containment.ts'
import type { CertificateAuthority } from './authority/certificate-authority.ts'
import type { ServerAuthority } from './authority/server-certificate.ts'
import { ConfigurationService } from './connectors/configuration-service.ts'
import { ConnectorCertificates } from './connectors/connector-certificate.ts'
import type { ConnectorRegistry } from './connectors/connector-registry.ts'
import { containPorts, type CloudPorts } from './contained-ports.ts'
import { Edge } from './edge/edge.ts'
import type { KeyRing } from './session/key-ring.ts'
import { Origin } from './offers/origin.ts'
import { AccessControl } from './policy/access-control.ts'
import type { TrustedProxies } from './policy/client-address.ts'
import type { AuditSink } from './audit/audit-sink.ts'
import { strictAudit } from './audit/contained-audit.ts'
import { systemClocks, type Clocks } from '../runtime/clocks.ts'
import { timerOf, type Scheduler, type Timer } from '../runtime/scheduler.ts'
import type { CryptoProvider } from '../runtime/crypto-provider.ts'
import type { Directory } from './directory/directory-port.ts'
import type { TicketChoice } from './connectors/enrolment-ticket-rows.ts'
import type {
  EnrolmentTicket,
  EnrolmentTicketOptions,
  OpenTicket,
} from './connectors/enrolment-tickets.ts'
import { ConnectorAlarms, type AlarmThresholds } from './connectors/connector-alarms.ts'
import { ConnectorSightings } from './connectors/connector-sightings.ts'
import { ConnectorTerms } from './connectors/connector-terms.ts'
import { createRegistration, type Registration } from './connectors/registration-service.ts'
import type { AssertionKeySet } from '../assertion/assertion-claims.ts'
import { Assertions } from './sign-on/assertions.ts'
import { Sessions } from './session/session.ts'
import { cloudStats, type CloudStats, type ShownCertificate } from './stats.ts'
import { PreAuthentication } from './sign-in/sign-in.ts'

/**
 * Options of {@link createCloud}. Its ports are contained: what they throw or reject with ends at
 * the call.
 *
 * @see {@link CloudPorts}
 */
export interface CloudOptions extends CloudPorts {
  /** The keys that seal cookies: `await KeyRing.open({ store })`. */
  readonly keyRing: KeyRing
  /**
   * Told what a port, or a part of this service, did wrong: which one, the error as it was, and
   * whether the flow went on without it. Called where it happens, so it must be quick; what it
   * throws is ignored. Default: nobody is told.
   */
  readonly onError?: OnError
  /**
   * Whether each request of a user is an audit event (`access.request`), when it is over. Default
   * false: there is one for each.
   */
  readonly auditRequests?: boolean
  /**
   * Timers, by the monotonic clock of `clocks`. Default: the runtime's, which keep no process
   * alive.
   */
  readonly scheduler?: Scheduler | undefined
  /** This instance's id. Default `cloud-1`. */
  readonly instance?: string
  /**
   * Roots of the cloud's own servers, PEM or DER, or the authority that signs for them: what
   * connectors pin at registration, and who pins is told with each next certificate. Default: none,
   * they keep what they were given.
   */
  readonly cloudAuthorities?: CertificateInput | readonly CertificateInput[] | ServerAuthority
  /**
   * Default {@link TIME_LIMITS}. How long applications may take to a response head is told to their
   * directory.
   *
   * @see {@link createDirectory}
   */
  readonly limits?: Partial<TimeLimits>
  /**
   * How much of its connectors' capacity one application may hold, and one user of it; what is more
   * waits, and is then told 503 or 429. Default {@link SHARES}.
   */
  readonly shares?: Partial<Shares>
  /** When alarms are raised, as audit events. Default: as {@link AlarmThresholds} says. */
  readonly alarms?: Partial<AlarmThresholds>
  /** A connector's certificate older than this is rolled. Milliseconds, default 30 days. */
  readonly renewAfterMs?: number
  /**
   * The `typ` that a registrar's token must have: `at+jwt` (RFC 9068), or `any` for issuers that
   * set none. Default: what the tenant's issuer is configured with.
   */
  readonly tokenType?: 'at+jwt' | 'any'
  /** Validity of a connector's certificate. Milliseconds, default 60 days. */
  readonly validityMs?: number
  /**
   * A session ends after this even if the issuer's token lasts longer. Milliseconds, default 24
   * hours.
   */
  readonly longestSessionMs?: number
  /**
   * How long a session that a refresh token is kept for goes on while its issuer cannot be asked.
   * Milliseconds, default 600 000.
   */
  readonly issuerGraceMs?: number
  /**
   * The URL of the service itself, https: what assertions name as their issuer, and a host on which
   * their keys are published as well; the issuer sends users of wildcards back there, so no
   * application may have its host. Default: scheme, host and port of each application's external
   * URL, and nobody signs in to wildcards.
   */
  readonly serviceUrl?: string | undefined
  /**
   * Reverse proxies before the user listener. Default: none, and the peer of a connection is the
   * user.
   */
  readonly trustedProxies?: TrustedProxies
}

/** What the listeners stand on. */
export interface Cloud {
  readonly directory: Directory
  readonly edge: Edge
  /** Whoever may end users' sessions does so with its `revoke`. */
  readonly sessions: Sessions
  readonly origin: Origin
  readonly registration: Registration
  readonly configuration: ConfigurationService
  readonly certificates: ConnectorCertificates
  readonly registry: ConnectorRegistry
  readonly authority: CertificateAuthority
  /** Of its own servers, if that is what connectors pin. */
  readonly servers?: ServerAuthority | undefined
  readonly audit: AuditSink
  /** The same; throws PortFailed where the sink fails, so that nothing is done unrecorded. */
  readonly strictAudit: AuditSink
  readonly clocks: Clocks
  /** Ends what time ends in the registry: a listener for connectors asks it. */
  readonly terms: { expire(): Promise<void> }
  /** Raised as audit events: a listener for connectors tells it who calls. @internal */
  readonly alarms: ConnectorAlarms
  /** Where connectors were last seen: a listener for connectors says so. @internal */
  readonly sightings: ConnectorSightings
  /** What its listeners are timed by. */
  readonly timer: Timer
  readonly crypto: CryptoProvider
  /** Where its parts and listeners tell what went wrong: to `onError`. */
  readonly containment: Containment
  /** What its listeners show to connectors: each says so as long as it is there. */
  readonly shownCertificates: Set<ShownCertificate>
  /**
   * What this instance holds now: links, grants, queue, open exchanges, certificates, the age of
   * the configuration. Counted when asked: once a second costs nothing, once a request does.
   *
   * @throws PortFailed when the directory fails
   */
  stats(): CloudStats
  /**
   * The keys that applications verify assertions with, as they are published: for a file, where an
   * application cannot fetch them. Write it anew after each rotation, which is a day before it
   * matters.
   */
  assertionKeys(): Promise<AssertionKeySet>
  /**
   * Makes a one-time ticket by which one connector can be registered without an issuer; the tenant
   * must allow them (`enrolmentTickets`). At most 20 are open in a tenant.
   *
   * @throws ConfigurationInvalid when the tenant takes none or has too many open, or an option is
   *   wrong; Refused `token-…` when the registrar's token is not good
   * @see spec/PROTOCOL.md, "Tickets"
   */
  createEnrolmentTicket(options: EnrolmentTicketOptions): Promise<EnrolmentTicket>
  /** The tenant's tickets that can still be used, the oldest first. */
  listEnrolmentTickets(tenantId: string): Promise<readonly OpenTicket[]>
  /**
   * Ends one ticket, or all that somebody made who may no longer: whoever takes a registrar's role
   * away calls it. Resolves to how many could still have been used.
   */
  revokeEnrolmentTickets(choice: TicketChoice): Promise<number>
}

/**
 * Assembles a cloud instance. It does nothing until a listener brings it users and connectors.
 *
 *     const cloud = createCloud({
 *       directory: createDirectory({ tenants, groups, applications }),
 *       registry: createMemoryRegistry(),
 *       authority: await createCertificateAuthority({ store: authorityFile('connectors.pem') }),
 *       keyRing: await KeyRing.open(),
 *       audit: jsonLinesAudit(console.error),
 *       instances: () => ({ 'cloud-1': 'https://connectors.example' }),
 *     })
 *     createUserListener(cloud.edge).listen(8080)
 */
export function createCloud(options: CloudOptions): Cloud {
  const limits = { ...TIME_LIMITS, ...options.limits }
  const { scheduler } = options
  // The clocks are contained by what is timed with them.
  let timer = timerOf()
  const containment = new Containment(options.onError, limits.controlCallMs, {
    after: (ms, run) => timer.after(ms, run),
    every: (ms, run) => timer.every(ms, run),
  })
  const ports = containPorts(options, containment)
  const { directory, registry, authority, audit } = ports
  const { keyRing } = options
  const crypto = ports.crypto ?? globalThis.crypto
  const clocks = ports.clocks ?? systemClocks
  if (scheduler !== undefined) timer = timerOf({ clocks, scheduler })
  const validity = options.validityMs === undefined ? {} : { validityMs: options.validityMs }
  const alarms = new ConnectorAlarms({ ...options.alarms, audit, clocks })
  const origin = new Origin({
    strange: (connector, id, isOfGroup) => alarms.strange(connector, id, isOfGroup),
    instance: options.instance ?? 'cloud-1',
    queue: ports.queue,
    clocks,
    crypto,
    scheduler,
    limits,
    observer: ports.observer,
    shares: options.shares,
    isPublished: (tenantId, groupId, applicationId) => {
      const known = directory.application(applicationId)
      return known?.tenantId === tenantId && known.groupId === groupId
    },
  })
  const sessions = new Sessions({
    keyRing,
    crypto,
    audit,
    wallClock: () => clocks.wallClock(),
    ...(ports.revocations && { revocations: ports.revocations }),
    ...(ports.grants && { grants: ports.grants }),
    ...(options.longestSessionMs !== undefined && { longestMs: options.longestSessionMs }),
  })
  const access = new AccessControl({
    ...{ clocks, audit },
    ...{ locate: ports.locate, risk: ports.risk },
  })
  const preAuthentication = new PreAuthentication({
    access,
    directory,
    keyRing,
    sessions,
    clocks,
    scheduler,
    audit,
    crypto,
    ...{ serviceUrl: options.serviceUrl, spentCodes: ports.spentCodes },
    ...(options.issuerGraceMs !== undefined && { issuerGraceMs: options.issuerGraceMs }),
  })
  const { cloudAuthorities = [] } = options
  const servers = isAuthority(cloudAuthorities) ? cloudAuthorities : undefined
  const pinned = isAuthority(cloudAuthorities)
    ? []
    : readCertificates(cloudAuthorities, 'cloudAuthorities')
  const told = () => servers?.roll.trusted ?? pinned
  const registration = createRegistration({
    crypto,
    clocks,
    directory,
    registry,
    authority,
    audit: alarms.counting(audit),
    scheduler,
    containment,
    issuers: preAuthentication.issuers,
    ...(options.tokenType !== undefined && { tokenType: options.tokenType }),
    cloudAuthorities: told,
    ...validity,
  })
  const { tickets } = registration
  const assertions = new Assertions({
    ...{ signer: ports.assertionSigner, serviceUrl: options.serviceUrl, clocks },
  })
  const shownCertificates = new Set<ShownCertificate>([
    {
      name: 'connector-authority',
      get expiresAt() {
        return expiryOf(authority.certificate)
      },
    },
  ])
  return {
    clocks,
    timer,
    crypto,
    directory,
    registry,
    authority,
    servers,
    audit,
    strictAudit: strictAudit(options.audit, containment),
    origin,
    sessions,
    containment,
    edge: new Edge({
      ...{ directory, origin, sessions, preAuthentication, clocks, scheduler, crypto, audit },
      ...(ports.pages && { pages: ports.pages }),
      ...{ containment, assertions, serviceUrl: options.serviceUrl },
      contentCodings: ports.contentCodings,
      auditRequests: options.auditRequests ?? false,
      decideAccess: access.onRequest,
      ...(options.trustedProxies && { trustedProxies: options.trustedProxies }),
    }),
    certificates: new ConnectorCertificates({
      crypto,
      authority,
      registry,
      directory,
    }),
    registration,
    alarms,
    sightings: new ConnectorSightings(),
    terms: new ConnectorTerms({ registry, audit, clocks }),
    shownCertificates,
    stats: () =>
      cloudStats({ origin, directory, certificates: shownCertificates, now: clocks.wallClock() }),
    assertionKeys: () => assertions.publicKeys(),
    createEnrolmentTicket: (order) => tickets.create(order),
    listEnrolmentTickets: (tenantId) => tickets.list(tenantId),
    revokeEnrolmentTickets: (choice) => tickets.revoke(choice),
    configuration: new ConfigurationService({
      crypto,
      clocks,
      directory,
      registry,
      authority,
      audit,
      instances: ports.instances,
      ...{ cloudAuthorities: told, serverRoll: servers?.roll },
      pullEveryMs: limits.configurationPullMs,
      ...(options.renewAfterMs !== undefined && { renewAfterMs: options.renewAfterMs }),
      ...validity,
    }),
  }
}

function isAuthority(
  given: NonNullable<CloudOptions['cloudAuthorities']>,
): given is ServerAuthority {
  return typeof given === 'object' && 'roll' in given
}
