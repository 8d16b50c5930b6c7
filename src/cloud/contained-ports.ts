/**
 * What an embedder gives to a cloud, wrapped so that nothing it throws or rejects with travels
 * further than the call. A port is reached only in this way: `cloud.ts` puts the parts together
 * from what is wrapped here.
 *
 * What a failure of each port does:
 *
 * - `audit`: nothing: the flow goes on, the event is lost there
 * - `directory`: the request gets 500, a registration `unavailable`; what is open there ends
 * - `registry`, `authority`, `instances`: the registration, renewal, pull or call gets
 *   `unavailable`, and the connector retries
 * - `revocations`: the request gets 500; what is open ends, where it cannot be asked; a sign-out
 *   fails
 * - `grants`: sessions are not renewed; a sign-out, or a sign-in that has one to keep, fails
 * - `spentCodes`: a sign-in that comes back to the service's own host fails
 * - `assertionSigner`: the request fails (`sign-on-failed`); the keys get 500
 * - `queue`: offers wait for links of this instance; a `join` that fails ends `createCloud`
 * - `locate`, `risk`: it is not known: policies that ask restrict, and do not permit
 * - `observer`: nothing: the flow goes on
 * - `contentCodings`: the answer breaks off
 * - `pages`: our own words and template are used
 * - `clocks`: `now`: the last good answer; `wallClock`: the runtime's
 * - `crypto`: what it was needed for fails: a request, a registration, a sign-in
 *
 * @module
 */
import { ApiMisuse, ConfigurationInvalid, Refused } from '../protocol/internal.ts'
import { atOnce, type Containment } from '../runtime/containment.ts'
import { containedAudit } from './audit/contained-audit.ts'
import type { AuthorityRoll } from './authority/authority-roll.ts'
import type { CertificateAuthority } from './authority/certificate-authority.ts'
import type {
  ConnectorRegistry,
  RecordChange,
  StandingChange,
} from './connectors/connector-registry.ts'
import type { OfferQueue } from './offers/offer-queue.ts'
import type { Failure } from './pages/answer.ts'
import type { PageRenderer } from './pages/pages.ts'
import type { RenderedPage } from './pages/template.ts'
import { RISK_LEVELS } from './rules/access-policy.ts'
import type { Locate, RiskAssessor } from './policy/risk.ts'
import type { AuditSink } from './audit/audit-sink.ts'
import { systemClocks, type Clocks } from '../runtime/clocks.ts'
import { containedObserver, type ExchangeObserver } from '../runtime/exchange-observer.ts'
import type { CryptoProvider } from '../runtime/crypto-provider.ts'
import type { Directory } from './directory/directory-port.ts'
import type { AssertionSigner } from './sign-on/assertion-signer.ts'
import type { SpentCodes } from './session/spent-codes.ts'
import type { SessionGrants } from './session/session-grants.ts'
import { containedCodings } from './translate/bodies/contained-codings.ts'
import type { ContentCodings } from './translate/bodies/content-codings.ts'
import type { SessionRevocations } from './session/session-revocations.ts'

