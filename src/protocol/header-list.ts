/**
 * What a gateway must do to a header list before it passes it on. Pure functions on raw pairs; a list without a fault
 * comes back with every octet, every repetition and its order as they were.
 *
 * The order matters: {@link sanitiseRequest} first removes what belongs to the connection, *then* the names that only a
 * gateway may say, and only then does the caller add its own. A `Connection` field can therefore never remove what was added.
 *
 * @see spec/PROTOCOL.md, "Headers"; RFC 9110, sections 5 and 7.6
 * @module
 */
import type { HeaderList } from './frame-types.ts'

/** The value of the first field of that name (lower case); a field that must be alone is checked with {@link headerValues}. */
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
  const folded = new Set(names.map(foldName))
  return keepNames(headers, (name) => !folded.has(foldName(name)))
}

/**
 * The name as an application may come to see it: lower case, with `_` and `.` read as `-`. CGI and its heirs turn all of
 * them into one variable, so a name that folds to a trusted one *is* that name.
 */
export function foldName(name: string): string {
  return name.toLowerCase().replace(/[_.]/g, '-')
}

/** A request's list as it may leave for the next hop: see the order in this file's head. */
export function sanitiseRequest(
  headers: HeaderList,
  reserved: ReadonlySet<string> = reservedNames([]),
): HeaderList {
  return withoutReserved(withoutHopByHop(headers), reserved)
}

/**
 * Removes what concerns one connection only: the hop-by-hop fields, and every field that *any* `Connection` field
 * nominates. Right for requests, responses and trailers alike.
 *
 * @see RFC 9110, section 7.6.1; RFC 9113, section 8.2.2
 */
export function withoutHopByHop(headers: HeaderList): HeaderList {
  const nominated = new Set<string>()
  for (const value of headerValues(headers, 'connection'))
    for (const option of value.split(',')) nominated.add(foldName(trimBlanks(option)))
  return keepNames(headers, (name) => {
    const folded = foldName(name)
    return !HOP_BY_HOP.has(folded) && !nominated.has(folded)
  })
}

const HOP_BY_HOP: ReadonlySet<string> = new Set([
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
])

/** The set that {@link withoutReserved} takes: `ours` (identity headers, for example), and always the forwarding family. */
export function reservedNames(ours: Iterable<string>): ReadonlySet<string> {
  return new Set([...FORWARDING, ...Array.from(ours, foldName)])
}

/**
 * Drops what only a gateway may say, whoever sent it: nothing is decided by, and nothing passed on of, a forwarding or
 * identity header that came from outside.
 *
 * @see RFC 7239, section 8.1
 */
export function withoutReserved(headers: HeaderList, reserved: ReadonlySet<string>): HeaderList {
  return keepNames(headers, (name) => {
    const folded = foldName(name)
    return !reserved.has(folded) && !FORWARDING_FAMILY.test(folded)
  })
}

/** Headers by which applications and gateways learn where a request came from, or which URL it was for. */
const FORWARDING = [
  'client-ip',
  'forwarded',
  'forwarded-for',
  'front-end-https',
  'true-client-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-host',
  'x-proxyuser-ip',
  'x-real-ip',
  'x-rewrite-url',
]
const FORWARDING_FAMILY = /^x-(?:forwarded|original)(?:-|$)/

/** Trims as HTTP does, space and tab only: `trim` would also eat U+00A0, an octet that others keep. */
export function trimBlanks(text: string): string {
  let [start, end] = [0, text.length]
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

function isNamed(name: string, lowerCase: string): boolean {
  return name.length === lowerCase.length && name.toLowerCase() === lowerCase
}

function keepNames(headers: HeaderList, keep: (name: string) => boolean): HeaderList {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2)
    if (keep(headers[i]!)) kept.push(headers[i]!, headers[i + 1]!)
  return kept
}
