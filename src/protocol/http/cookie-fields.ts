/**
 * Our cookies out of other people's `Cookie` and `Set-Cookie` fields, with every other octet left
 * alone.
 *
 * Names are compared octet for octet: only space and tab are trimmed, no case is folded, nothing is
 * decoded. What some parser might still read as our cookie (`=name=value`, which browsers once sent
 * as `name=value`) counts as ours.
 *
 * @see RFC 6265, sections 4.2 and 5.2; RFC 9113, section 8.2.3
 * @module
 */
import type { HeaderList } from '../wire/frame-types.ts'
import { isNamed, trimBlanks } from './header-list.ts'

/** Whether a cookie name is one of ours. */
export type IsOurCookie = (name: string) => boolean

/** A request's list without our cookies; a `Cookie` field that held nothing else is gone. */
export function withoutCookies(headers: HeaderList, isOurs: IsOurCookie): HeaderList {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const [name, value] = [headers[i]!, headers[i + 1]!]
    const rest = isNamed(name, 'cookie') ? withoutOurPairs(value, isOurs) : value
    if (rest !== undefined) kept.push(name, rest)
  }
  return kept
}

/** A response's list without the `Set-Cookie` fields that would set one of our names. */
export function dropSetCookies(headers: HeaderList, isOurs: IsOurCookie): HeaderList {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const [name, value] = [headers[i]!, headers[i + 1]!]
    if (!isNamed(name, 'set-cookie') || !setsOurCookie(value, isOurs)) kept.push(name, value)
  }
  return kept
}

/**
 * HTTP/2 splits `cookie` to compress it better; whoever passes it on to HTTP/1.1 joins it again, in
 * the place of the first.
 */
export function joinCookies(headers: HeaderList): HeaderList {
  const joined: string[] = []
  let first = -1
  for (let i = 0; i < headers.length; i += 2) {
    const [name, value] = [headers[i]!, headers[i + 1]!]
    if (first !== -1 && isNamed(name, 'cookie')) {
      joined[first] += `; ${value}`
      continue
    }
    joined.push(name, value)
    if (isNamed(name, 'cookie')) first = joined.length - 1
  }
  return joined
}

/**
 * A `Cookie` value without our cookies: `undefined` when nothing is left, the same string when none
 * was ours.
 */
export function withoutOurPairs(value: string, isOurs: IsOurCookie): string | undefined {
  let kept: string | undefined
  let [isFirst, isRemoved, isBlank] = [true, false, true]
  let equals = -1
  for (let start = 0, end = 0; end < value.length; start = end + 1) {
    end = before(value, ';', start)
    // One search for each sign, not one for each pair: a field may have thousands without any.
    if (equals < start) equals = before(value, '=', start)
    const at = nameAt(value, start, end)
    if (equals < at) equals = before(value, '=', at)
    if (isOurs(trimBlanks(value.slice(at, equals < end ? equals : end)))) {
      isRemoved = true
    } else {
      const pair = value.slice(start, end)
      isBlank &&= trimBlanks(pair) === ''
      if (kept !== undefined) kept += `;${pair}`
      // The blank after a removed first pair's semicolon belonged to the separator.
      else kept = isFirst ? pair : pair.replace(/^[ \t]+/, '')
    }
    isFirst = false
  }
  if (!isRemoved) return value
  return isBlank ? undefined : kept
}

/** Whether a `Set-Cookie` value would set one of our names. */
export function setsOurCookie(value: string, isOurs: IsOurCookie): boolean {
  const end = before(value, ';', 0)
  const at = nameAt(value, 0, end)
  return isOurs(trimBlanks(value.slice(at, Math.min(before(value, '=', at), end))))
}

/** Where the sign is from `start` on, or the end. */
function before(value: string, sign: string, start: number): number {
  const at = value.indexOf(sign, start)
  return at === -1 ? value.length : at
}

/** Where a pair's name begins: behind blanks, and behind what a parser may skip. */
function nameAt(value: string, start: number, end: number): number {
  let at = start
  while (at < end && '= \t'.includes(value[at]!)) at++
  return at
}
