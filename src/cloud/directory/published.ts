/**
 * What a request costs once per application and not once per request: everything that follows from
 * an application's configuration alone.
 *
 * @module
 */
import {
  canonicalHost,
  ExchangeFailed,
  FoldedNames,
  FORWARDING,
  HOP_BY_HOP,
  mappedAccount,
  reservedNames,
  selectByPath,
  SignOnFailed,
  typedClaimsFault,
  type AccountMapping,
  type AccountName,
  type HeaderList,
  type OwnPatience,
  type TypedClaim,
  type TypedClaims,
  type UserClaims,
} from '../../protocol/internal.ts'
import { CorsRule } from './cors-rule.ts'
import {
  ACCOUNT,
  claimOf,
  claimOfHeader,
  claimsOfSignOn,
  type ClaimedUser,
  type IdentityHeader,
} from '../rules/identity-claims.ts'
import { identityField } from './identity-headers.ts'
import { assertionHeader } from './assertion-sign-on.ts'
import { needsOf } from './application-needs.ts'
import { contentVersion } from './content-version.ts'
import { ownCookieName } from './cookies.ts'
import { namedBy } from '../rules/named.ts'
import type { Application } from './directory-port.ts'
import { PATH_FIELDS } from './path-fields.ts'
import { segmentedApplications } from './segmented.ts'
import { Segments } from './segments.ts'
import { mappingOf } from './sign-on-configuration.ts'
import { tenantKey, type TenantKey } from './tenant-key.ts'
import { TRANSLATED_REQUEST_FIELDS } from './translate-configuration.ts'

/** An application as the edge sees it. */
export class Published {
  readonly application: Application
  /** What cookies and redirect URIs are bound to: `host[:port]` of the external URL. */
  readonly host: string
  /** The path of the external URL; a list, as {@link selectByPath} takes it. */
  readonly paths: readonly [string]
  /** `https` or `http`, as users come. */
  readonly scheme: string
  readonly sessionCookie: string
  /** Undefined: the application answers for itself, or nobody does. */
  readonly cors: CorsRule | undefined
  /** It is told who the user is by assertions, in this field. */
  readonly assertion: { readonly header: string; readonly claims: readonly string[] } | undefined
  /** Names that only we may say. */
  readonly reserved: FoldedNames
  /**
   * Names that do not go into an offer as they came: reserved, of the connection, or ours to
   * answer.
   */
  readonly withheld: FoldedNames
  /** What is added to every request but the user's address; `more`: fields that not all have. */
  readonly forwarded: { readonly host: string; readonly tail: string; readonly more: HeaderList }
  /** Header fields are translated between its two URLs. */
  readonly isTranslated: boolean
  /** Features that whoever is offered its requests must have named. */
  readonly needs: readonly string[]
  /** It knows its users by their connections: each has connections of their own. */
  readonly isConnectionBound: boolean
  /** Octets of a request's body; Infinity: there is no limit. */
  readonly maxBodyBytes: number
  /** There is a limit to how often it is asked. */
  readonly isPaced: boolean
  /** Where its requests are queued. */
  readonly destination: {
    readonly tenantId: string
    readonly groupId: string
    readonly group: TenantKey
    readonly application: TenantKey
    readonly responseHeadMs: number
    readonly patience: OwnPatience | undefined
  }
  /** Parts of it have admission of their own. */
  readonly isSegmented: boolean
  /** Tokens that are ours to read are not for it, though it asks nobody. */
  readonly hidesTokens: boolean
  #segments: Segments<Published> | undefined
  #names: string | undefined
  #custom: { readonly version: string | undefined } | undefined
  readonly #identityHeaders: readonly (readonly [string, IdentityHeader])[]
  /** A session's claims are the same object for as long as it is remembered. */
  readonly #signOnClaims: readonly string[]
  readonly #account: AccountMapping | undefined
  readonly #accounts = new WeakMap<NonNullable<ClaimedUser['user']>, AccountName>()
  readonly #offered = new WeakMap<UserClaims, UserClaims>()
  readonly #identities = new WeakMap<NonNullable<ClaimedUser['user']>, HeaderList>()

