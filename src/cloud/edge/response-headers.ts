/**
 * What a response's head and trailers go through on the way to the user.
 *
 * That no octet in them forges a line, the frame's decoder saw to.
 *
 * @see spec/PROTOCOL.md, "Targets, headers and the user's side"
 * @module
 */
import {
  FoldedNames,
  headerValues,
  HOP_BY_HOP,
  isHopByHop,
  isNamed,
  nominatedNames,
  sanitiseTrailers,
  setsOurCookie,
  type HeaderList,
  type ResponseHead,
} from '../../protocol/internal.ts'
import { isOwnCookie } from '../directory/cookies.ts'
import {
  ANSWER_FIELDS,
  isAnswerField,
  type ExchangeTranslation,
} from '../translate/exchange-translation.ts'

/** Names that are looked at: a list without them, which is most, is passed on as it is. */
const RULED = new FoldedNames([
  ...[...HOP_BY_HOP, ...ANSWER_FIELDS],
  ...['alt-svc', 'content-length', 'set-cookie'],
])

/**
 * A response's list as the user gets it: without what belongs to the connection and to the host
 * inside, without cookies in our names, and translated. A 101 and a 426 keep their `Upgrade`; a 205
 * has no content.
 *
 * @param translation undefined: nothing is translated
 */
export function responseHeaders(
  { status, headers }: ResponseHead,
  translation?: ExchangeTranslation,
): HeaderList {
  const nominated = nominatedNames(headers)
  let changed: string[] | undefined
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    const value = headers[i + 1]!
    const passed =
      nominated?.has(name) === true && !(namesProtocols(status) && isNamed(name, 'upgrade'))
        ? undefined
        : RULED.has(name)
          ? ruled(name, value, status, translation)
          : value
    if (passed !== value) changed ??= headers.slice(0, i)
    if (changed !== undefined && passed !== undefined) changed.push(name, passed)
  }
  if (changed !== undefined && translation?.variesByOrigin === true) varyByOrigin(changed)
  return changed ?? headers
}

/** The length that a response declares. NaN: none; `undefined`: what is said of it is no length. */
export function declaredLength({ headers }: ResponseHead): number | undefined {
  let declared: string | undefined
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    if (isNamed(name, 'transfer-encoding')) return undefined
    if (!isNamed(name, 'content-length')) continue
    if (declared !== undefined) return undefined
    declared = headers[i + 1]!
  }
  if (declared === undefined) return Number.NaN
  return /^\d{1,15}$/.test(declared) ? Number(declared) : undefined
}

/** Response trailers that may be passed on; `undefined` when that is none. */
export function responseTrailers(
  trailers: HeaderList | undefined,
  translation?: ExchangeTranslation,
): HeaderList | undefined {
  if (trailers === undefined) return undefined
  const kept = sanitiseTrailers(trailers)
  if (kept.length === 0) return undefined
  return translation === undefined ? kept : translation.trailers(kept)
}

/** Statuses that say in `Upgrade` what the connection becomes, or would have to (RFC 9110 §7.8). */
function namesProtocols(status: number): boolean {
  return status === 101 || status === 426
}

/** The value a field goes on with; `undefined`: it does not. */
function ruled(
  name: string,
  value: string,
  status: number,
  translation: ExchangeTranslation | undefined,
): string | undefined {
  if (isNamed(name, 'content-length')) {
    // None has content, and the first two may not say a length (RFC 9110 §8.6, §15.3.6).
    return status < 200 || status === 204 || status === 205 ? undefined : value
  }
  // It names other ways to the host inside.
  if (isNamed(name, 'alt-svc')) return undefined
  if (isNamed(name, 'set-cookie') && setsOurCookie(value, isOwnCookie)) return undefined
  if (isAnswerField(name))
    return translation === undefined ? value : translation.answerField(name, value)
  if (namesProtocols(status) && isNamed(name, 'upgrade')) return value
  return isHopByHop(name) ? undefined : value
}

/** A cache that keeps the answer keeps it for the origin that it was given to. */
function varyByOrigin(headers: string[]): void {
  const vary = headerValues(headers, 'vary').join(',')
  if (!/(?:^|,)[ \t]*(?:\*|origin)[ \t]*(?:,|$)/i.test(vary)) headers.push('Vary', 'Origin')
}
