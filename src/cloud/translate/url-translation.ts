/**
 * URLs of one application's answers and requests: between where it is and where its users see it.
 *
 * Only what is published is translated, and the result is always a configured URL. What the
 * application says of itself comes first, then what its tenant's others are; of several that a URL
 * may mean, the one with the longest base path. An application says of itself what its requests
 * told it: the host of its internal URL with either scheme, and its external host with either
 * scheme and with the port that it listens on.
 *
 * Translating twice is translating once. Where a result would read as another internal URL, its
 * path begins with `/./`: browsers take that away, and nothing here looks behind it.
 *
 * @see docs/translation.md
 * @module
 */
import { joinInternal, pathAfter } from '../../protocol/internal.ts'
import { isLocalHost } from '../directory/published-url.ts'
import { placeOf, type Place, type PlacedApplication, type Side } from './place.ts'
import { addTo, internalMeanings, TenantUrls, type Meaning } from './tenant-urls.ts'
import {
  isForbidden,
  isUnderBase,
  originKey,
  readAuthority,
  readPath,
  readUrl,
  type Scheme,
  type SpeltPath,
  type SpeltUrl,
} from './url-spelling.ts'

/** The translation for one application, at one external URL. */
export class UrlTranslation {
  readonly own: Place
  /** What the application takes for its own origin. */
  readonly ownOrigin: string
  /** Whether another application, of whatever tenant, has the same external host. */
  readonly isHostShared: boolean
  readonly #tenant: TenantUrls
  /** By origin: what the application is called itself. */
  readonly #ownMeanings = new Map<string, Meaning[]>()
  /** Published on its external host, by its own tenant or by another. */
  readonly #near: readonly Place[]
  readonly #hasOneBase: boolean
  /** Whether it takes its external host for its own name. */
  readonly #isShownExternal: boolean

