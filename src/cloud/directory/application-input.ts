/**
 * An application as a person writes it.
 *
 * @module
 */
import type { ApplicationPolicyInput } from '../rules/access-policy-input.ts'
import type { HeaderEncoding } from '../rules/identity-claims.ts'
import type { AccountMappingInput } from './account-mapping-input.ts'
import type { SessionLifetimeInput } from './directory-input.ts'
import type { ClientInput } from './issuer-input.ts'
import type { PublishingInput } from './publishing-input.ts'
import type { SegmentInput } from './segment-input.ts'
import type { TranslateInput } from './translate-input.ts'

/** A private web application that is published: users sign in to it, or it is open to everybody. */
export type ApplicationInput = SignInApplicationInput | PassthroughApplicationInput

/** What every application has. */
export interface PublishedInput extends PublishingInput {
  /**
   * What policies name it by, and connectors are told; unique. A letter or digit, then up to 127
   * letters, digits, `.`, `_` and `-`.
   */
  readonly id: string
  /** What people call it. Default: the id. */
  readonly name?: string | undefined
  /** The tenant it belongs to. Default: the tenant of its group. */
  readonly tenantId?: string | undefined
  /** The connectors that serve it. */
  readonly groupId: string
  /**
   * What users see: `https://host[:port]/path/`; `http` only on localhost, *.localhost and
   * loopback. No two applications share host and path. `https://*.apps.example/` is a wildcard:
   * an application for each of `labels`.
   */
  readonly externalUrl: string
  /**
   * Scheme, host, port and base path of the private application; ends in `/`. Of a wildcard with a
   * list of labels: `https://{label}.corp.internal/`. Default: there is none, and each of `labels`
   * has its own.
   */
  readonly internalUrl?: string | undefined
  /**
   * The labels of a wildcard: a list, or for each its internal URL. What is not listed is not
   * published. Default: it is no wildcard.
   */
  readonly labels?: readonly string[] | Readonly<Record<string, string>> | undefined
  /**
   * Pages of other sites that may read its answers. Default: with `passthrough` the application
   * answers for itself, with `oidc` there are none.
   */
  readonly cors?: CorsInput | undefined
  /**
   * Features that a connector must have named to serve it; without one that has, its users get a
   * 501. Default: none.
   */
  readonly needs?: readonly string[] | undefined
  /** How the connector makes its users known to it. Default: not at all. */
  readonly signOn?: SignOnInput | undefined
  /** Which `Host` the application is shown. Default: `internal`. */
  readonly hostHeader?: 'internal' | 'external' | undefined
  /** Whether an https application's certificate is verified. Default: true. */
  readonly verifyCertificate?: boolean | undefined
  /** What of its requests and answers is translated between its two URLs. */
  readonly translate?: TranslateInput | undefined
  /**
   * What connectors speak to it: HTTP/1.1 (`http1`), HTTP/2 by TLS (`h2`), HTTP/2 in the clear
   * (`h2c`), or HTTP/2 where TLS agrees on it and else HTTP/1.1 (`auto`). Default: `http1`.
   */
  readonly backendProtocol?: 'http1' | 'h2' | 'h2c' | 'auto' | undefined
  /**
   * Milliseconds the application may take to its response head. Default: the directory's; that of
   * `app-proxy cloud run` is its `limits.responseHeadMs`, 85 000.
   */
  readonly responseHeadMs?: number | undefined
  /**
   * Milliseconds a call of gRPC may be silent before the head of its answer; its own `grpc-timeout`
   * shortens it. Default: 3 600 000.
   */
  readonly grpcHeadMs?: number | undefined
}

/** An application that nobody signs in to: whoever can reach the cloud can reach it. */
export interface PassthroughApplicationInput extends PublishedInput {
  /**
   * `oidc`: users sign in at the tenant's issuer. `passthrough`: nobody is asked who they are, the
   * application is open to everybody.
   */
  readonly preAuthentication: 'passthrough'
}

