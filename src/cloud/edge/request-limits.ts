/**
 * Bounds of a user's request head.
 *
 * @see spec/PROTOCOL.md, "Targets, headers and the user's side"
 * @module
 */
import { ExchangeFailed, MAX_HEAD_BYTES, type HeaderList } from '../../protocol/internal.ts'
import type { UserRequestHead } from '../request/user-exchange.ts'

/**
 * Bounds of one request head, as its listener sets them; beyond one of them the request is refused,
 * with 431 where it is the fields, 414 where it is the target.
 */
export interface RequestLimits {
  /** Header fields. Default 200. */
  readonly maxHeaders?: number
  /**
   * Bytes of all header fields together, as an OFFER carries them. Default 40 960, which is also
   * the most.
   */
  readonly maxHeaderBytes?: number
  /** Characters of the request target. Default 8 192, which is also the most. */
  readonly maxTarget?: number
}

/**
 * Room for a user's header fields in an OFFER: the rest is for target, claims and our own fields.
 */
export const MAX_OFFERED_BYTES = MAX_HEAD_BYTES - 24 * 1024
/** Characters of a request target. */
export const MAX_TARGET = 8192
/** Longer than any that is registered; HTTP/2 bounds it by the head only. */
const MAX_METHOD = 64

/**
 * @throws ExchangeFailed `user-malformed`, `target-too-long` or `head-too-large` when the head is
 *   beyond a limit
 */
export function checkSize(
  { method, headers, target }: UserRequestHead,
  limits: RequestLimits,
): void {
  const { maxHeaders = 200, maxHeaderBytes = MAX_OFFERED_BYTES, maxTarget = MAX_TARGET } = limits
  if (method.length > MAX_METHOD) throw tooLarge('a method that is too long')
  if (headers.length > 2 * maxHeaders) throw headTooLarge('too many header fields')
  if (target.length > Math.min(maxTarget, MAX_TARGET))
    throw new ExchangeFailed('user', 'target-too-long')
  if (isBeyond(headers, Math.min(maxHeaderBytes, MAX_OFFERED_BYTES)))
    throw headTooLarge('a head that is too large')
}

/** Whether a list takes more than `bytes` in a frame, where an octet above 0x7F takes two. */
export function isBeyond(headers: HeaderList, bytes: number): boolean {
  let octets = 3 * headers.length
  for (let i = 0; i < headers.length; i++) octets += headers[i]!.length
  // Looking at every character is for lists that come near the limit.
  if (2 * octets <= bytes) return false
  for (const text of headers) if (/[^\0-\x7f]/.test(text)) octets += text.length
  return octets > bytes
}

function headTooLarge(cause: string): ExchangeFailed {
  return new ExchangeFailed('user', 'head-too-large', { cause })
}

function tooLarge(cause: string): ExchangeFailed {
  return new ExchangeFailed('user', 'user-malformed', { cause })
}
