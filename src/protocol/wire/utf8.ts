/**
 * UTF-8 by hand: this room has no TextDecoder, and a strict decoder is short.
 *
 * @see RFC 3629, section 4: the table of well-formed sequences
 * @module
 */

/** Where the visible ASCII ends that `octets` begin with at `start`: spaces, but no controls. */
export function visibleEnd(octets: Uint8Array, start: number, end: number): number {
  let at = start
  // Of what is below 0x20 the difference wraps: one comparison says both.
  while (at < end && (octets[at]! - 0x20) >>> 0 < 0x5f) at++
  return at
}

/** The text of `octets[start..end)`, or `undefined` where it is not well-formed UTF-8. */
export function readUtf8(octets: Uint8Array, start: number, end: number): string | undefined {
  let text = ''
  let at = start
  while (at < end) {
    const visible = visibleEnd(octets, at, end)
    text += readAscii(octets, at, visible)
    at = visible
    if (at === end) break
    const lead = octets[at]!
    const length =
      lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0
    if (length === 0 || at + length > end) return undefined
    let point = length === 1 ? lead : lead & (0x7f >> length)
    for (let i = 1; i < length; i++) {
      const next = octets[at + i]!
      if ((next & 0xc0) !== 0x80) return undefined
      point = (point << 6) | (next & 0x3f)
    }
    const overlong = point < (length === 3 ? 0x800 : length === 4 ? 0x10000 : 0)
    const surrogate = point >> 11 === 0xd800 >> 11
    if (overlong || surrogate || point > 0x10ffff) return undefined
    text += String.fromCodePoint(point)
    at += length
  }
  return text
}

/** Eight at a time: a concatenation per octet costs more than twice as much. */
export function readAscii(octets: Uint8Array, start: number, end: number): string {
  const text = String.fromCharCode
  const o = octets
  let read = ''
  let i = start
  for (; i + 8 <= end; i += 8) {
    read += text(o[i]!, o[i + 1]!, o[i + 2]!, o[i + 3]!, o[i + 4]!, o[i + 5]!, o[i + 6]!, o[i + 7]!)
  }
  if (i + 4 <= end) {
    read += text(o[i]!, o[i + 1]!, o[i + 2]!, o[i + 3]!)
    i += 4
  }
  if (i + 2 <= end) {
    read += text(o[i]!, o[i + 1]!)
    i += 2
  }
  return i < end ? read + text(o[i]!) : read
}