/** An application whose users have signed in before a request of theirs reaches it. */
export interface SignInApplicationInput extends PublishedInput {
  /**
   * `oidc`: users sign in at the tenant's issuer. `passthrough`: nobody is asked who they are, the
   * application is open to everybody.
   */
  readonly preAuthentication: 'oidc'
  /** Its own client at the tenant's issuer. */
  readonly client: ClientInput
  /** Who may use it. Default: every user the issuer signs in. */
  readonly assigned?: AssignmentInput | undefined
  /** Its own policies, besides its tenant's. Default: none. */
  readonly policies?: readonly ApplicationPolicyInput[] | undefined
  /**
   * Parts of it with admission of their own, 100 at the most. Default: none, and what no segment
   * covers is the application's.
   */
  readonly segments?: readonly SegmentInput[] | undefined
  /** Header name → what of the user it tells the application, and how. Default: none. */
  readonly identityHeaders?: Readonly<Record<string, IdentityHeaderInput>> | undefined
  /** The session and its cookie. */
  readonly session?: ApplicationSessionInput | undefined
  /**
   * In whose frames users may sign in; needs https. Default: nobody signs in in a frame of another
   * origin.
   */
  readonly embedding?: EmbeddingInput | undefined
  /**
   * How the issuer hands back its answer; `form_post` keeps it out of addresses and needs https.
   * Default: `query`.
   */
  readonly responseMode?: 'query' | 'form_post' | undefined
  /**
   * Where the issuer sends users back to: `host`, that of the external URL; or `serviceHost`, that
   * of `serviceUrl`, which hands them over. Default: `host`; of a wildcard `serviceHost`.
   */
  readonly callback?: 'host' | 'serviceHost' | undefined
  /**
   * Origins, besides its own host, whose pages may open a WebSocket for a signed-in user. Default:
   * none.
   */
  readonly allowedOrigins?: readonly string[] | undefined
  /**
   * Programs may show an access token of the issuer in the place of a session. Default: they may
   * not, and a token that they send is for the application.
   */
  readonly bearer?: BearerInput | undefined
}

/** How the connector makes users known to an application. @see docs/single-sign-on.md */
export type SignOnInput =
  | AssertionSignOnInput
  | ConnectionBoundSignOnInput
  | HeadersSignOnInput
  | InjectSignOnInput
  | KerberosSignOnInput

/** By header fields that the cloud adds; needs nothing of a connector. */
export interface HeadersSignOnInput {
  /** `headers`: by fields that only the cloud writes. The same as `identityHeaders`. */
  readonly kind: 'headers'
  /** Header name → what of the user it tells the application, and how. */
  readonly headers: Readonly<Record<string, IdentityHeaderInput>>
  /** How the name of a user's account follows from a claim. Default: accounts have no names. */
  readonly user?: AccountMappingInput | undefined
}

/** By a signed assertion with each request, which the application checks. */
export interface AssertionSignOnInput {
  /** `assertion`: by a JWT that the service signs for each request. */
  readonly kind: 'assertion'
  /**
   * The header field that carries it. `Authorization` where nothing else uses that. Default:
   * `X-App-Proxy-Assertion`.
   */
  readonly header?: string | undefined
  /**
   * Claims of the user that it has beside those that say who it is: `name`, `email`, `upn`,
   * `groups`, `roles`, or others by the issuer's names. One that is not known is left out. Default:
   * none.
   */
  readonly claims?: readonly string[] | undefined
  /**
   * Whether the connector checks it as well, by keys in its own file; one that cannot is offered
   * nothing of this application. Default: false.
   */
  readonly verify?: boolean | undefined
  /** How the name of a user's account follows from a claim. Default: accounts have no names. */
  readonly user?: AccountMappingInput | undefined
}

/**
 * By what it asks them itself: it authenticates connections (NTLM, Negotiate), and each user has
 * connections of their own.
 */
export interface ConnectionBoundSignOnInput {
  /** `connection-bound`. */
  readonly kind: 'connection-bound'
}

/** By a secret that only the connector has. */
export interface InjectSignOnInput {
  /** `inject`: by a secret of the connector's. */
  readonly kind: 'inject'
  /** Which of the connector's secrets for this place. Default: the one that has no name. */
  readonly secret?: string | undefined
  /**
   * How the name of a user's account follows from a claim: the connector then has a secret for each
   * account. Default: accounts have no names.
   */
  readonly user?: AccountMappingInput | undefined
}

/** By Kerberos constrained delegation. */
export interface KerberosSignOnInput {
  /** `kerberos`: by a ticket of the user's, which the connector's account gets. */
  readonly kind: 'kerberos'
  /**
   * The name of the application's service, as `HTTP/wiki.corp.example`. The connector's own
   * settings say the realm, and whether it signs anybody on there.
   */
  readonly servicePrincipal: string
  /** How the name of a user's account follows from a claim. */
  readonly user: AccountMappingInput
  /** Whether the application has to show who it is, too. Default: false. */
  readonly mutual?: boolean | undefined
}

/** Who may use an application: one of the users, groups or roles. */
export interface AssignmentInput {
  /**
   * Users by typed names: `sub:` and their subject; `email:` and their verified e-mail address,
   * `upn:` and the name that the issuer assigns, both in any ASCII letter case. Default: none.
   */
  readonly users?: readonly string[] | undefined
  /** Groups, as the issuer names them, exactly. Default: none. */
  readonly groups?: readonly string[] | undefined
  /** Roles, as the issuer names them, exactly. Default: none. */
  readonly roles?: readonly string[] | undefined
}

