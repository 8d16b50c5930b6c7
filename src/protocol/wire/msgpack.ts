/**
 * MessagePack, strictly: what the wire may carry is nil, booleans, finite numbers, UTF-8 strings,
 * octets, arrays and maps with string keys. Nothing else.
 *
 * msgpackr writes control messages (msgpack-writer.ts), we write heads (head-writer.ts), and read
 * both. No decoder at hand is safe against a hostile peer: msgpackr decodes its own record, error,
 * regular-expression and set extensions whatever its options say, and accepts the byte 0xc1,
 * invalid UTF-8 and repeated keys; others know no depth limit. A gate in front of them would have
 * to parse everything once already, and at that point it is a decoder.
 *
 * @see spec/PROTOCOL.md, "Encoding"
 * @module
 */
import { PeerViolation, type PeerViolationReason } from './errors.ts'
import { packToCopy, plain } from './msgpack-writer.ts'
import { hexadecimal } from './octets.ts'
import { readAscii, readUtf8, visibleEnd } from './utf8.ts'

export interface DecodeLimits {
  /** Octets of the whole value. */
  readonly maxBytes: number
  /** Arrays and maps inside each other; a lone array has depth 1. */
  readonly maxDepth: number
  /**
   * What a refusal is called: `MALFORMED_MESSAGE` for control messages, `MALFORMED_FRAME` for frame
   * payloads.
   */
  readonly reason: PeerViolationReason
}

/**
 * Encodes a value of the types above in its shortest form, except that integers beyond 32 bits
 * travel as float 64. `undefined` is left out of a map and is nil in an array. The result owns its
 * memory.
 *
 * @throws ApiMisuse for any other value
 */
export function encode(value: unknown): Uint8Array<ArrayBuffer> {
  return new Uint8Array(packToCopy(plain(value)))
}

/**
 * Decodes exactly one value. Maps become plain objects, bin a copy of its octets, and nil
 * `undefined`, in a map as anywhere else: to a schema, an optional field that is nil is an absent
 * one.
 *
 * @throws PeerViolation with `limits.reason`: too long, too deep, truncated, trailing octets, a
 *   length beyond what is there, an extension type, a key that is repeated, no string or dangerous
 *   to own, text that is not UTF-8, a number that is not finite or is beyond ±(2^53 − 1)
 */
export function decode(octets: Uint8Array, limits: DecodeLimits): unknown {
  const reader = new MessagePackReader(octets, limits)
  const value = reader.read(limits.maxDepth)
  reader.finish()
  return value
}

/** Octets of an id. */
const ID_BYTES = 16

/** Octets of a runtime that makes texts of them faster than anybody else does. */
interface SliceableOctets extends Uint8Array {
  latin1Slice?(start: number, end: number): string
  hexSlice?(start: number, end: number): string
}

/** Reads one value after the other, and throws as {@link decode} does. */
export class MessagePackReader {
  readonly #octets: SliceableOctets
  readonly #reason: PeerViolationReason
  #at = 0
  /** The octets as code points, once a text was a part of that. */
  #all: string | undefined
  #isVisible = true

  constructor(octets: Uint8Array, { maxBytes, reason }: Omit<DecodeLimits, 'maxDepth'>) {
    this.#octets = octets
    this.#reason = reason
    if (octets.length > maxBytes) this.#refuse(`longer than ${maxBytes} octets`)
  }

  /** The last text is visible ASCII and spaces: no control character, nothing above U+007E. */
  get isVisible(): boolean {
    return this.#isVisible
  }

  /** How many elements a list has, if one comes next; otherwise nothing was read. */
  list(): number | undefined {
    const type = this.#octets[this.#at] ?? 0
    const isShort = type >= 0x90 && type <= 0x9f
    if (!isShort && type !== 0xdc && type !== 0xdd) return undefined
    this.#at += 1
    const length = isShort ? type & 0x0f : this.#unsigned(type === 0xdc ? 2 : 4)
    this.#expect(length)
    return length
  }

