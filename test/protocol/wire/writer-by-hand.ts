/**
 * MessagePack of any value, written by hand: shares no code with what it is held against.
 *
 * Each value takes its shortest form, except that integers beyond 32 bits travel as float 64.
 * `undefined` is left out of a map and is nil in an array.
 *
 * @module
 */
import { ApiMisuse } from '../../../src/protocol/wire/errors.ts'

/**
 * Octets that `value` takes at most: what {@link pack} needs room for. Quick, and some three times
 * too much for text.
 */
export function packedBound(value: unknown): number {
  if (typeof value === 'string') return 5 + 3 * value.length
  if (typeof value !== 'object' || value === null) return 9
  if (value instanceof Uint8Array) return 5 + value.length
  let bound = 5
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) bound += packedBound(value[i])
    return bound
  }
  for (const key of Object.keys(value)) {
    bound += 5 + 3 * key.length + packedBound((value as Record<string, unknown>)[key])
  }
  return bound
}

/**
 * Writes `value` into `into` from `at` on, and says where it ended.
 *
 * @throws ApiMisuse for what MessagePack, as the wire has it, cannot say
 */
export function pack(value: unknown, into: Uint8Array, at: number): number {
  switch (typeof value) {
    case 'string':
      return packText(value, into, at)
    case 'number':
      return packNumber(value, into, at)
    case 'boolean':
      into[at] = value ? 0xc3 : 0xc2
      return at + 1
    case 'undefined':
      into[at] = 0xc0
      return at + 1
    case 'object':
      return packObject(value, into, at)
    default:
      throw new ApiMisuse(`a ${typeof value} cannot be encoded`)
  }
}

function packObject(value: object | null, into: Uint8Array, at: number): number {
  if (value === null) {
    into[at] = 0xc0
    return at + 1
  }
  if (value instanceof Uint8Array) {
    const start = packLength(value.length, OCTETS, into, at)
    into.set(value, start)
    return start + value.length
  }
  if (Array.isArray(value)) {
    let end = packLength(value.length, LIST, into, at)
    for (let i = 0; i < value.length; i++) end = pack(value[i], into, end)
    return end
  }
  const map = value as Readonly<Record<string, unknown>>
  const keys = Object.keys(map).filter((key) => map[key] !== undefined)
  let end = packLength(keys.length, MAP, into, at)
  for (const key of keys) end = pack(map[key], into, packText(key, into, end))
  return end
}

/**
 * The first octets of what has a length: the short form's, up to how much it says, and those with
 * 1, 2 and 4 octets of length.
 */
interface Sized {
  readonly short: number
  readonly mostShort: number
  readonly wide1: number
  readonly wide2: number
  readonly wide4: number
}
const TEXT: Sized = { short: 0xa0, mostShort: 31, wide1: 0xd9, wide2: 0xda, wide4: 0xdb }
const OCTETS: Sized = { short: 0, mostShort: -1, wide1: 0xc4, wide2: 0xc5, wide4: 0xc6 }
const LIST: Sized = { short: 0x90, mostShort: 15, wide1: 0, wide2: 0xdc, wide4: 0xdd }
const MAP: Sized = { short: 0x80, mostShort: 15, wide1: 0, wide2: 0xde, wide4: 0xdf }

function packLength(length: number, form: Sized, into: Uint8Array, at: number): number {
  if (length <= form.mostShort) {
    into[at] = form.short | length
    return at + 1
  }
  if (length <= 0xff && form.wide1 !== 0) {
    into[at] = form.wide1
    into[at + 1] = length
    return at + 2
  }
  if (length <= 0xffff) {
    into[at] = form.wide2
    into[at + 1] = length >>> 8
    into[at + 2] = length
    return at + 3
  }
  into[at] = form.wide4
  return packU32(length, into, at + 1)
}

function packU32(value: number, into: Uint8Array, at: number): number {
  into[at] = value >>> 24
  into[at + 1] = value >>> 16
  into[at + 2] = value >>> 8
  into[at + 3] = value
  return at + 4
}

/** As if it were ASCII, which it nearly always is; the first octet that is not begins anew. */
function packText(text: string, into: Uint8Array, at: number): number {
  const { length } = text
  let end = packLength(length, TEXT, into, at)
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0x7f) return packWideText(text, into, at)
    into[end++] = code
  }
  return end
}

function packWideText(text: string, into: Uint8Array, at: number): number {
  let length = 0
  for (const character of text) length += utf8Length(pointOf(character))
  let end = packLength(length, TEXT, into, at)
  for (const character of text) end = packPoint(pointOf(character), into, end)
  return end
}

/** Half a pair, which no UTF-8 can carry, becomes U+FFFD, as everywhere on the Web. */
function pointOf(character: string): number {
  const point = character.codePointAt(0)!
  return point >= 0xd800 && point <= 0xdfff ? 0xfffd : point
}

function utf8Length(point: number): number {
  if (point < 0x80) return 1
  if (point < 0x800) return 2
  return point < 0x1_0000 ? 3 : 4
}

function packPoint(point: number, into: Uint8Array, at: number): number {
  const length = utf8Length(point)
  if (length === 1) into[at] = point
  else {
    into[at] = ((0xf00 >> length) & 0xff) | (point >> (6 * (length - 1)))
    for (let i = 1; i < length; i++)
      into[at + i] = 0x80 | ((point >> (6 * (length - 1 - i))) & 0x3f)
  }
  return at + length
}

const FLOAT = new DataView(new ArrayBuffer(8))

function packNumber(value: number, into: Uint8Array, at: number): number {
  if (value >= 0 && value <= 0xffff_ffff && value >>> 0 === value) {
    if (value <= 0x7f) {
      into[at] = value
      return at + 1
    }
    if (value <= 0xff) {
      into[at] = 0xcc
      into[at + 1] = value
      return at + 2
    }
    if (value <= 0xffff) {
      into[at] = 0xcd
      into[at + 1] = value >>> 8
      into[at + 2] = value
      return at + 3
    }
    into[at] = 0xce
    return packU32(value, into, at + 1)
  }
  if ((value | 0) === value) return packNegative(value, into, at)
  if (!Number.isFinite(value)) throw new ApiMisuse(`${value} cannot be encoded`)
  into[at] = 0xcb
  FLOAT.setFloat64(0, value)
  for (let i = 0; i < 8; i++) into[at + 1 + i] = FLOAT.getUint8(i)
  return at + 9
}

function packNegative(value: number, into: Uint8Array, at: number): number {
  if (value >= -0x20) {
    into[at] = value
    return at + 1
  }
  if (value >= -0x80) {
    into[at] = 0xd0
    into[at + 1] = value
    return at + 2
  }
  if (value >= -0x8000) {
    into[at] = 0xd1
    into[at + 1] = value >>> 8
    into[at + 2] = value
    return at + 3
  }
  into[at] = 0xd2
  return packU32(value, into, at + 1)
}
