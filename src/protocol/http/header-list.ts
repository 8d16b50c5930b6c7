/**
 * What a gateway must do to a header list before it passes it on. Pure functions on raw pairs; a
 * list without a fault comes back with every octet, every repetition and its order as they were.
 *
 * The order matters: {@link sanitiseRequest} first removes what belongs to the connection, *then*
 * the names that only a gateway may say, and only then does the caller add its own. A `Connection`
 * field can therefore never remove what was added.
 *
 * @see spec/PROTOCOL.md, "Headers"; RFC 9110, sections 5 and 7.6
 * @module
 */
import type { HeaderList } from '../wire/frame-types.ts'

/**
 * The value of the first field of that name (lower case); a field that must be alone is checked
 * with {@link headerValues}.
 */
export function headerValue(headers: HeaderList, name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) if (isNamed(headers[i]!, name)) return headers[i + 1]!
  return undefined
}

/** The values of every field of that name (lower case), in order. */
export function headerValues(headers: HeaderList, name: string): string[] {
  const values: string[] = []
  for (let i = 0; i < headers.length; i += 2)
    if (isNamed(headers[i]!, name)) values.push(headers[i + 1]!)
  return values
}

/** The list without these names, in every spelling that folds to them. */
export function withoutHeaders(headers: HeaderList, ...names: string[]): HeaderList {
  const unwanted = new FoldedNames(names)
  return keepNames(headers, (name) => !unwanted.has(name))
}

/**
 * The name as an application may come to see it: lower case, with `_` and `.` read as `-`. CGI and
 * its heirs turn all of them into one variable, so a name that folds to a trusted one *is* that
 * name.
 */
export function foldName(name: string): string {
  const lower = name.toLowerCase()
  // As nearly always, there is nothing to replace.
  return /[_.]/.test(lower) ? lower.replace(/[_.]/g, '-') : lower
}

/**
 * Names in every spelling that folds to them. A list has many names and few of them matter, so most
 * are told apart by length and initial, without folding them.
 */
export class FoldedNames {
  /** Folded, and as they are usually spelt: those are told without folding. */
  readonly #names: ReadonlySet<string>
  /**
   * By length (the last stands for all longer ones): which initials occur, a bit for each letter.
   */
  readonly #initials = new Int32Array(64)

  constructor(names: Iterable<string>) {
    const folded = Array.from(names, foldName)
    this.#names = new Set([...folded, ...folded.map(usualSpelling)])
    for (const name of folded) {
      const bits = /^[a-z]/.test(name) ? 1 << (name.charCodeAt(0) & 31) : -1
      this.#initials[Math.min(name.length, 63)]! |= bits
    }
  }

  has(name: string): boolean {
    const bits = this.#initials[name.length < 63 ? name.length : 63]!
    // Both letter cases have the same low five bits.
    if (((bits >>> (name.charCodeAt(0) & 31)) & 1) === 0) return false
    return this.#names.has(name) || this.#names.has(foldName(name))
  }
}

/** `Content-Length` for `content-length`. */
function usualSpelling(name: string): string {
  return name.replace(/(?<![^-])[a-z]/g, (letter) => letter.toUpperCase())
}

/** A request's list as it may leave for the next hop: see the order in this file's head. */
export function sanitiseRequest(
  headers: HeaderList,
  reserved: FoldedNames = reservedNames([]),
): HeaderList {
  return withoutReserved(withoutHopByHop(headers), reserved)
}

/**
 * Removes what concerns one connection only: the hop-by-hop fields, and every field that *any*
 * `Connection` field nominates. Right for requests, responses and trailers alike. A list that holds
 * none of it is returned as it is.
 *
 * @see RFC 9110, section 7.6.1; RFC 9113, section 8.2.2
 */
export function withoutHopByHop(headers: HeaderList): HeaderList {
  const nominated = nominatedNames(headers)
  return keepNames(headers, (name) => !isHopByHop(name) && nominated?.has(name) !== true)
}

/** What the `Connection` fields nominate; `undefined` when that is nothing but hop-by-hop names. */
export function nominatedNames(headers: HeaderList): FoldedNames | undefined {
  let nominated: string[] | undefined
  for (let i = 0; i < headers.length; i += 2) {
    if (!isNamed(headers[i]!, 'connection')) continue
    const value = headers[i + 1]!
    if (value === 'keep-alive' || isHopByHop(value)) continue
    nominated ??= []
    for (const option of value.split(',')) nominated.push(trimBlanks(option))
  }
  return nominated && new FoldedNames(nominated)
}

/** What concerns one connection only, nominated or not. */
export const HOP_BY_HOP: readonly string[] = [
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]
const HOP_BY_HOP_NAMES = new FoldedNames(HOP_BY_HOP)

/** Whether a field of that name concerns one connection only. */
export function isHopByHop(name: string): boolean {
  return HOP_BY_HOP_NAMES.has(name)
}

/**
 * The set that {@link withoutReserved} takes: `ours` (identity headers, for example), and always
 * the forwarding family.
 */
export function reservedNames(ours: Iterable<string>): FoldedNames {
  return new FoldedNames([...FORWARDING, ...ours])
}

/**
 * Drops what only a gateway may say, whoever sent it: nothing is decided by, and nothing passed on
 * of, a forwarding or identity header that came from outside.
 *
 * @see RFC 7239, section 8.1
 */