  /** Whether nil comes next; otherwise nothing was read. */
  nil(): boolean {
    if (this.#octets[this.#at] !== 0xc0) return false
    this.#at += 1
    return true
  }

  /** 16 octets in hexadecimal digits, in whichever form, if they come next. */
  id(): string | undefined {
    const octets = this.#octets
    const type = octets[this.#at] ?? 0
    if (type < 0xc4 || type > 0xc6) return undefined
    this.#at += 1
    const length = this.#unsigned(type === 0xc4 ? 1 : type === 0xc5 ? 2 : 4)
    if (length !== ID_BYTES) return undefined
    const start = this.#take(ID_BYTES)
    return octets.hexSlice?.(start, this.#at) ?? hexadecimal(octets.subarray(start, this.#at))
  }

  /**
   * A text, if one comes next; otherwise nothing was read. It may be a part of one that is all the
   * octets: what outlives them is for {@link read}.
   */
  text(): string | undefined {
    const type = this.#octets[this.#at] ?? 0
    if (!isText(type)) return undefined
    this.#at += 1
    const length =
      type <= 0xbf ? type & 0x1f : this.#unsigned(type === 0xd9 ? 1 : type === 0xda ? 2 : 4)
    const start = this.#take(length)
    const octets = this.#octets
    this.#isVisible = visibleEnd(octets, start, this.#at) === this.#at
    if (!this.#isVisible) return this.#wide(start)
    this.#all ??= octets.latin1Slice?.(0, octets.length)
    return this.#all?.slice(start, this.#at) ?? readAscii(octets, start, this.#at)
  }

  /** Recursion is bounded by `depth`, the number of containers that may still be opened. */
  read(depth: number): unknown {
    const type = this.#octets[this.#take(1)]!
    if (type <= 0x7f) return type
    if (type <= 0x8f) return this.#map(type & 0x0f, depth)
    if (type <= 0x9f) return this.#array(type & 0x0f, depth)
    if (type <= 0xbf) return this.#text(type & 0x1f)
    if (type >= 0xe0) return type - 0x100
    switch (type) {
      case 0xc0:
        return undefined
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
        return this.#bin(this.#unsigned(1))
      case 0xc5:
        return this.#bin(this.#unsigned(2))
      case 0xc6:
        return this.#bin(this.#unsigned(4))
      case 0xca:
        return this.#exact(this.#view(4).getFloat32(0))
      case 0xcb:
        return this.#exact(this.#view(8).getFloat64(0))
      case 0xcc:
        return this.#unsigned(1)
      case 0xcd:
        return this.#unsigned(2)
      case 0xce:
        return this.#unsigned(4)
      case 0xcf:
        return this.#exact(this.#unsigned(4) * 2 ** 32 + this.#unsigned(4))
      case 0xd0:
        return this.#view(1).getInt8(0)
      case 0xd1:
        return this.#view(2).getInt16(0)
      case 0xd2:
        return this.#view(4).getInt32(0)
      case 0xd3:
        return this.#exact(this.#view(4).getInt32(0) * 2 ** 32 + this.#unsigned(4))
      case 0xd9:
        return this.#text(this.#unsigned(1))
      case 0xda:
        return this.#text(this.#unsigned(2))
      case 0xdb:
        return this.#text(this.#unsigned(4))
      case 0xdc:
        return this.#array(this.#unsigned(2), depth)
      case 0xdd:
        return this.#array(this.#unsigned(4), depth)
      case 0xde:
        return this.#map(this.#unsigned(2), depth)
      case 0xdf:
        return this.#map(this.#unsigned(4), depth)
      default:
        return this.#refuse(`type 0x${type.toString(16)} is not allowed`)
    }
  }

  /** Nothing must follow. */
  finish(): void {
    if (this.#at !== this.#octets.length) this.#refuse('octets after the value')
  }

  #array(length: number, depth: number): unknown[] {
    if (depth === 0) this.#refuse('nested too deep')
    this.#expect(length)
    const array = new Array<unknown>(length)
    for (let i = 0; i < length; i++) array[i] = this.read(depth - 1)
    return array
  }

  #map(length: number, depth: number): Record<string, unknown> {
    if (depth === 0) this.#refuse('nested too deep')
    this.#expect(2 * length)
    const map: Record<string, unknown> = {}
    for (let i = 0; i < length; i++) {
      const key = this.#key()
      if (Object.hasOwn(map, key)) this.#refuse('a key is repeated')
      map[key] = this.read(depth - 1)
    }
    return map
  }

  /**
   * A container's every element takes at least one octet: a length beyond that is refused before
   * anything is made of it.
   */
  #expect(elements: number): void {
    if (elements > this.#octets.length - this.#at) this.#refuse('a length beyond the end')
  }

  #key(): string {
    if (!isText(this.#octets[this.#at] ?? 0)) this.#refuse('a key is no string')
    const key = this.read(0) as string
    // On a plain object these reach the prototype, here or wherever the object is copied later.
    if (key === '__proto__' || key === 'constructor' || key === 'prototype')
      this.#refuse('a key that is never allowed')
    return key
  }

  #text(length: number): string {
    const start = this.#take(length)
    if (visibleEnd(this.#octets, start, this.#at) === this.#at)
      return readAscii(this.#octets, start, this.#at)
    return this.#wide(start)
  }

  #wide(start: number): string {
    return (
      readUtf8(this.#octets, start, this.#at) ?? this.#refuse('a string that is not valid UTF-8')
    )
  }

  /** A copy: a few octets must not keep the whole chunk they arrived in. */
  #bin(length: number): Uint8Array {
    const start = this.#take(length)
    return new Uint8Array(this.#octets.subarray(start, this.#at))
  }

  #unsigned(width: 1 | 2 | 4): number {
    const at = this.#take(width)
    const octets = this.#octets
    if (width === 1) return octets[at]!
    const high = (octets[at]! << 8) | octets[at + 1]!
    return width === 2 ? high : ((high << 16) | (octets[at + 2]! << 8) | octets[at + 3]!) >>> 0
  }

  #view(bytes: number): DataView {
    const { buffer, byteOffset } = this.#octets
    return new DataView(buffer, byteOffset + this.#take(bytes), bytes)
  }

  #exact(number: number): number {
    // Written so that NaN fails too. Beyond this bound neighbouring integers are one number.
    if (!(Math.abs(number) <= Number.MAX_SAFE_INTEGER)) this.#refuse('a number out of range')
    return number
  }

  /** Moves past `length` octets and says where they start. */
  #take(length: number): number {
    const start = this.#at
    if (length > this.#octets.length - start) this.#refuse('truncated')
    this.#at = start + length
    return start
  }

  #refuse(detail: string): never {
    throw new PeerViolation(this.#reason, detail)
  }
}

/** Whether what begins with this octet is text. */
function isText(type: number): boolean {
  return (type >= 0xa0 && type <= 0xbf) || (type >= 0xd9 && type <= 0xdb)
}
