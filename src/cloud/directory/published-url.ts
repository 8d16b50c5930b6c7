/**
 * Which URLs an operator may publish: the rules that a schema cannot say. Each function returns
 * what is wrong, in words, or `undefined`.
 *
 * @see spec/PROTOCOL.md, "Targets"
 * @module
 */
import { canonicalHost, isReserved, pathsAgree, selectByPath } from '../../protocol/internal.ts'

/**
 * What users see. `https://host[:port]/path/`; `http` only where the browser is on the same
 * machine.
 */
export function externalUrlFault(text: string): string | undefined {
  const url = parse(text)
  if (url === undefined) return 'must be an absolute URL'
  const local = isLocalHost(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && local))
    return 'must be https, except on localhost'
  if (isAddress(url.hostname) && !local) return 'must name a host, not an address'
  if (url.hostname.endsWith('.')) return 'must name its host without a dot at the end'
  if (canonicalHost(url.host) === undefined) return 'must name a host'
  return baseFault(text, url)
}

/** Where the connector finds the application. */
export function internalUrlFault(text: string): string | undefined {
  const url = parse(text)
  if (url === undefined) return 'must be an absolute URL'
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must be http or https'
  return baseFault(text, url)
}

/**
 * What tokens for an application are for. It may end without a slash: a resource is compared octet
 * for octet, as programs call it.
 */
export function resourceFault(text: string, externalUrl: string | undefined): string | undefined {
  const url = parse(text)
  if (url === undefined) return 'must be an absolute URL'
  const fault = ornamentFault(text, url) ?? pathFault(text, url)
  if (fault !== undefined) return fault
  if (externalUrl === undefined || externalUrlFault(externalUrl) !== undefined) return undefined
  const { origin, pathname } = new URL(externalUrl)
  const isBelow = url.origin === origin && selectByPath(url.pathname, [pathname]) !== undefined
  return isBelow ? undefined : 'must lie at or below "externalUrl"'
}

/**
 * The tenant's identity provider. No slash is added or taken: an issuer is compared octet for
 * octet.
 */
export function issuerFault(text: string): string | undefined {
  const url = parse(text)
  if (url === undefined) return 'must be an absolute URL'
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocalHost(url.hostname)))
    return 'must be https, except on localhost'
  return ornamentFault(text, url)
}

/** `localhost`, `*.localhost` and loopback addresses: nothing of it leaves the machine. */
export function isLocalHost(hostname: string): boolean {
  const name = hostname.toLowerCase()
  if (name === 'localhost' || name.endsWith('.localhost') || name === '[::1]') return true
  return isAddress(name) && name.startsWith('127.')
}

function baseFault(text: string, url: URL): string | undefined {
  const ornament = ornamentFault(text, url)
  if (ornament !== undefined) return ornament
  if (!text.endsWith('/')) return 'must end in "/"'
  return pathFault(text, url)
}

function pathFault(text: string, url: URL): string | undefined {
  // The URL parser resolves dot segments and backslashes. Refuse what it had to change.
  const written = /^[^:]*:\/\/[^/\\]*(.*)$/s.exec(text)?.[1]
  if (written !== url.pathname) return `must have its path in plain form: "${url.pathname}"`
  if (!pathsAgree(url.pathname, [url.pathname]) || /%|;|\/\//.test(url.pathname))
    return 'must have a path that can be read in one way only'
  if (isReserved(url.pathname)) return 'must not lie under "/.app-proxy/"'
  return undefined
}

function ornamentFault(text: string, url: URL): string | undefined {
  if (url.username !== '' || url.password !== '') return 'must not hold credentials'
  if (text.includes('?')) return 'must not have a query'
  if (text.includes('#')) return 'must not have a fragment'
  return undefined
}

function parse(text: string): URL | undefined {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : undefined
}

/** The URL parser has brought every spelling of an IPv4 address to four decimal numbers. */
function isAddress(hostname: string): boolean {
  return hostname.startsWith('[') || /^\d+\.\d+\.\d+\.\d+$/.test(hostname)
}