export function withoutReserved(headers: HeaderList, reserved: FoldedNames): HeaderList {
  return keepNames(headers, (name) => !reserved.has(name) && !isForwardingFamily(name))
}

/**
 * Headers by which applications and gateways learn where a request came from, which URL it was for,
 * or who made it: those of RFC 7239 and CGI, and what vendors' gateways say. `Proxy` is here
 * because CGI reads it as `HTTP_PROXY`.
 *
 * @see docs/reserved-fields.md
 */
export const FORWARDING: readonly string[] = [
  // the address
  'cf-connecting-ip',
  'cf-connecting-ipv6',
  'cf-pseudo-ipv4',
  'client-ip',
  'do-connecting-ip',
  'fastly-client-ip',
  'fly-client-ip',
  'forwarded',
  'forwarded-for',
  'proxy-client-ip',
  'remote-addr',
  'remote-host',
  'true-client-ip',
  'wl-proxy-client-ip',
  'x-appengine-user-ip',
  'x-azure-clientip',
  'x-azure-socketip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-envoy-external-address',
  'x-nf-client-connection-ip',
  'x-originating-ip',
  'x-proxyuser-ip',
  'x-real-ip',
  'x-remote-addr',
  'x-remote-ip',
  'x-true-client-ip',
  // the URL
  'front-end-https',
  'proxy',
  'x-host',
  'x-http-destinationurl',
  'x-rewrite-url',
  // the user
  'remote-ident',
  'remote-user',
  'ssl-client-cert',
  'ssl-client-verify',
  'x-arr-clientcert',
  'x-authenticated-user',
  'x-client-cert',
  'x-remote-user',
  'x-webauth-user',
]
const FORWARDING_FAMILY =
  /^x[-_.](?:amzn[-_.]oidc|app[-_.]proxy|auth[-_.]request|forwarded|goog[-_.]authenticated[-_.]user|ms[-_.]client[-_.]principal|original|ssl[-_.]client)(?:[-_.]|$)/i

/**
 * `X-Forwarded-…`, `X-Original-…` and the like, whatever comes behind: reserved as {@link
 * FORWARDING} is.
 */
export function isForwardingFamily(name: string): boolean {
  return name.length > 9 && (name.charCodeAt(0) | 32) === 0x78 && FORWARDING_FAMILY.test(name)
}

/**
 * A list of trailers as it may be passed on: without what belongs to the connection, without
 * reserved names, and without fields that say how a message is framed, routed, authenticated,
 * cached or read, which a recipient must know before the content.
 *
 * @see RFC 9110, section 6.5.1
 */
export function sanitiseTrailers(trailers: HeaderList, reserved?: FoldedNames): HeaderList {
  const kept = keepNames(withoutHopByHop(trailers), (name) => !isForbiddenTrailer(name))
  return reserved === undefined ? kept : withoutReserved(kept, reserved)
}

/**
 * Fields that are none in a trailer section, besides those of the connection and the forwarding
 * family.
 */
export const FORBIDDEN_TRAILERS: readonly string[] = [
  // framing and routing
  ...['content-length', 'host', 'location', 'max-forwards', 'origin', 'via'],
  // request modifiers and conditions
  ...[
    'expect',
    'if-match',
    'if-modified-since',
    'if-none-match',
    'if-range',
    'if-unmodified-since',
  ],
  ...['prefer', 'range', 'accept', 'accept-charset', 'accept-encoding', 'accept-language'],
  // authentication and state
  ...['authentication-info', 'authorization', 'cookie', 'set-cookie', 'www-authenticate'],
  // control data of responses
  ...[
    'age',
    'alt-svc',
    'cache-control',
    'date',
    'expires',
    'pragma',
    'proxy-status',
    'retry-after',
  ],
  ...['vary', 'warning', 'clear-site-data', 'refresh', 'strict-transport-security'],
  // how the content is to be read
  ...['accept-ranges', 'content-disposition', 'content-encoding', 'content-language'],
  ...['content-location', 'content-range', 'content-security-policy', 'content-type'],
]
const FORBIDDEN_TRAILER_NAMES = new FoldedNames(FORBIDDEN_TRAILERS)
const FORBIDDEN_FAMILY = /^(?:proxy|if|access[-_.]control|sec)[-_.]/i

function isForbiddenTrailer(name: string): boolean {
  return FORBIDDEN_TRAILER_NAMES.has(name) || FORBIDDEN_FAMILY.test(name)
}

/**
 * Trims as HTTP does, space and tab only: `trim` would also eat U+00A0, an octet that others keep.
 */
export function trimBlanks(text: string): string {
  let [start, end] = [0, text.length]
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

/** Whether a field has that name (lower case), in whatever letter case. */
export function isNamed(name: string, lowerCase: string): boolean {
  return name.length === lowerCase.length && name.toLowerCase() === lowerCase
}

/** Copies from the first name on that is not kept; most lists have none. */
function keepNames(headers: HeaderList, keep: (name: string) => boolean): HeaderList {
  let kept: string[] | undefined
  for (let i = 0; i < headers.length; i += 2) {
    if (!keep(headers[i]!)) kept ??= headers.slice(0, i)
    else kept?.push(headers[i]!, headers[i + 1]!)
  }
  return kept ?? headers
}
