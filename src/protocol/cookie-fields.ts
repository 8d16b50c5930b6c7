/**
 * Our cookies out of other people's `Cookie` and `Set-Cookie` fields, with every other octet left alone.
 *
 * Names are compared octet for octet: only space and tab are trimmed, no case is folded, nothing is decoded. What some
 * parser might still read as our cookie (`=name=value`, which browsers once sent as `name=value`) counts as ours.
 *
 * @see RFC 6265, sections 4.2 and 5.2; RFC 9113, section 8.2.3
 * @module
 */
import type { HeaderList } from './frame-types.ts'
import { trimBlanks } from './header-list.ts'

/** Whether a cookie name is one of ours. */
export type IsOurCookie = (name: string) => boolean

/** A request's list without our cookies; a `Cookie` field that held nothing else is gone. */
export function withoutCookies(headers: HeaderList, isOurs: IsOurCookie): HeaderList {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const [name, value] = [headers[i]!, headers[i + 1]!]
    const rest = isField(name, 'cookie') ? withoutPairs(value, isOurs) : value
    if (rest !== undefined) kept.push(name, rest)
  }
  return kept
}

/** A response's list without the `Set-Cookie` fields that would set one of our names. */
export function dropSetCookies(headers: HeaderList, isOurs: IsOurCookie): HeaderList {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const [name, value] = [headers[i]!, headers[i + 1]!]
    if (!isField(name, 'set-cookie') || !namesOurs(value.split(';', 1)[0]!, isOurs))
      kept.push(name, value)
  }
  return kept
}

/** HTTP/2 splits `cookie` to compress it better; whoever passes it on to HTTP/1.1 joins it again, in the place of the first. */
export function joinCookies(headers: HeaderList): HeaderList {
  const joined: string[] = []
  let first = -1
  for (let i = 0; i < headers.length; i += 2) {
    const [name, value] = [headers[i]!, headers[i + 1]!]
    if (first !== -1 && isField(name, 'cookie')) {
      joined[first] += `; ${value}`
      continue
    }
    joined.push(name, value)
    if (isField(name, 'cookie')) first = joined.length - 1
  }
  return joined
}

/** `undefined` when nothing is left; the same string when nothing was ours. */
function withoutPairs(value: string, isOurs: IsOurCookie): string | undefined {
  const pairs = value.split(';')
  const others = pairs.filter((pair) => !namesOurs(pair, isOurs))
  if (others.length === pairs.length) return value
  if (others.every((pair) => trimBlanks(pair) === '')) return undefined
  // The blank after a removed first pair's semicolon belonged to the separator.
  if (others[0] !== pairs[0]) others[0] = others[0]!.replace(/^[ \t]+/, '')
  return others.join(';')
}

function namesOurs(pair: string, isOurs: IsOurCookie): boolean {
  const named = pair.replace(/^[= \t]+/, '')
  const equals = named.indexOf('=')
  return isOurs(trimBlanks(equals === -1 ? named : named.slice(0, equals)))
}

function isField(name: string, lowerCase: string): boolean {
  return name.length === lowerCase.length && name.toLowerCase() === lowerCase
}