  constructor(application: Application) {
    const { id, groupId, tenantId, responseHeadMs, identityHeaders } = application
    const external = new URL(application.externalUrl)
    const { host, protocol, pathname } = external
    const { signOn, reservedHeaders = [] } = application
    const isOpenSegment =
      application.segment !== undefined && application.preAuthentication === 'passthrough'
    const asserted = signOn?.kind === 'assertion' ? assertionHeader(signOn) : undefined
    this.assertion =
      signOn?.kind === 'assertion' && !isOpenSegment
        ? { header: asserted!, claims: signOn.claims ?? [] }
        : undefined
    this.isSegmented = application.segments !== undefined && application.segments.length > 0
    this.hidesTokens = isOpenSegment && application.bearer?.forward === false
    const identityNames = [
      ...[...Object.keys(identityHeaders), ...reservedHeaders],
      ...(asserted === undefined ? [] : [asserted]),
      ...(this.isSegmented || application.segment !== undefined ? PATH_FIELDS : []),
    ]
    this.application = application
    this.isTranslated = application.translate?.headers ?? true
    this.host = host
    this.paths = [pathname]
    this.scheme = protocol.slice(0, -1)
    const kind = application.embedding?.partitioned === true ? 'partitioned-session' : 'session'
    this.sessionCookie = ownCookieName(protocol === 'https:', kind, id)
    this.cors = application.cors && new CorsRule(application.cors)
    this.reserved = reservedNames(identityNames)
    this.withheld = new FoldedNames([
      ...[...HOP_BY_HOP, ...FORWARDING, ...identityNames],
      ...['content-length', 'cookie', 'expect', 'host'],
      ...(this.isTranslated ? TRANSLATED_REQUEST_FIELDS : []),
    ])
    const tail = `;host="${host}";proto=${this.scheme}`
    this.forwarded = { host, tail, more: moreForwarded(external, application.internalUrl) }
    this.needs = needsOf(application)
    this.isConnectionBound = application.signOn?.kind === 'connection-bound'
    this.isPaced = application.rates !== undefined
    this.maxBodyBytes = application.limits?.requestBodyBytes ?? Infinity
    const [group, own] = [tenantKey(tenantId, groupId), tenantKey(tenantId, id)]
    const patience = application.limits
    this.destination = { tenantId, groupId, group, application: own, responseHeadMs, patience }
    this.#identityHeaders = Object.entries(identityHeaders)
    this.#signOnClaims = claimsOfSignOn(application.signOn)
    this.#account = application.account ?? mappingOf(application.signOn)
  }

  /**
   * The part of it that a path lies in: itself, or a segment.
   *
   * @throws ExchangeFailed `user-malformed` when the path can be read as one of several
   * @throws ConfigurationInvalid when its directory's segments are none
   */
  at(path: string): Published {
    return this.isSegmented ? this.segments.of(path) : this
  }

  /** @throws ConfigurationInvalid when its directory's segments are none */
  get segments(): Segments<Published> {
    this.#segments ??= segmentsOf(this)
    return this.#segments
  }

  /** Another one whenever its assignment and policies name other groups or roles. */
  get names(): string {
    if (this.#names === undefined) {
      const { groups, roles } = namedBy(this.application)
      this.#names = contentVersion([[...groups].sort(), [...roles].sort()])
    }
    return this.#names
  }

  /**
   * Another one whenever it is told other claims by the issuer's names; undefined: it is told none.
   */
  get custom(): string | undefined {
    if (this.#custom === undefined) {
      const { custom } = namedBy(this.application)
      this.#custom = { version: custom.length === 0 ? undefined : contentVersion(custom) }
    }
    return this.#custom.version
  }

  /**
   * The name of a user's account at the application, as its connector makes it as well: what
   * policies, the audit and the application are told. Undefined: none follows from what is known.
   */
  account(caller: ClaimedUser): string | undefined {
    const { user } = caller
    if (this.#account === undefined || user === undefined) return undefined
    let verdict = this.#accounts.get(user)
    if (verdict === undefined) {
      const { claim } = this.#account
      const value = claimOf(caller, claim)
      verdict = mappedAccount(this.#account, value === undefined ? {} : { [claim]: value })
      this.#accounts.set(user, verdict)
    }
    return 'name' in verdict ? verdict.name : undefined
  }

  /** What it may be told of a user, by its name; undefined: it is not known. */
  told(caller: ClaimedUser, claim: string): TypedClaim | undefined {
    return claim === ACCOUNT ? this.account(caller) : claimOf(caller, claim)
  }

  /** The identity headers of a user, as the application defines them. */
  identity(caller: ClaimedUser): HeaderList {
    const { user } = caller
    if (user === undefined) return NO_FIELDS
    let list = this.#identities.get(user)
    if (list === undefined) {
      list = this.#identityHeaders.flatMap(([name, header]) => {
        const claim = claimOfHeader(header)
        const value = identityField(
          claim === undefined ? undefined : this.told(caller, claim),
          header,
        )
        return value === undefined ? [] : [name, value]
      })
      this.#identities.set(user, list)
    }
    return list
  }