/** The ports of a cloud. What is left out has an embedded default, which needs no wrapping. */
export interface CloudPorts {
  /** Tenants, groups and applications: `createDirectory(configuration)`, or your own. */
  readonly directory: Directory
  /**
   * Connectors and their certificates: `createMemoryRegistry()`, `openLmdbRegistry` of
   * `app-proxy/cloud/lmdb`, or a `TransactionalRegistry` over an engine of your own.
   */
  readonly registry: ConnectorRegistry
  /** Certifies connectors: `await createCertificateAuthority({ store })`. */
  readonly authority: CertificateAuthority
  /**
   * Signs assertions: `await AssertionKeys.open({ store })`, or your own. Default: keys that live
   * in this process alone, made when the first is needed.
   */
  readonly assertionSigner?: AssertionSigner
  /** Where audit events go: `jsonLinesAudit(write)`, or your own sink. */
  readonly audit: AuditSink
  /**
   * The instances connectors may dial: id → base URL of its connector listener. Asked at each pull.
   */
  readonly instances: () => Readonly<Record<string, string>>
  /** Joins this instance with others, which may have links that it lacks. Default: it is alone. */
  readonly queue?: OfferQueue
  /** Sessions ended before their time. Default: in memory, so for this process only. */
  readonly revocations?: SessionRevocations
  /**
   * Refresh tokens, where sessions may outlive the ID token. Default: in memory, so for this
   * process only.
   */
  readonly grants?: SessionGrants
  /**
   * Which one-time codes were used, where sign-ins come back to `serviceUrl`:
   * `openLmdbSpentCodes` of `app-proxy/cloud/lmdb`, or your own. Default: in memory, so for this
   * process only.
   */
  readonly spentCodes?: SpentCodes
  /**
   * Other words or another template for what the service itself says. Default: plain pages in
   * English.
   */
  readonly pages?: PageRenderer
  /** Where addresses are, for policies that ask for a country. Default: nobody knows. */
  readonly locate?: Locate
  /** How risky sign-ins are, for policies that ask. Default: nobody knows. */
  readonly risk?: RiskAssessor
  /**
   * For applications whose bodies are translated: `nodeContentCodings()` of `app-proxy/cloud/node`.
   * Default: none; such applications are asked for bodies without a coding.
   */
  readonly contentCodings?: ContentCodings
  /** Told of each exchange's moments. Default: nobody is told, and it costs nothing. */
  readonly observer?: ExchangeObserver
  /** Default: the runtime's. */
  readonly clocks?: Clocks
  /** Default: the runtime's Web Crypto. */
  readonly crypto?: CryptoProvider
}

type Wrap<P> = (port: NonNullable<P>, containment: Containment) => P

/** Total: a port that is added to {@link CloudPorts} does not compile before it is wrapped. */
const WRAPPED: { readonly [P in keyof CloudPorts]-?: Wrap<CloudPorts[P]> } = {
  directory: containedDirectory,
  registry: containedRegistry,
  authority: containedAuthority,
  assertionSigner: containedSigner,
  audit: containedAudit,
  instances: (instances, containment) =>
    containment.demand('instances', () => ({ ...atOnce(instances()) })),
  queue: containedQueue,
  revocations: containedRevocations,
  grants: containedGrants,
  spentCodes: containedSpentCodes,
  contentCodings: containedCodings,
  observer: containedObserver,
  pages: containedPages,
  locate: containedLocate,
  risk: containedRisk,
  clocks: containedClocks,
  crypto: containedCrypto,
}

/** The same ports, contained; of other options nothing is taken. */
export function containPorts(ports: CloudPorts, containment: Containment): CloudPorts {
  const given = Object.entries(WRAPPED).flatMap(([name, wrap]) => {
    const port = ports[name as keyof CloudPorts]
    return port === undefined ? [] : [[name, (wrap as Wrap<unknown>)(port, containment)]]
  })
  return Object.fromEntries(given) as CloudPorts
}

function containedDirectory(directory: Directory, containment: Containment): Directory {
  return {
    tenant: containment.demand('directory.tenant', (id) => directory.tenant(id)),
    tenantOfIssuer: containment.demand('directory.tenantOfIssuer', (issuer) =>
      directory.tenantOfIssuer(issuer),
    ),
    group: containment.demand('directory.group', (id) => directory.group(id)),
    application: containment.demand('directory.application', (id) => directory.application(id)),
    applicationsOn: containment.demand('directory.applicationsOn', (host) =>
      directory.applicationsOn(host),
    ),
    tenants: containment.demand('directory.tenants', () => directory.tenants()),
    applications: containment.demand('directory.applications', () => directory.applications()),
    ...(directory.inForceSince && {
      inForceSince: containment.demand('directory.inForceSince', () => directory.inForceSince!()),
    }),
  }
}

/** Considered answers of a registry and of an authority are no failures. */
const isAnswer = (error: unknown) =>
  error instanceof Refused || error instanceof ConfigurationInvalid || error instanceof ApiMisuse

