/**
 * What an administrator wrote down, as the cloud reads it: tenants, groups, applications.
 *
 * @module
 */
import type { AnswerFault } from '../../protocol/internal.ts'
import type { SignOn } from './sign-on-configuration.ts'
import type { AccessRules } from '../rules/access-policy.ts'
import type { Branding } from '../pages/answer.ts'
import type { Bearer } from './bearer-configuration.ts'
import type { ClientCredentials } from './client-configuration.ts'
import type { Cors } from './cors-configuration.ts'
import type { IdentityHeader } from '../rules/identity-claims.ts'
import type { ClaimPath, IssuerProfile } from './issuer-configuration.ts'
import type { SessionLifetime } from './session-configuration.ts'
import type { ApplicationLimits } from './application-limits.ts'
import type { Maintenance } from './maintenance.ts'
import type { ApplicationRates } from './rates.ts'
import type { Translate } from './translate-configuration.ts'
import type { WildcardLabel } from './wildcard.ts'

/** An organisation; everything else belongs to exactly one. */
export interface Tenant {
  readonly id: string
  readonly name: string
  /** The OpenID Connect issuer that authenticates its users and registrars. */
  readonly issuer: string
  /** What is particular about it. Default {@link USUAL_ISSUER}. */
  readonly issuerProfile?: IssuerProfile
  /** Who may register connectors. */
  readonly registrars: {
    /** The `aud` a registrar's token must be for: this service. */
    readonly audience: string
    /** The claim that lists roles. Default: where the issuer's roles are. */
    readonly roleClaim?: ClaimPath
    /** Roles of which one is enough. */
    readonly roles: readonly string[]
  }
  /** How many connectors it may register. Default 100. */
  readonly connectorLimit: number
  /** How many enrolment tickets it may have open. Default 20. */
  readonly ticketLimit?: number
  /** Newly registered connectors wait for an operator's approval. Default false. */
  readonly approveConnectors: boolean
  /** Whoever registered a connector, or made its ticket, may not approve it. Default false. */
  readonly approveByAnother?: boolean
  /**
   * How long a new connector waits for its approval; then it is disabled. Milliseconds. Default: it
   * waits.
   */
  readonly approveWithinMs?: number
  /**
   * Whether connectors may be registered by one-time tickets as well as by registrars' tokens.
   * Default false.
   */
  readonly enrolmentTickets?: boolean
  /** The group new connectors join. */
  readonly defaultGroupId: string
  /** How it shows itself on the pages its users see. Default: not at all. */
  readonly branding?: Branding
}

/** Connectors of a group serve the same applications. */
export interface ConnectorGroup {
  readonly id: string
  readonly tenantId: string
  readonly name: string
}

