/**
 * An application's cookies, as its users get them: never for more than they came for.
 *
 * @see RFC 6265bis, sections 5.4 to 5.7
 * @module
 */
import { trimBlanks } from '../../protocol/internal.ts'
import { isWithinDomain } from '../directory/translate-configuration.ts'

/** What the cookies of an application depend on. */
export interface CookieScope {
  /** Users come by https. */
  readonly isSecure: boolean
  readonly internalHost: string
  readonly externalHost: string
  /** Both end in `/`. */
  readonly internalBase: string
  readonly externalBase: string
  readonly isHostShared: boolean
  /** Default: cookies are the external host's alone. */
  readonly domain?: string | undefined
  /** Whether `SameSite=None` may stay. */
  readonly isCrossSite: boolean
  /** Before each name. Default: nothing. */
  readonly prefix?: string | undefined
}

/**
 * A `Set-Cookie` value for the user; `undefined`: the cookie cannot be passed on without reaching
 * farther.
 *
 * @param requestPath of the request that it answers, as the user sent it
 */
export function translateSetCookie(
  value: string,
  requestPath: string,
  scope: CookieScope,
): string | undefined {
  const [pair = '', ...attributes] = value.split(';')
  const name = nameOf(pair)
  const said = read(attributes)
  const path = pathFor(said.path, requestPath, scope)
  const isWhole = /^__host-/i.test(name) && said.path === '/'
  if (isWhole && scope.isHostShared) return undefined
  const told = {
    path: isWhole ? '/' : path,
    domain: isWhole ? undefined : domainFor(said.domain, scope),
  }
  const kept = attributes.flatMap((attribute, i) => {
    const [key] = partsOf(attribute)
    if (key === 'domain')
      return i === said.domainAt && told.domain === said.domain ? [attribute] : []
    if (key === 'path') return i !== said.pathAt ? [] : told.path === said.path ? [attribute] : []
    return key === 'samesite' && !scope.isCrossSite ? [strengthened(attribute)] : [attribute]
  })
  if (told.path !== undefined && told.path !== said.path) kept.push(` Path=${told.path}`)
  if (told.domain !== undefined && told.domain !== said.domain) kept.push(` Domain=${told.domain}`)
  if (scope.isSecure && !said.isSecure) kept.push(' Secure')
  return [prefixed(pair, name, scope.prefix), ...kept].join(';')
}

/** The pairs of a `Cookie` value as the application set them, without those of its neighbours. */
export function withoutPrefixes(
  value: string,
  own: string | undefined,
  others: readonly string[],
): string {
  const pairs = value.split(';').flatMap((pair) => {
    const name = nameOf(pair)
    const bare = name.replace(SECURE, '')
    if (own !== undefined && bare.startsWith(own)) return [pair.replace(own, '')]
    return others.some((prefix) => bare.startsWith(prefix)) ? [] : [pair]
  })
  return pairs.join(';').replace(/^[ \t]+/, '')
}

const SECURE = /^__secure-/i

/** A cookie without `=` is all value (RFC 6265bis §5.7). */
function nameOf(pair: string): string {
  const equals = pair.indexOf('=')
  return equals === -1 ? '' : trimBlanks(pair.slice(0, equals))
}

function partsOf(attribute: string): [string, string] {
  const equals = attribute.indexOf('=')
  if (equals === -1) return [trimBlanks(attribute).toLowerCase(), '']
  return [
    trimBlanks(attribute.slice(0, equals)).toLowerCase(),
    trimBlanks(attribute.slice(equals + 1)),
  ]
}

/** Of an attribute that is repeated the last one counts. */
function read(attributes: readonly string[]) {
  let [path, pathAt, domain, domainAt, isSecure]: [string?, number?, string?, number?, boolean?] =
    []
  attributes.forEach((attribute, i) => {
    const [key, value] = partsOf(attribute)
    if (key === 'path') [path, pathAt] = [value.startsWith('/') ? value : undefined, i]
    if (key === 'domain') [domain, domainAt] = [value, i]
    if (key === 'secure') isSecure = true
  })
  return { path, pathAt, domain, domainAt, isSecure: isSecure === true }
}

/** Undefined: none has to be said. Paths of cookies are compared octet for octet. */
function pathFor(
  said: string | undefined,
  requestPath: string,
  { internalBase, externalBase }: CookieScope,
): string | undefined {
  if (said === undefined)
    return isUnder(directoryOf(requestPath), externalBase) ? undefined : externalBase
  const isExternal = internalBase.length < externalBase.length && isUnder(said, externalBase)
  if (internalBase === externalBase || isExternal)
    return isUnder(said, externalBase) ? said : externalBase
  if (!isUnder(said, internalBase)) return externalBase
  return stem(externalBase) + said.slice(stem(internalBase).length) || '/'
}

/** Where a cookie without a path is for (RFC 6265 §5.1.4). */
function directoryOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')))
}

function isUnder(path: string, base: string): boolean {
  const start = stem(base)
  return path.startsWith(start) && (path.length === start.length || path[start.length] === '/')
}

function stem(base: string): string {
  return base.slice(0, -1)
}

/** Undefined: the cookie is for the external host alone. */
function domainFor(said: string | undefined, scope: CookieScope): string | undefined {
  const { domain, internalHost, externalHost } = scope
  const came = said?.replace(/^\./, '').toLowerCase() ?? ''
  if (domain === undefined || came === '') return undefined
  // It names the outside already, and no more than is allowed.
  if (isWithinDomain(came, domain)) return isWithinDomain(externalHost, came) ? said : undefined
  return isWithinDomain(internalHost, came) ? domain : undefined
}

function strengthened(attribute: string): string {
  return partsOf(attribute)[1].toLowerCase() === 'none' ? ' SameSite=Lax' : attribute
}

function prefixed(pair: string, name: string, prefix: string | undefined): string {
  if (prefix === undefined || name === '') return pair
  const start = SECURE.exec(name)?.[0].length ?? 0
  const at = pair.indexOf(name) + start
  return pair.slice(0, at) + prefix + pair.slice(at)
}
