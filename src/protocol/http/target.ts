/**
 * Which application and which policy a request target selects, and what of it is passed on.
 *
 * Between us and an application stand parsers that we do not know: one decodes `%2e`, one merges
 * slashes, one drops `;parameters`. So a path is judged under every such reading. Where the
 * readings agree, the octets go on as they came (a queue named `%2F` keeps its name); where they do
 * not, the request is refused, because some parser down the line would see another resource than
 * the one we decided about.
 *
 * All this concerns the path. The query is never judged.
 *
 * @see spec/PROTOCOL.md, "Targets"; RFC 9112, section 3.2; RFC 3986, section 6
 * @module
 */
import { ExchangeFailed } from '../wire/errors.ts'
import { isTarget } from '../wire/fields.ts'
import { canonicalHost } from './host.ts'

/** `path + query` is the target in origin form, octet for octet. */
export interface Target {
  /** Starts with `/`. */
  readonly path: string
  /** With its `?`; empty when there is none. */
  readonly query: string
}

/**
 * Takes a request target apart. Origin form, or an absolute form whose host is that of `authority`
 * (the Host or `:authority` of the same request).
 *
 * @throws ExchangeFailed `user-malformed`: another host or form, a fragment, a backslash, a control
 *   character (encoded
 *   ones too), a `%` that encodes nothing, a dot segment in any spelling
 */
export function readTarget(target: string, authority: string): Target {
  if (ORDINARY.test(target)) return split(target)
  if (!isTarget(target)) throw malformed('a target with forbidden octets')
  if (target.includes('#')) throw malformed('a fragment')
  const read = split(originForm(target, authority))
  const fault = pathFault(read.path)
  if (fault !== undefined) throw malformed(fault)
  return read
}

/** A path that nobody reads in two ways, no segment of which begins with a dot; any query. */
const ORDINARY =
  /^(?=\/)(?:\/[!$&'()*+,\-0-9:=@A-Z_a-z~][!$&'()*+,\-.0-9:=@A-Z_a-z~]*)*\/?(?:\?[\x21\x22\x24-\x7e]*)?$/

function split(origin: string): Target {
  const mark = origin.indexOf('?')
  if (mark === -1) return { path: origin, query: '' }
  return { path: origin.slice(0, mark), query: origin.slice(mark) }
}

/**
 * The most specific of `prefixes` that the path lies under, or `undefined` when it lies under none.
 * A prefix covers itself and what follows it after a `/`; a trailing `/` of the prefix says
 * nothing.
 *
 * @throws ExchangeFailed `user-malformed` when the readings of the path disagree
 */
export function selectByPath(path: string, prefixes: readonly string[]): string | undefined {
  const selected = mostSpecific(path, prefixes)
  if (isPlain(path) && prefixes.every(isPlain)) return selected
  for (const read of READINGS) {
    const found = mostSpecific(read(path), prefixes.map(read))
    if (found !== (selected === undefined ? undefined : read(selected)))
      throw malformed('a path that can be read in two ways')
  }
  return selected
}

/** Whether {@link selectByPath} would not refuse. */
export function pathsAgree(path: string, prefixes: readonly string[]): boolean {
  try {
    selectByPath(path, prefixes)
    return true
  } catch {
    return false
  }
}

/**
 * What of a path follows the prefix that it lies under: empty, or starting with `/`; octet for
 * octet.
 */
export function pathAfter(prefix: string, path: string): string {
  return path.slice(withoutSlash(prefix).length)
}

/** The path at the application: its base path, then `rest` as {@link pathAfter} gave it. */
export function joinInternal(basePath: string, rest: string): string {
  return withoutSlash(basePath) + rest || '/'
}

/** The part of every external host that is ours, and never forwarded. */
export const RESERVED_PATH = '/.app-proxy'

/** Whether any reading of the path lies under {@link RESERVED_PATH}. */
export function isReserved(path: string): boolean {
  if (isPlain(path)) return isUnder(path, RESERVED_PATH)
  return isUnder(path, RESERVED_PATH) || READINGS.some((read) => isUnder(read(path), RESERVED_PATH))
}

function originForm(target: string, authority: string): string {
  if (target.startsWith('/')) return target
  const absolute = /^https?:\/\/([^/?]*)(.*)$/is.exec(target)
  if (absolute === null) throw malformed('a target that is no path')
  const host = canonicalHost(absolute[1]!)
  if (host === undefined || host !== canonicalHost(authority))
    throw malformed('an absolute target for another host')
  const rest = absolute[2]!
  return rest.startsWith('/') ? rest : `/${rest}`
}

/** What no application may be shown, in words. */
function pathFault(path: string): string | undefined {
  if (path.includes('\\')) return 'a backslash'
  if (!/[%.]/.test(path)) return undefined
  if (/%(?![0-9a-f]{2})/i.test(path)) return 'a % that encodes nothing'
  if (/%(?:[01][0-9a-f]|7f)/i.test(path)) return 'an encoded control character'
  const hasDots = path.split(SEPARATOR).some((segment) => DOT_SEGMENT.test(segment))
  return hasDots ? 'a dot segment' : undefined
}

/**
 * Every spelling that some parser reads as `/`, and as the segment `.` or `..`: encoded, encoded
 * again (`%252e`), overlong (`%c0%ae`), and with path parameters behind (`..;x`).
 */
const SEPARATOR = /\/|%(?:25)*(?:2f|5c|c0%(?:25)*af)/i
const DOT_SEGMENT = /^(?:\.|%(?:25)*(?:2e|c0%(?:25)*ae)){1,2}(?:(?:;|%(?:25)*3b).*)?$/i

/** The raw path is the reading before these. */
const READINGS: readonly ((path: string) => string)[] = [
  decodeOnce,
  mergeSlashes,
  withoutParameters,
  (path) => mergeSlashes(decodeOnce(path)),
  (path) => mergeSlashes(withoutParameters(path)),
  (path) => mergeSlashes(withoutParameters(decodeOnce(path))),
]

/** A path for which all readings are one. */
function isPlain(path: string): boolean {
  return !/[%;\\]|\/\//.test(path)
}

/** Octets, not characters: what they spell does not matter for comparing. */
function decodeOnce(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

function mergeSlashes(path: string): string {
  return path.replace(/[/\\]+/g, '/')
}

function withoutParameters(path: string): string {
  return path.replace(/;[^/]*/g, '')
}

function mostSpecific(path: string, prefixes: readonly string[]): string | undefined {
  let best: string | undefined
  for (const prefix of prefixes)
    if (isUnder(path, prefix) && (best === undefined || isLonger(prefix, best))) best = prefix
  return best
}

function isUnder(path: string, prefix: string): boolean {
  const stem = withoutSlash(prefix)
  return path.startsWith(stem) && (path.length === stem.length || path[stem.length] === '/')
}

function isLonger(a: string, b: string): boolean {
  return withoutSlash(a).length > withoutSlash(b).length
}

function withoutSlash(prefix: string): string {
  return prefix.endsWith('/') ? prefix.slice(0, -1) : prefix
}

function malformed(cause: string): ExchangeFailed {
  return new ExchangeFailed('user', 'user-malformed', { cause })
}
