/**
 * Reads a frame payload that is a MessagePack array, element by element, and says which one is
 * wrong.
 *
 * @module
 */
import { PeerViolation } from './errors.ts'
import { isFieldValue, isToken } from './fields.ts'
import type { HeaderList } from './frame-types.ts'
import { MAX_FRAME_DEPTH, MAX_HEAD_BYTES, MAX_NAME } from './limits.ts'
import { MessagePackReader } from './msgpack.ts'

const LIMITS = { maxBytes: MAX_HEAD_BYTES, reason: 'MALFORMED_FRAME' } as const

/**
 * What `read` makes of the elements of a payload; it takes them in order.
 *
 * @param frame the frame's name, for refusals
 */
export function readElements<T>(
  payload: Uint8Array,
  frame: string,
  read: (from: PositionalReader) => T,
): T {
  const from = new PositionalReader(payload, frame)
  const value = read(from)
  from.finish()
  return value
}

/** Every method but `next` throws `MALFORMED_FRAME` for an element of the wrong type. */
export class PositionalReader {
  /** The frame's name, for refusals. */
  readonly frame: string
  readonly #from: MessagePackReader
  /** Elements that were not read. */
  #left: number

  constructor(payload: Uint8Array, frame: string) {
    this.frame = frame
    this.#from = new MessagePackReader(payload, LIMITS)
    const length = this.#from.list()
    if (length === undefined) throw malformed(frame, 'must be an array')
    this.#left = length
  }

  /** The next element, unchecked; `undefined` after the last. */
  next(): unknown {
    return this.#isThere() ? this.#from.read(MAX_FRAME_DEPTH - 1) : undefined
  }

  /** What a later version appended means nothing, and must be sound. */
  finish(): void {
    while (this.#isThere()) this.#from.read(MAX_FRAME_DEPTH - 1)
    this.#from.finish()
  }

  /** An integer from 0 to `most`. */
  count(element: string, most: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.next()
    if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > most)
      throw malformed(this.frame, `"${element}" must be a number from 0 to ${most}`)
    return value as number
  }

  /** As {@link count}, or `otherwise` where the element is nil or absent. */
  countOr<T>(element: string, otherwise: T, most?: number): number | T {
    return this.#isNil() ? otherwise : this.count(element, most)
  }

  /** A string that is not empty and not long. */
  name(element: string): string {
    const value = this.next()
    if (typeof value !== 'string' || value === '' || value.length > MAX_NAME)
      throw malformed(this.frame, `"${element}" must be text of 1 to ${MAX_NAME} characters`)
    return value
  }

  /** 16 octets on the wire, 32 hexadecimal digits in memory. */
  id(element: string): string {
    const id = this.#isThere() ? this.#from.id() : undefined
    if (id === undefined) throw malformed(this.frame, `"${element}" must be 16 octets`)
    return id
  }

  /** As {@link id}, or nil. */
  optionalId(element: string): string | undefined {
    return this.#isNil() ? undefined : this.id(element)
  }

  /** A string that HTTP will carry; `FORBIDDEN_OCTET` unless `is` says so. */
  octets(element: string, is: (text: string) => boolean): string {
    const value = this.#isThere() ? this.#from.text() : undefined
    if (value === undefined) throw malformed(this.frame, `"${element}" must be text`)
    if (!is(value)) throw forbidden(this.frame, `"${element}"`)
    return value
  }

  /** As {@link octets}, or nil. */
  optional(element: string, is: (text: string) => boolean): string | undefined {
    return this.#isNil() ? undefined : this.octets(element, is)
  }

  list<T>(element: string, is: (value: unknown) => value is T): T[] {
    const value = this.next()
    if (!Array.isArray(value) || !value.every(is))
      throw malformed(this.frame, `"${element}" must be a list`)
    return value
  }

  /** A flat list of names and values that is clean enough for HTTP. */
  headers(mostFields = Infinity): HeaderList {
    const from = this.#from
    const length = this.#isThere() ? from.list() : undefined
    if (length === undefined || length % 2 !== 0) throw malformed(this.frame, NOT_FLAT)
    if (length > 2 * mostFields)
      throw malformed(this.frame, `more than ${mostFields} header fields`)
    const headers = new Array<string>(length)
    for (let i = 0; i < length; i++) {
      const text = from.text()
      if (text === undefined) throw malformed(this.frame, NOT_FLAT)
      if (i % 2 === 0 ? !isToken(text) : !from.isVisible && !isFieldValue(text))
        throw forbidden(this.frame, `header ${i % 2 === 0 ? 'name' : 'value'} ${i >> 1}`)
      headers[i] = text
    }
    return headers
  }

  /** Whether there is another element; it is about to be read. */
  #isThere(): boolean {
    if (this.#left === 0) return false
    this.#left -= 1
    return true
  }

  /** Whether the next element is nil or absent; it is read then. */
  #isNil(): boolean {
    if (this.#left > 0 && !this.#from.nil()) return false
    this.#isThere()
    return true
  }
}

const NOT_FLAT = 'headers must be a flat list of names and values'

export function malformed(frame: string, detail: string): PeerViolation {
  return new PeerViolation('MALFORMED_FRAME', `${frame}: ${detail}`)
}

function forbidden(frame: string, detail: string): PeerViolation {
  return new PeerViolation('FORBIDDEN_OCTET', `${frame}: ${detail}`)
}
