/**
 * What a URL says, however it is spelt: other letter case, the default port, an address in other
 * digits, a name in percent-encoding or Unicode, a dot at the end of its host.
 *
 * Hosts are read as a browser reads them. Not read at all is what two readers may read as two
 * things: user information, a backslash, a control character; and a path that the edge itself
 * would refuse to serve.
 *
 * @see WHATWG URL, "host parsing"; RFC 3986, section 3
 * @module
 */
import { canonicalHost, readTarget, selectByPath } from '../../protocol/internal.ts'

export type Scheme = 'http' | 'https'

/** An absolute URL, or one without its scheme. */
export interface SpeltUrl {
  /** Undefined: that of the page that says it. */
  readonly scheme: Scheme | undefined
  readonly authority: Authority
  /** Path, query and fragment, octet for octet; may be empty. */
  readonly tail: string
}

/** Host and port. */
export interface Authority {
  readonly host: string
  /** Undefined: the default of the scheme. */
  readonly port: number | undefined
}

/** `undefined`: it is none, or none that is read in one way only. */
export function readUrl(text: string): SpeltUrl | undefined {
  if (FORBIDDEN.test(text)) return undefined
  const match = ABSOLUTE.exec(text)
  const authority = match === null ? undefined : readAuthority(match[2]!)
  if (match === null || authority === undefined) return undefined
  const scheme = match[1]?.toLowerCase() as Scheme | undefined
  return { scheme, authority, tail: text.slice(match[0].length) }
}

const ABSOLUTE = /^(?:(https?):)?\/\/([^/?#]+)/i
const FORBIDDEN = /[\x00-\x1f\x7f\\]/

/** Text that no URL is read in: see {@link readUrl}. */
export function isForbidden(text: string): boolean {
  return FORBIDDEN.test(text)
}

/** Host and port as they are compared; `undefined` for what is none, or holds user information. */
export function readAuthority(text: string): Authority | undefined {
  const match = AUTHORITY.exec(text)
  if (match === null) return undefined
  const [, written = '', digits = ''] = match
  const port = digits === '' ? undefined : Number(digits)
  if (port !== undefined && port > 65_535) return undefined
  const host = PLAIN_HOST.test(written) ? canonicalHost(written) : readHost(written)
  return host === undefined ? undefined : { host, port }
}

/** The port may be empty (RFC 3986 §3.2.3). */
const AUTHORITY = /^(\[[^\]]*\]|[^@:[\]]+)(?::(\d{0,8}))?$/
/** No number at the end: it would be an address, and those have many spellings. */
const PLAIN_HOST = /^(?:[a-z0-9_-]+\.)*[a-z][a-z0-9_-]*\.?$/i

function readHost(written: string): string | undefined {
  const url = `http://${written}/`
  return URL.canParse(url) ? canonicalHost(new URL(url).host) : undefined
}

/** Scheme, host and port in one text. */
export function originKey(scheme: Scheme, { host, port }: Authority): string {
  return `${scheme}://${host}:${port ?? defaultPort(scheme)}`
}

export function defaultPort(scheme: Scheme): number {
  return scheme === 'https' ? 443 : 80
}

/** A path, and what follows it. */
export interface SpeltPath {
  /** Without dot segments; else octet for octet. Empty where none is written. */
  readonly path: string
  /** Query and fragment, octet for octet. */
  readonly suffix: string
}

/** `undefined`: the edge would not serve it. */
export function readPath(tail: string): SpeltPath | undefined {
  const at = tail.search(/[?#]/)
  const written = at === -1 ? tail : tail.slice(0, at)
  const suffix = at === -1 ? '' : tail.slice(at)
  if (written === '' || isServed(written)) return { path: written, suffix }
  const url = `http://host${written}`
  const path = URL.canParse(url) ? new URL(url).pathname : ''
  if (!isServed(path)) return undefined
  // What is not ASCII was only written in another way for that question.
  return { path: DOT_SEGMENT.test(written) ? path : written, suffix }
}

const DOT_SEGMENT = /(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i

function isServed(path: string): boolean {
  try {
    readTarget(path, 'host')
    return true
  } catch {
    return false
  }
}

/** Whether a path lies under a base path at a segment's border, in every reading. */
export function isUnderBase(base: string, path: string): boolean {
  try {
    return selectByPath(path === '' ? '/' : path, [base]) !== undefined
  } catch {
    return false
  }
}