/**
 * What a header tells of the user: a claim; or a claim and how it is written, or a fixed value.
 *
 * A claim is `subject`, `issuer`, `name`, `email`, `upn`, `groups` or `roles`; or another one, by
 * the issuer's name for it. A claim that is not known leaves the header out.
 */
export type IdentityHeaderInput = string | IdentityHeaderFormInput

/** A claim that a header tells, and how it is written; or a fixed value. It has one of both. */
export interface IdentityHeaderFormInput {
  /** What of the user it tells. Default: nothing, there is a `value`. */
  readonly claim?: string | undefined
  /**
   * The claim is a list, its members separated, or as a JSON array of texts; what comes as a text
   * is a list of one. Default: `separated` for `groups`, `roles` and where there is a `separator`;
   * else it is a text, and a list of several is not told.
   */
  readonly list?: 'separated' | 'json' | undefined
  /** Stands between the members of a list: one to four characters. Default: `,`. */
  readonly separator?: string | undefined
  /**
   * What is not ASCII: as its UTF-8 octets; `percent` (`%C3%A9`, and `%25` for `%`);
   * `quoted-printable` (`=C3=A9`); or, for texts, `rfc8187` (`UTF-8''%C3%A9`), and `base64url` of
   * the whole text. Default: `utf-8`.
   */
  readonly encoding?: HeaderEncoding | undefined
  /** The header is always this, whoever the user is. Default: it tells the `claim`. */
  readonly value?: string | undefined
}

/** Sessions of an application. */
export interface ApplicationSessionInput {
  /**
   * With `none`, which needs https, the cookie comes with requests of other sites' pages as well,
   * as `cors` with `credentials` needs. Default: `lax`.
   */
  readonly sameSite?: 'lax' | 'none' | undefined
  /** How long sessions last. Default: as its tenant says. */
  readonly lifetime?: SessionLifetimeInput | undefined
}

/** In whose frames users may sign in to an application. @see docs/framing.md */
export interface EmbeddingInput {
  /** Origins, such as `https://portal.example`; at least one. */
  readonly ancestors: readonly string[]
  /**
   * One session for each site that embeds it; needs `session.sameSite` `none`. Default: false.
   */
  readonly partitioned?: boolean | undefined
}

/** Pages of other sites that may read an application's answers. */
export interface CorsInput {
  /**
   * Origins whose pages may read answers, such as `https://portal.example`; or `*` alone, for any,
   * without credentials.
   */
  readonly origins: readonly string[]
  /** What they may ask with. Default: `GET`, `HEAD`, `POST`. */
  readonly methods?: readonly string[] | undefined
  /**
   * Header names they may send besides those every page may; `x-app-*` for all that begin so, `*`
   * for all but Authorization. Default: none.
   */
  readonly headers?: readonly string[] | undefined
  /**
   * Header names of answers that they may read besides those every page may, and WWW-Authenticate.
   * Default: none.
   */
  readonly exposeHeaders?: readonly string[] | undefined
  /**
   * Whether their requests may carry cookies. Browsers send the session cookie to other sites only
   * with `session.sameSite` "none". Default: false.
   */
  readonly credentials?: boolean | undefined
  /** Seconds for which a browser need not ask again; at most 86 400. Default: 600. */
  readonly maxAgeSeconds?: number | undefined
  /**
   * Paths, as users see them, that the rule is for, each with all below. Default: the whole
   * application.
   */
  readonly paths?: readonly string[] | undefined
}

/** How an application takes access tokens. */
export interface BearerInput {
  /**
   * What programs ask their issuer for a token for (RFC 8707), and what the metadata is about (RFC
   * 9728): a URL at or below the external URL, without query. Default: the external URL.
   */
  readonly resource?: string | undefined
  /**
   * What `aud` may name the application as; one is enough. Default: its client's id, and
   * `resource`.
   */
  readonly audiences?: readonly string[] | undefined
  /** Scopes (`scope` or `scp`) of which a token must have every one. Default: none. */
  readonly scopes?: readonly string[] | undefined
  /** Roles (`roles`) of which a token must have one. Default: it needs no role. */
  readonly roles?: readonly string[] | undefined
  /**
   * The `typ` of tokens: `at+jwt` (RFC 9068), which no ID token can be taken for; or `any`, for
   * issuers that do not mark their access tokens, with `audiences`. Default: what its issuer is
   * configured with.
   */
  readonly tokenType?: 'at+jwt' | 'any' | undefined
  /** A longer token is not looked at. Octets, from 256 to 32 768. Default: 8192. */
  readonly maxTokenBytes?: number | undefined
  /**
   * Whether the token may also come as the password of `Basic`, with any user name, for clients
   * that know nothing else: git, package and container clients, WebDAV of operating systems. Needs
   * https; the application's own Basic authentication cannot be used then. Default: false.
   */
  readonly basicToken?: boolean | undefined
  /** Whether the application is shown the token. Default: false. */
  readonly forward?: boolean | undefined
}