  /**
   * The user as connectors are told: with the claims that the application's sign-on names, if it
   * names any.
   *
   * @throws ExchangeFailed `sign-on-failed` when they are more than an offer carries
   */
  offered(caller: ClaimedUser): UserClaims | undefined {
    const { user } = caller
    if (user === undefined || this.#signOnClaims.length === 0) return user
    let offered = this.#offered.get(user)
    if (offered === undefined) {
      offered = { ...user, ...claimsFor(caller, this.#signOnClaims) }
      this.#offered.set(user, offered)
    }
    return offered
  }

  /**
   * Whether a page of this origin may open connections in the name of a user who is signed in here.
   */
  allows(origin: string): boolean {
    return this.application.allowedOrigins?.includes(origin) === true || this.isOwnOrigin(origin)
  }

  /** Whether a page of this origin is one of this host. */
  isOwnOrigin(origin: string): boolean {
    // Ports are not compared: a mapping in front may change them, and cookies ignore them.
    const match = /^(https?):\/\/([^/]+)$/.exec(origin)
    if (match === null || match[1] !== this.scheme) return false
    const host = canonicalHost(match[2]!)
    return host !== undefined && host === canonicalHost(this.host)
  }
}

/** What is not known is left out; no claims at all where none is. */
function claimsFor(
  caller: ClaimedUser,
  names: readonly string[],
): { readonly claims?: TypedClaims } {
  const known = names.flatMap((name) => {
    const value = claimOf(caller, name)
    return value === undefined ? [] : [[name, value] as const]
  })
  if (known.length === 0) return {}
  const claims: TypedClaims = Object.fromEntries(known)
  const fault = typedClaimsFault(claims)
  if (fault === undefined) return { claims }
  throw new ExchangeFailed('cloud', 'sign-on-failed', {
    cause: new SignOnFailed('misconfigured', fault),
  })
}

/**
 * The port where it is not the scheme's own; the base path that only users see. An application that
 * has a base path of its own takes that for its prefix.
 */
function moreForwarded({ port, pathname }: URL, internalUrl: string): HeaderList {
  const isPrefixed = pathname !== '/' && new URL(internalUrl).pathname === '/'
  return [
    ...(port === '' ? [] : ['X-Forwarded-Port', port]),
    ...(isPrefixed ? ['X-Forwarded-Prefix', pathname.slice(0, -1)] : []),
  ]
}

function segmentsOf(whole: Published): Segments<Published> {
  const parts = segmentedApplications(whole.application).map((application) => {
    const value = publishedOf(application)
    return { path: application.segment.path, admission: admissionOf(application), value }
  })
  return new Segments({ path: '', admission: admissionOf(whole.application), value: whole }, parts)
}

/** Who is admitted, as a text. */
const admissionOf = ({ preAuthentication, assigned, access }: Application) =>
  preAuthentication === 'oidc' ? JSON.stringify([assigned, access]) : preAuthentication

const NO_FIELDS: HeaderList = []

const known = new WeakMap<Application, Published>()

/** What follows from an application; computed once for each object. */
export function publishedOf(application: Application): Published {
  let record = known.get(application)
  if (record === undefined) {
    record = new Published(application)
    known.set(application, record)
  }
  return record
}

/**
 * Which of the applications on a host a path belongs to.
 *
 * @throws ExchangeFailed `user-malformed` when the path can be read in two ways
 */
export function selectApplication(
  applications: readonly Application[],
  path: string,
): Published | undefined {
  if (applications.length === 1) {
    const only = publishedOf(applications[0]!)
    return selectByPath(path, only.paths) === undefined ? undefined : only
  }
  const paths = applications.map((application) => publishedOf(application).paths[0])
  const selected = selectByPath(path, paths)
  return selected === undefined ? undefined : publishedOf(applications[paths.indexOf(selected)]!)
}