/** A published private web application. */
export interface Application {
  readonly id: string
  readonly tenantId: string
  readonly name: string
  /** Changes whenever any of it changes that connectors may be told. */
  readonly version: string
  /** `https://host[:port]/path/`; http only on localhost names. */
  readonly externalUrl: string
  /** Scheme, host, port and base path of the private application. */
  readonly internalUrl: string
  readonly groupId: string
  readonly preAuthentication: 'oidc' | 'passthrough'
  /**
   * Its tenant's issuer: who was signed in by another one is not signed in here. Default: whoever
   * the directory's tenant is signed in by.
   */
  readonly issuer?: string
  /**
   * The application's own client at the tenant's issuer; present exactly when `preAuthentication`
   * is `oidc`.
   */
  readonly client?: ClientCredentials
  /** Who is assigned; absent: every user the issuer signs in. */
  readonly assigned?: {
    readonly users: readonly string[]
    readonly groups: readonly string[]
    readonly roles: readonly string[]
  }
  /**
   * Conditional access: whoever is assigned must be let in by these too. Absent: there is none.
   * Other rules must be another object, because decisions are remembered by it.
   */
  readonly access?: AccessRules
  /**
   * Parts of it with admission of their own: the longest path counts, and what none covers is its
   * own. Only with `preAuthentication` `oidc`. Default: none.
   */
  readonly segments?: readonly ApplicationSegment[]
  /**
   * The application as one of its {@link segments} has it. Made from those, and nothing for a
   * directory to say.
   */
  readonly segment?: { readonly path: string; readonly of: Application }
  /** Header name → claim it carries, and how, for the application. Default none. */
  readonly identityHeaders: Readonly<Record<string, IdentityHeader>>
  /**
   * Origins, besides its own host, whose pages may open a WebSocket (or switch to another protocol)
   * in the name of a signed-in user. Default none.
   */
  readonly allowedOrigins?: readonly string[]
  /**
   * Pages of other sites that may read its answers. Default: with `passthrough` it answers for
   * itself, with `oidc` there are none.
   */
  readonly cors?: Cors
  /**
   * How programs may show a token in the place of a session. Default: not at all; a token is the
   * application's own affair then.
   */
  readonly bearer?: Bearer
  readonly session?: {
    /**
     * Whether the session's cookie comes with requests of other sites' pages as well (`none`).
     * Default `lax`.
     */
    readonly sameSite: 'lax' | 'none'
    /** How long sessions last. Default: they end with the ID token. */
    readonly lifetime?: SessionLifetime
  }
  /**
   * Pages of other origins that may show it in a frame. Default: no sign-in begins in a frame of
   * another origin, and no page of ours is shown in one.
   */
  readonly embedding?: Embedding
  /**
   * How the issuer hands back its answer: `form_post` keeps it out of addresses and their logs, and
   * needs https. Default `query`.
   */
  readonly responseMode?: 'query' | 'form_post'
  /**
   * The issuer sends users back to the service's own host, which hands them over to this one's.
   * Default: it sends them to the host of the external URL.
   */
  readonly callback?: 'serviceHost'
  /**
   * Features that a connector must have named to be offered its requests, beside those that its
   * other settings need. Default: none.
   *
   * @see needsOf
   */
  readonly needs?: readonly string[] | undefined
  /** How it gets to know who its user is, beside `identityHeaders`. Default: in no other way. */
  readonly signOn?: SignOn | undefined
  /**
   * How the name of a user's account there follows from a claim: policies, the audit and the
   * application are told it. Default: that of `signOn`, if it has one.
   */
  readonly account?: Extract<SignOn, { readonly kind: 'kerberos' }>['user'] | undefined
  /**
   * Header names that nobody may say to it, because others use them who have its host or its
   * internal origin. Default: none.
   */
  readonly reservedHeaders?: readonly string[]
  /** It is being worked on: new requests are answered with 503. Default: it is not. */
  readonly maintenance?: Maintenance | undefined
  /** What is translated between its two URLs. Default {@link USUAL_TRANSLATION}. */
  readonly translate?: Translate | undefined
  /**
   * HTTP/2 towards it: by TLS (`h2`), in the clear (`h2c`), or by TLS where the application agrees
   * and else HTTP/1.1 (`auto`). Default: HTTP/1.1.
   */
  readonly backendProtocol?: 'h2' | 'h2c' | 'auto'
  /** Limits of its own. Default: those of every other application. */
  readonly limits?: ApplicationLimits | undefined
  /** How many requests it gets; beyond it they are refused with 429. Default: all that come. */
  readonly rates?: ApplicationRates | undefined
  /** Faults of its answers that are mended. Default: none. */
  readonly lenient?: readonly AnswerFault[] | undefined
  /** It is one label of a wildcard application. Default: it is an application by itself. */
  readonly wildcard?: WildcardLabel | undefined
  readonly hostHeader: 'internal' | 'external'
  readonly verifyCertificate: boolean
  readonly responseHeadMs: number
  /** The same of calls of gRPC, which say less if they want to. Default: 3 600 000. */
  readonly grpcHeadMs?: number | undefined
}

/**
 * A part of an application with admission of its own. One sign-in, one session and one client serve
 * all parts.
 *
 * @see docs/publishing.md, "Segments"
 */
export interface ApplicationSegment {
  /** As users see it. The subtree below a path that ends in `/`, or exactly one file. */
  readonly path: string
  readonly preAuthentication: 'oidc' | 'passthrough'
  /** Default: whoever is assigned to the application. */
  readonly assigned?: NonNullable<Application['assigned']> | 'everyone'
  /** Default: the application's. */
  readonly access?: AccessRules
}

/** In whose frames users may sign in to an application. @see docs/framing.md */
export interface Embedding {
  /** Origins. */
  readonly ancestors: readonly string[]
  /** The cookies are `Partitioned`: one session for each site that embeds it. */
  readonly partitioned: boolean
}

/**
 * Tenants, groups and applications. The embedded default is a validated configuration object. Asked
 * on the hot path: synchronous.
 *
 * A function that throws, or gives a promise, fails what it was asked for: a user's request gets
 * 500 (audit event `edge.internal-error`), a registration is refused as `unavailable`, what is open
 * and cannot be judged ends.
 */
export interface Directory {
  tenant(id: string): Tenant | undefined
  /** The tenant whose issuer this is. */
  tenantOfIssuer(issuer: string): Tenant | undefined
  group(id: string): ConnectorGroup | undefined
  application(id: string): Application | undefined
  /** Applications whose external URL has this canonical `host[:port]`, the longest path first. */
  applicationsOn(host: string): readonly Application[]
  tenants(): readonly Tenant[]
  applications(): readonly Application[]
  /**
   * When what it says came into force, milliseconds since 1970: for whoever looks. Default: nobody
   * knows.
   */
  inForceSince?(): number
}