function containedRegistry(registry: ConnectorRegistry, containment: Containment) {
  const passing = { passes: isAnswer }
  const wrap = <A extends unknown[], R>(name: string, call: (...args: A) => Promise<R>) =>
    containment.await(`registry.${name}`, call, passing)
  return {
    register: wrap('register', (order) => registry.register(order)),
    renew: wrap('renew', (order) => registry.renew(order)),
    used: wrap('used', (serial, now) => registry.used(serial, now)),
    setStanding: wrap('setStanding', (id, to, now, change?: StandingChange) =>
      registry.setStanding(id, to, now, change),
    ),
    setGroup: wrap('setGroup', (id, groupId, change?: RecordChange) =>
      registry.setGroup(id, groupId, change),
    ),
    rename: wrap('rename', (id, name, change?: RecordChange) => registry.rename(id, name, change)),
    forget: wrap('forget', (id, now, change?: RecordChange) => registry.forget(id, now, change)),
    expireConnectors: wrap('expireConnectors', (now) => registry.expireConnectors(now)),
    addTicket: wrap('addTicket', (order) => registry.addTicket(order)),
    ticket: wrap('ticket', (hash) => registry.ticket(hash)),
    tickets: wrap('tickets', (tenantId) => registry.tickets(tenantId)),
    removeTickets: wrap('removeTickets', (choice, now) => registry.removeTickets(choice, now)),
    expireTickets: wrap('expireTickets', (now) => registry.expireTickets(now)),
    connector: wrap('connector', (id) => registry.connector(id)),
    certificate: wrap('certificate', (serial) => registry.certificate(serial)),
    certificates: wrap('certificates', (id) => registry.certificates(id)),
    list: wrap('list', (tenantId) => registry.list(tenantId)),
    onChange: containment.demand('registry.onChange', (listener) =>
      registry.onChange(containment.notify('registry.onChange.listener', listener)),
    ),
  } satisfies ConnectorRegistry
}

function containedAuthority(
  authority: CertificateAuthority,
  containment: Containment,
): CertificateAuthority {
  const { roll } = authority
  return {
    get certificate() {
      return authority.certificate
    },
    ...(roll && { roll: containedRoll(roll, containment) }),
    issue: containment.await('authority.issue', (options) => authority.issue(options), {
      passes: isAnswer,
    }),
  }
}

function containedRoll(roll: AuthorityRoll, containment: Containment): AuthorityRoll {
  const wrap = <A extends unknown[]>(name: string, call: (...args: A) => Promise<void>) =>
    containment.await(`authority.roll.${name}`, call, { passes: isAnswer })
  return {
    get trusted() {
      return roll.trusted
    },
    view: containment.demand('authority.roll.view', () => atOnce(roll.view())),
    begin: wrap('begin', (leavesAt) => roll.begin(leavesAt)),
    finish: wrap('finish', () => roll.finish()),
    reload: wrap('reload', () => roll.reload()),
    onChange: containment.demand('authority.roll.onChange', (listener) =>
      roll.onChange(containment.notify('authority.roll.onChange.listener', listener)),
    ),
    close: containment.notify('authority.roll.close', () => roll.close()),
  }
}

function containedSigner(signer: AssertionSigner, containment: Containment): AssertionSigner {
  return {
    sign: containment.await('assertionSigner.sign', (claims) => signer.sign(claims)),
    publicKeys: containment.await('assertionSigner.publicKeys', async () => signer.publicKeys()),
  }
}

/** What cannot be published waits for a link of this instance. */
function containedQueue(queue: OfferQueue, containment: Containment): OfferQueue {
  return {
    publish: containment.await('queue.publish', (envelope) => queue.publish(envelope), {
      passes: (error) => error instanceof Refused,
    }),
    tell: containment.notify('queue.tell', (instance, outcome) => queue.tell(instance, outcome)),
    announce: containment.notify('queue.announce', (presence) => queue.announce(presence)),
    observe: containment.notify('queue.observe', (health) => queue.observe(health)),
    join: containment.demand('queue.join', (receiver) =>
      containment.notify('queue.leave', queue.join(receiver)),
    ),
  }
}

