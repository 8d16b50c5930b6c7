/**
 * What tells where an answer ends.
 *
 * @see RFC 9112, section 6.3
 * @module
 */
import { headerValue, headerValues, type HeaderList } from '../../protocol/internal.ts'

/** Whether an answer is all head, whatever its fields say of a length. */
export function isBodiless(method: string, status: number): boolean {
  return method === 'HEAD' || status === 204 || status === 304
}

/** Whether nothing but the end of its connection says where the answer ends. */
export function endsWithConnection(method: string, status: number, headers: HeaderList): boolean {
  if (isBodiless(method, status)) return false
  const codings = headerValues(headers, 'transfer-encoding')
  if (codings.length > 0) return !/(?:^|[,\s])chunked[\s;]*$/i.test(codings.at(-1)!)
  return headerValue(headers, 'content-length') === undefined
}

/**
 * Whether an answer is coded for its transfer in another way than `chunked`. Nobody asked for that
 * (`TE`), and the codings are of the connection: passed on, its content would be what it is not.
 *
 * @see RFC 9112, section 7
 */
export function isCodedForTransfer(method: string, status: number, headers: HeaderList): boolean {
  if (isBodiless(method, status)) return false
  const codings = headerValues(headers, 'transfer-encoding')
  return codings.length > 0 && !/^[ \t]*(?:chunked|identity)[ \t]*$/i.test(codings.join())
}