  /**
   * @param application the application whose answers and requests these are
   * @param siblings what its tenant publishes; it may be among them
   * @param neighbours the applications on its external host, of all tenants
   */
  constructor(
    application: PlacedApplication,
    siblings: Iterable<PlacedApplication> | TenantUrls,
    neighbours: Iterable<PlacedApplication> = [],
  ) {
    const own = placeOf(application)
    const { internal, external } = own
    this.own = own
    this.ownOrigin = `${internal.scheme}://${shownHost(own)}`
    this.#tenant = siblings instanceof TenantUrls ? siblings : new TenantUrls(siblings)
    this.#near = [...neighbours].map(placeOf)
    this.isHostShared = [...(this.#tenant.hosts.get(external.host) ?? []), ...this.#near].some(
      (place) => place !== own && place.external.host === external.host,
    )
    this.#hasOneBase = internal.base === external.base
    this.#isShownExternal = application.hostHeader === 'external' || internal.key === external.key
    for (const [key, meaning] of internalMeanings(own)) addTo(this.#ownMeanings, key, meaning)
    for (const key of externalSpellings(own)) {
      const isExact = key === keyOf(internal, shownHost(own))
      addTo(this.#ownMeanings, key, { place: own, isExact, isExternal: true })
    }
  }

  /**
   * The external URL of what an internal one means; `undefined`: it stays as it is, octet for
   * octet.
   *
   * @param url absolute, without its scheme (`//host/`), or a path (`/path`)
   */
  outward(url: string): string | undefined {
    const translated = this.#outward(url)
    if (translated === undefined || translated === url) return undefined
    if (this.#hasOneBase || this.#outward(translated) === undefined) return translated
    const { origin } = this.own.external
    return translated.startsWith(origin)
      ? `${origin}/.${translated.slice(origin.length)}`
      : `/.${translated}`
  }

  /**
   * What the application takes for the URL of what one of its own external URLs means; `undefined`
   * for any other URL.
   *
   * @param url absolute, or a path
   * @param authority the host, with its port, that the user asked for: what stands before the cloud
   *   may map ports. Default: that of the external URL
   */
  inward(url: string, authority?: string): string | undefined {
    const { internal, external } = this.own
    const isPath = isAbsolutePath(url)
    const read = isPath ? { tail: url } : readUrl(url)
    if (read === undefined || isForbidden(url)) return undefined
    if (!isPath && !this.isOwnExternal(url, authority)) return undefined
    const spelt = readPath(read.tail)
    // A dot segment is refused wherever users say a path.
    if (spelt === undefined || !read.tail.startsWith(spelt.path)) return undefined
    if (this.#publishedAt(external.key, spelt.path) !== this.own) return undefined
    const rest = pathAfter(external.base, spelt.path === '' ? '/' : spelt.path)
    const path = joinInternal(internal.base, rest) + spelt.suffix
    if (isPath && !path.startsWith('//')) return path
    return this.ownOrigin + path
  }

  /**
   * A source of a content security policy, or an origin: that of an application inside becomes that
   * of the same outside; `undefined`: it is none.
   *
   * @param scheme in lower case; undefined: it has none
   * @param path begins with `/`, or is empty
   */
  outwardSource(scheme: string | undefined, authority: string, path: string): string | undefined {
    const read = readAuthority(authority)
    if (read === undefined) return undefined
    const isSocket = scheme?.startsWith('ws') === true
    const schemes =
      scheme === undefined ? SCHEMES : [(isSocket ? `http${scheme.slice(2)}` : scheme) as Scheme]
    const whole = path === '/' ? '' : path
    for (const one of schemes) {
      const key = originKey(one, read)
      if (this.#publishedOn(key).length > 0) return undefined
      const found = this.#meaning(
        [key],
        ({ place, isExternal }) =>
          !isExternal && (whole === '' || isUnderBase(place.internal.base, whole)),
      )
      if (found === undefined) continue
      const { external } = found.place
      const base = external.base === '/' ? '' : external.base
      const rest =
        whole === '' ? base || path : externalPath(found.place, { path: whole, suffix: '' })
      const start = isSocket ? external.origin.replace('http', 'ws') : external.origin
      return (scheme === undefined ? start.slice(start.indexOf('//') + 2) : start) + rest
    }
    return undefined
  }

  /**
   * Whether a URL is of this application's external origin, or of the one that the user asked for.
   */
  isOwnExternal(url: string, authority?: string): boolean {
    const { external } = this.own
    const read = readUrl(url)
    if (read === undefined || (read.scheme ?? external.scheme) !== external.scheme) return false
    const key = originKey(external.scheme, read.authority)
    return key === external.key || (authority !== undefined && key === keyOf(external, authority))
  }

  /**
   * Whether a scope of that path has pages on the external host that are not the application's own.
   * A scope is the beginning of a path, and ends anywhere.
   */
  isBeyond(path: string): boolean {
    const { key, base } = this.own.external
    if (!isUnderBase(base, path)) return true
    return this.#publishedOn(key).some(
      ({ external: other }) =>
        other.base !== base &&
        (other.base.startsWith(path) ||
          (path.startsWith(other.base) && other.base.startsWith(base))),
    )
  }

  /** The applications of its tenant at an external origin, in the form of a browser. */
  siblingsAt(origin: string): readonly Place[] {
    const { tenantId } = this.own.application
    return this.#publishedOn(keyOfOrigin(origin)).filter(
      (place) => place !== this.own && place.application.tenantId === tenantId,
    )
  }

  /** The internal URL of what an external one of its tenant's others means. */
  inwardSibling(url: string): string | undefined {
    const read = readUrl(url)
    const spelt = read && readPath(read.tail)
    if (read?.scheme === undefined || spelt === undefined || !read.tail.startsWith(spelt.path))
      return undefined
    const place = this.#publishedAt(originKey(read.scheme, read.authority), spelt.path)
    if (place === undefined || place.application.tenantId !== this.own.application.tenantId)
      return undefined
    const { internal, external } = place
    const rest = pathAfter(external.base, spelt.path === '' ? '/' : spelt.path)
    return internal.origin + joinInternal(internal.base, rest) + spelt.suffix
  }

  /** Whether an absolute URL is of a host inside: none that a browser outside could reach. */
  isInside(url: string): boolean {
    const read = readUrl(url)
    if (read === undefined) return true
    const { host } = read.authority
    if (this.#tenant.hosts.has(host) || host === this.own.external.host) return false
    return this.#tenant.internalHosts.has(host) || PRIVATE_HOST.test(host)
  }

  #outward(url: string): string | undefined {
    if (isAbsolutePath(url)) return this.#ofPath(url)
    const read = readUrl(url)
    const spelt = read && readPath(read.tail)
    if (read === undefined || spelt === undefined) return undefined
    const { external } = this.own
    const key = originKey(read.scheme ?? external.scheme, read.authority)
    // Its origin alone is its own place, whatever its base path.
    if (
      read.tail === '' &&
      key === this.own.internal.key &&
      key !== external.key &&
      !this.#hasOneBase
    )
      return external.origin + external.base
    const published = this.#publishedAt(key, spelt.path)
    if (key === external.key) {
      const isOthers = published !== undefined && published !== this.own
      if (!this.#isShownExternal || isOthers || isSettled(read.tail)) return undefined
      const path = this.#ownPath(spelt)
      return path && external.origin + path
    }
    return published === undefined ? this.#ofInternal(read, spelt) : undefined
  }

  #ofInternal({ scheme, authority }: SpeltUrl, spelt: SpeltPath): string | undefined {
    const schemes: readonly Scheme[] = scheme === undefined ? SCHEMES : [scheme]
    const best = this.#meaning(
      schemes.map((one) => originKey(one, authority)),
      (meaning) => covers(meaning, spelt.path),
    )
    if (best === undefined) return undefined
    const { external } = best.place
    if (best.isExternal)
      return external.origin + (this.#ownPath(spelt) ?? spelt.path + spelt.suffix)
    return external.origin + externalPath(best.place, spelt)
  }

  /** A path means its own application, wherever else it may lie. */
  #ofPath(url: string): string | undefined {
    if (this.#hasOneBase || isForbidden(url) || isSettled(url)) return undefined
    const spelt = readPath(url)
    const path = spelt && this.#ownPath(spelt)
    // Two slashes at the beginning would be the beginning of a host.
    return path?.startsWith('//') === true ? `/.${path}` : path
  }

  /** What is said with the internal base path, with the external one. */
  #ownPath(spelt: SpeltPath): string | undefined {
    const { internal, external } = this.own
    if (this.#hasOneBase || !isUnderBase(internal.base, spelt.path)) return undefined
    const isSaid = isUnderBase(external.base, spelt.path)
    if (isSaid && internal.base.length < external.base.length) return undefined
    return externalPath(this.own, spelt)
  }

  /**
   * Of whom a URL may mean the first: an origin as it is configured before another spelling, itself
   * before others, the longest base path, the same connectors.
   */
  #meaning(keys: readonly string[], isMeant: (meaning: Meaning) => boolean): Meaning | undefined {
    let best: Meaning | undefined
    for (const key of keys)
      for (const list of [this.#ownMeanings.get(key), this.#tenant.meanings.get(key)])
        for (const one of list ?? [])
          if (isMeant(one) && (best === undefined || this.#isBefore(one, best))) best = one
    return best
  }

  #isBefore(one: Meaning, other: Meaning): boolean {
    if (one.isExact !== other.isExact) return one.isExact
    const [isOwn, isOthersOwn] = [one.place === this.own, other.place === this.own]
    if (isOwn !== isOthersOwn) return isOwn
    const longer = one.place.internal.base.length - other.place.internal.base.length
    if (longer !== 0) return longer > 0
    const { groupId } = this.own.application
    return one.place.application.groupId === groupId && other.place.application.groupId !== groupId
  }

  #publishedOn(key: string): readonly Place[] {
    const { external } = this.own
    const places = this.#tenant.externals.get(key) ?? []
    if (key !== external.key && this.#near.length === 0) return places
    const own = key === external.key ? [this.own] : []
    return [...places, ...own, ...this.#near.filter((place) => place.external.key === key)]
  }

  /** Whose external URL a path of an external origin is. */
  #publishedAt(key: string, path: string): Place | undefined {
    let found: Place | undefined
    for (const place of this.#publishedOn(key))
      if (
        isUnderBase(place.external.base, path) &&
        (found === undefined || place.external.base.length > found.external.base.length)
      )
        found = place
    return found
  }
}

/** Addresses of private networks, and names that only those have. */
const PRIVATE_HOST =
  /^(?:10\.|127\.|192\.168\.|169\.254\.|172\.(?:1[6-9]|2\d|3[01])\.|\[(?:::1\]|f[cd]|fe[89ab]))|^[^.[]+$|\.(?:internal|local|localhost|localdomain|lan|home\.arpa)$/

const SCHEMES: readonly Scheme[] = ['http', 'https']

function isAbsolutePath(url: string): boolean {
  return url.startsWith('/') && url[1] !== '/'
}

/** Whether it was translated, and would read as if it was not. */
function isSettled(path: string): boolean {
  return path.startsWith('/./')
}

function covers({ place, isExternal }: Meaning, path: string): boolean {
  const { internal, external } = place
  return isUnderBase(internal.base, path) || (isExternal && isUnderBase(external.base, path))
}

function externalPath({ internal, external }: Place, { path, suffix }: SpeltPath): string {
  if (path === '' && internal.base === external.base) return suffix
  return joinInternal(external.base, pathAfter(internal.base, path === '' ? '/' : path)) + suffix
}

/** What the external origin becomes with the wrong scheme, or the port of another place. */
function externalSpellings({ application, internal, external }: Place): ReadonlySet<string> {
  const { host, port, key } = external
  const ports: (number | undefined)[] = [port]
  // On a loopback name every other port may be somebody else.
  if (!isLocalHost(host)) {
    ports.push(undefined)
    if (application.hostHeader === 'external') ports.push(internal.port)
  }
  const keys = SCHEMES.flatMap((scheme) =>
    ports.map((one) => originKey(scheme, { host, port: one })),
  )
  return new Set(keys.filter((one) => one !== key))
}

/** The `Host` that the application is shown. */
function shownHost({ application }: Place): string {
  const { hostHeader, internalUrl, externalUrl } = application
  return new URL(hostHeader === 'internal' ? internalUrl : externalUrl).host
}

/** Of an origin in the form of a browser. */
function keyOfOrigin(origin: string): string {
  const read = readUrl(origin)
  return read?.scheme === undefined ? '' : originKey(read.scheme, read.authority)
}

function keyOf({ scheme }: Side, authority: string): string | undefined {
  const read = readAuthority(authority)
  return read && originKey(scheme, read)
}
