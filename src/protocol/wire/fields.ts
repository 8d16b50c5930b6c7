/**
 * What HTTP allows in a name, a value, a method and a target: the checks both ends share. One
 * regular expression each, so that a head costs one pass.
 *
 * @see RFC 9110, sections 5.1, 5.5 and 5.6.2; RFC 9112, section 3.2
 * @module
 */
import type { HeaderList } from './frame-types.ts'

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/**
 * Stricter than "no CR, LF, NUL": other control characters are invalid as well, and the HTTP
 * libraries behind us throw on them.
 */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
const TARGET = /^[\x21-\x7e]+$/

/** A header name or a method. */
export function isToken(text: string): boolean {
  return TOKEN.test(text)
}

/**
 * A header value whose code points are octets: no control character but HTAB, nothing above U+00FF.
 */
export function isFieldValue(text: string): boolean {
  return VALUE.test(text)
}

/**
 * A request target that a request line can carry: visible ASCII, and some of it. URIs know nothing
 * else (RFC 3986, section 2), and of an octet above 0x7F nobody can say what the next parser makes
 * of it.
 */
export function isTarget(text: string): boolean {
  return TARGET.test(text)
}

/**
 * What is wrong with a header list, or `undefined`. Ask before sending what came from elsewhere:
 * the peer ends the whole link over a list that is not clean. The answer never quotes a value.
 */
export function headersFault(headers: HeaderList): string | undefined {
  if (headers.length % 2 !== 0) return 'a name without a value'
  for (let i = 0; i < headers.length; i += 2) {
    if (!TOKEN.test(headers[i]!)) return `header name ${i / 2} is no token`
    if (!VALUE.test(headers[i + 1]!)) return `header value ${i / 2} has a forbidden octet`
  }
  return undefined
}