function containedRevocations(
  revocations: SessionRevocations,
  containment: Containment,
): SessionRevocations {
  const version = containment.demand('revocations.version', () => revocations.version)
  const isStale = containment.demand('revocations.isStale', () => revocations.isStale === true)
  return {
    get isStale() {
      return isStale()
    },
    get version() {
      return version()
    },
    revoke: containment.await('revocations.revoke', (one) => revocations.revoke(one)),
    isRevoked: containment.demand('revocations.isRevoked', (caller, application) =>
      revocations.isRevoked(caller, application),
    ),
    subscribe: containment.demand('revocations.subscribe', (listener) =>
      revocations.subscribe(containment.notify('revocations.subscribe.listener', listener)),
    ),
  }
}

function containedGrants(grants: SessionGrants, containment: Containment): SessionGrants {
  return {
    read: containment.await('grants.read', (id) => grants.read(id)),
    write: containment.await('grants.write', (id, kept, version) =>
      grants.write(id, kept, version),
    ),
    endAt: containment.await('grants.endAt', (id, endsAt) => grants.endAt(id, endsAt)),
    remove: containment.await('grants.remove', (id) => grants.remove(id)),
    removeLabelled: containment.await('grants.removeLabelled', (label, startedUpTo) =>
      grants.removeLabelled(label, startedUpTo),
    ),
  }
}

function containedSpentCodes(codes: SpentCodes, containment: Containment): SpentCodes {
  return { spend: containment.await('spentCodes.spend', (id, until) => codes.spend(id, until)) }
}

/** What is given is copied within the call: its getters may throw as well. */
function containedPages(
  { words, html, problemTypes }: PageRenderer,
  containment: Containment,
): PageRenderer {
  return {
    ...(problemTypes !== undefined && { problemTypes }),
    words: containment.lookUp(
      'pages.words',
      (failure: Failure, language: string) => ({ ...atOnce(words?.(failure, language)) }),
      {},
    ),
    ...(html && {
      html: containment.lookUp(
        'pages.html',
        (page) => textsOf(atOnce(html(page))),
        undefined,
      ) as NonNullable<PageRenderer['html']>,
    }),
  }
}

function textsOf({ html, contentSecurityPolicy }: RenderedPage): RenderedPage {
  if (typeof html !== 'string' || typeof contentSecurityPolicy !== 'string')
    throw new ApiMisuse('"html" and "contentSecurityPolicy" must be strings')
  return { html, contentSecurityPolicy }
}

function containedLocate(locate: Locate, containment: Containment): Locate {
  return containment.lookUp(
    'locate',
    (address) => {
      const place = atOnce(locate(address))
      return place && { ...place }
    },
    undefined,
  )
}

function containedRisk(risk: RiskAssessor, containment: Containment): RiskAssessor {
  return {
    assess: containment.lookUp(
      'risk.assess',
      (query) => {
        const { level, reasons } = atOnce(risk.assess(query))
        if (!RISK_LEVELS.includes(level)) throw new ApiMisuse('"level" is none')
        return { level, reasons: [...reasons] }
      },
      undefined,
    ) as RiskAssessor['assess'],
  }
}

/** Time never goes backwards, and sessions end whatever the clock does. */
function containedClocks(clocks: Clocks, containment: Containment): Clocks {
  let last = 0
  const now = containment.lookUp('clocks.now', () => number(clocks.now()), Number.NaN)
  const wallClock = containment.lookUp(
    'clocks.wallClock',
    () => number(clocks.wallClock()),
    Number.NaN,
  )
  return {
    now: () => {
      const value = now()
      return Number.isNaN(value) ? last : (last = value)
    },
    wallClock: () => {
      const value = wallClock()
      return Number.isNaN(value) ? systemClocks.wallClock() : value
    },
  }
}

function number(value: unknown): number {
  if (typeof atOnce(value) !== 'number' || Number.isNaN(value))
    throw new ApiMisuse('a clock must answer with a number')
  return value as number
}

/** What `subtle` rejects with, the flows take for their own failures, which they tell. */
function containedCrypto(crypto: CryptoProvider, containment: Containment): CryptoProvider {
  return {
    get subtle() {
      return crypto.subtle
    },
    getRandomValues: containment.demand(
      'crypto.getRandomValues',
      (octets: Parameters<Crypto['getRandomValues']>[0]) => crypto.getRandomValues(octets as never),
    ) as Crypto['getRandomValues'],
  }
}
