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
import {
  defaultPort,
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

/** Whom a URL may mean. */
interface Meaning {
  readonly place: Place
  readonly rank: number
  /** It is the external host: the path may be that of either URL. */
  readonly isExternal: boolean
}

// Exactly somebody's origin comes before what is merely a spelling of it.
const [OWN, SIBLING, OWN_SPELLING, SIBLING_SPELLING] = [0, 1, 2, 3]

/** The translation for one application, at one external URL. */
export class UrlTranslation {
  readonly own: Place
  /** What the application takes for its own origin. */
  readonly ownOrigin: string
  /** Whether another application, of whatever tenant, has the same external host. */
  readonly isHostShared: boolean
  readonly #meanings = new Map<string, Meaning[]>()
  /** What is published, by external origin. */
  readonly #externals = new Map<string, Place[]>()
  readonly #hasOneBase: boolean
  /** Whether it takes its external host for its own name. */
  readonly #isShownExternal: boolean

  /**
   * @param application the application whose answers and requests these are
   * @param siblings the applications of its tenant; it may be among them
   * @param neighbours the applications on its external host, of all tenants
   */
  constructor(
    application: PlacedApplication,
    siblings: Iterable<PlacedApplication>,
    neighbours: Iterable<PlacedApplication> = [],
  ) {
    const own = placeOf(application)
    const others = [...siblings].filter((one) => one !== application).map(placeOf)
    const near = [...neighbours].filter((one) => one !== application).map(placeOf)
    this.own = own
    this.ownOrigin = `${own.internal.scheme}://${shownHost(own)}`
    this.isHostShared = [...others, ...near].some(
      ({ external: { host } }) => host === own.external.host,
    )
    this.#hasOneBase = own.internal.base === own.external.base
    this.#isShownExternal =
      application.hostHeader === 'external' || own.internal.key === own.external.key
    for (const place of new Set([own, ...others, ...near]))
      addTo(this.#externals, place.external.key, place)
    this.#addInternal(own, OWN, OWN_SPELLING)
    for (const place of others) this.#addInternal(place, SIBLING, SIBLING_SPELLING)
    for (const key of externalSpellings(own)) {
      const rank = key === keyOf(own.internal, shownHost(own)) ? OWN : OWN_SPELLING
      addTo(this.#meanings, key, { place: own, rank, isExternal: true })
    }
    const isNear = ({ place }: Meaning) => place.application.groupId === application.groupId
    for (const meanings of this.#meanings.values())
      meanings.sort(
        (a, b) =>
          a.rank - b.rank ||
          b.place.internal.base.length - a.place.internal.base.length ||
          Number(isNear(b)) - Number(isNear(a)),
      )
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
    if (!isPath && !this.#isOwnExternal(read as SpeltUrl, authority)) return undefined
    const spelt = readPath(read.tail)
    // A dot segment is refused wherever users say a path.
    if (spelt === undefined || !read.tail.startsWith(spelt.path)) return undefined
    if (this.#publishedAt(external.key, spelt.path) !== this.own) return undefined
    const rest = pathAfter(external.base, spelt.path === '' ? '/' : spelt.path)
    const path = joinInternal(internal.base, rest) + spelt.suffix
    if (isPath && !path.startsWith('//')) return path
    return this.ownOrigin + path
  }

  #outward(url: string): string | undefined {
    if (isAbsolutePath(url)) return this.#ofPath(url)
    const read = readUrl(url)
    const spelt = read && readPath(read.tail)
    if (read === undefined || spelt === undefined) return undefined
    const { external } = this.own
    const key = originKey(read.scheme ?? external.scheme, read.authority)
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
    let best: Meaning | undefined
    for (const one of schemes) {
      const found = this.#meanings
        .get(originKey(one, authority))
        ?.find((meaning) => covers(meaning, spelt.path))
      if (found !== undefined && (best === undefined || found.rank < best.rank)) best = found
    }
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

  #isOwnExternal({ scheme, authority }: SpeltUrl, asked: string | undefined): boolean {
    const { external } = this.own
    if ((scheme ?? external.scheme) !== external.scheme) return false
    const key = originKey(external.scheme, authority)
    return key === external.key || (asked !== undefined && key === keyOf(external, asked))
  }

  /** Whose external URL a path of an external origin is. */
  #publishedAt(key: string, path: string): Place | undefined {
    let found: Place | undefined
    for (const place of this.#externals.get(key) ?? [])
      if (
        isUnderBase(place.external.base, path) &&
        (found === undefined || place.external.base.length > found.external.base.length)
      )
        found = place
    return found
  }

  #addInternal(place: Place, exact: number, spelling: number): void {
    const { internal } = place
    addTo(this.#meanings, internal.key, { place, rank: exact, isExternal: false })
    for (const key of otherScheme(internal))
      addTo(this.#meanings, key, { place, rank: spelling, isExternal: false })
  }
}

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

/** The host with the other scheme, for whoever is told that its users come by that. */
function otherScheme({ scheme, host, port }: Side): readonly string[] {
  const other = scheme === 'https' ? 'http' : 'https'
  const isDefault = port === defaultPort(scheme)
  const ports = isDefault ? [port, undefined] : [port]
  return ports.map((one) => originKey(other, { host, port: one }))
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

function keyOf({ scheme }: Side, authority: string): string | undefined {
  const read = readAuthority(authority)
  return read && originKey(scheme, read)
}

function addTo<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}
