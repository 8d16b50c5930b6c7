/**
 * What heads are made of, in MessagePack, written straight into the memory that they leave from.
 * Each element takes its shortest form, except that integers beyond 32 bits travel as float 64.
 *
 * Everything else is written by msgpackr (msgpack-writer.ts). Tests hold both to the same octets;
 * bench/micro/head-writers.ts measures one against the other.
 *
 * @see spec/PROTOCOL.md, "Encoding"
 * @module
 */
import { ApiMisuse } from './errors.ts'
import { writeHexadecimal } from './octets.ts'
import type { Slab } from './slab.ts'

/** Octets of an id. */
const ID_BYTES = 16
/** The most that a number takes, or whatever says how long something is. */
const MOST_BYTES = 9

/** How many elements follow. */
export function putList(to: Slab, length: number): void {
  to.room(MOST_BYTES)
  if (length <= 0x0f) putOctet(to, 0x90 | length)
  else if (length <= 0xffff) putSized(to, 0xdc, length, 2)
  else putSized(to, 0xdd, length, 4)
}

/** A list of texts. */
export function putTexts(to: Slab, texts: readonly string[]): void {
  putList(to, texts.length)
  for (let i = 0; i < texts.length; i++) putText(to, texts[i]!)
}

/** As if it were ASCII, which it nearly always is; if a code unit was not, it is written anew. */
export function putText(to: Slab, text: string): void {
  const { length } = text
  const start = to.at
  putTextLength(to, length)
  const { octets, at } = to
  let units = 0
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i)
    units |= unit
    octets[at + i] = unit
  }
  to.at = units <= 0x7f ? at + length : start
  if (units > 0x7f) putWideText(to, text)
}

/** @throws ApiMisuse for what is no integer from 0 on */
export function putCount(to: Slab, count: number): void {
  to.room(MOST_BYTES)
  if (count >>> 0 !== count) putLarge(to, count)
  else if (count <= 0x7f) putOctet(to, count)
  else if (count <= 0xff) putSized(to, 0xcc, count, 1)
  else if (count <= 0xffff) putSized(to, 0xcd, count, 2)
  else putSized(to, 0xce, count, 4)
}

export function putBoolean(to: Slab, value: boolean): void {
  to.room(MOST_BYTES)
  putOctet(to, value ? 0xc3 : 0xc2)
}

export function putNil(to: Slab): void {
  to.room(MOST_BYTES)
  putOctet(to, 0xc0)
}

/**
 * 16 octets, which are hexadecimal digits in memory.
 *
 * @param what they are, for whoever gave others
 * @throws ApiMisuse
 */
export function putId(to: Slab, digits: string, what: string): void {
  to.room(MOST_BYTES + ID_BYTES)
  putSized(to, 0xc4, ID_BYTES, 1)
  writeHexadecimal(digits, to.octets, to.at, ID_BYTES, what)
  to.at += ID_BYTES
}

/** Half a surrogate pair, which no UTF-8 can carry, becomes U+FFFD, as everywhere on the Web. */
function putWideText(to: Slab, text: string): void {
  let length = 0
  for (const character of text) length += utf8Length(character.codePointAt(0)!)
  putTextLength(to, length)
  for (const character of text) putPoint(to, character.codePointAt(0)!)
}

function utf8Length(point: number): number {
  if (point < 0x80) return 1
  if (point < 0x800) return 2
  return point < 0x1_0000 ? 3 : 4
}

function putPoint(to: Slab, point: number): void {
  const length = utf8Length(point)
  if (length === 1) return putOctet(to, point)
  const isHalf = point >= 0xd800 && point <= 0xdfff
  let rest = isHalf ? 0xfffd : point
  for (let i = length - 1; i > 0; i--) {
    to.octets[to.at + i] = 0x80 | (rest & 0x3f)
    rest >>= 6
  }
  to.octets[to.at] = ((0xf00 >> length) & 0xff) | rest
  to.at += length
}

/** Makes room for the text as well. */
function putTextLength(to: Slab, length: number): void {
  to.room(MOST_BYTES + length)
  if (length <= 0x1f) putOctet(to, 0xa0 | length)
  else if (length <= 0xff) putSized(to, 0xd9, length, 1)
  else if (length <= 0xffff) putSized(to, 0xda, length, 2)
  else putSized(to, 0xdb, length, 4)
}

function putOctet(to: Slab, octet: number): void {
  to.octets[to.at++] = octet
}

/** A first octet, and a number of so many octets behind it. */
function putSized(to: Slab, first: number, value: number, width: 1 | 2 | 4): void {
  putOctet(to, first)
  if (width === 4) {
    putOctet(to, value >>> 24)
    putOctet(to, value >>> 16)
  }
  if (width >= 2) putOctet(to, value >>> 8)
  putOctet(to, value)
}

function putLarge(to: Slab, count: number): void {
  if (!Number.isSafeInteger(count) || count < 0) throw new ApiMisuse(`${count} is no count`)
  putOctet(to, 0xcb)
  const { octets, at } = to
  new DataView(octets.buffer, octets.byteOffset + at, 8).setFloat64(0, count)
  to.at += 8
}
