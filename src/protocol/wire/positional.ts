/**
 * Reads a frame payload that is a MessagePack array, element by element, and says which one is
 * wrong.
 *
 * @module
 */
import { PeerViolation } from './errors.ts'
import { headersFault, namesFault } from './fields.ts'
import type { HeaderList } from './frame-types.ts'
import { MAX_FRAME_DEPTH, MAX_HEAD_BYTES, MAX_NAME } from './limits.ts'
import { decoded } from './msgpack.ts'

const LIMITS = {
  maxBytes: MAX_HEAD_BYTES,
  maxDepth: MAX_FRAME_DEPTH,
  reason: 'MALFORMED_FRAME',
} as const

/**
 * Element by element, in order; every method but `next` throws `MALFORMED_FRAME` for an element of
 * the wrong type.
 */
export class PositionalReader {
  /** The frame's name, for refusals. */
  readonly frame: string
  readonly #elements: readonly unknown[]
  /** Of its texts none can hold what HTTP forbids in a value. */
  readonly #isVisible: boolean
  #at = 0

  constructor(payload: Uint8Array, frame: string) {
    const { value: elements, isVisible } = decoded(payload, LIMITS)
    if (!Array.isArray(elements)) throw malformed(frame, 'must be an array')
    this.frame = frame
    this.#elements = elements
    this.#isVisible = isVisible
  }

  /** The next element, unchecked; `undefined` after the last. */
  next(): unknown {
    return this.#elements[this.#at++]
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
    if (this.#elements[this.#at] !== undefined) return this.count(element, most)
    this.#at++
    return otherwise
  }

  /** A string that is not empty and not long. */
  name(element: string): string {
    const value = this.next()
    if (typeof value !== 'string' || value === '' || value.length > MAX_NAME)
      throw malformed(this.frame, `"${element}" must be text of 1 to ${MAX_NAME} characters`)
    return value
  }

  /** A string that HTTP will carry; `FORBIDDEN_OCTET` unless `is` says so. */
  octets(element: string, is: (text: string) => boolean): string {
    const value = this.next()
    if (typeof value !== 'string') throw malformed(this.frame, `"${element}" must be text`)
    if (!is(value)) throw forbidden(this.frame, `"${element}"`)
    return value
  }

  /** As {@link octets}, or nil. */
  optional(element: string, is: (text: string) => boolean): string | undefined {
    if (this.#elements[this.#at] !== undefined) return this.octets(element, is)
    this.#at++
    return undefined
  }

  list<T>(element: string, is: (value: unknown) => value is T): T[] {
    const value = this.next()
    if (!Array.isArray(value) || !value.every(is))
      throw malformed(this.frame, `"${element}" must be a list`)
    return value
  }

  /** A flat list of names and values that is clean enough for HTTP. */
  headers(mostFields = Infinity): HeaderList {
    const value = this.next()
    if (!Array.isArray(value) || value.length % 2 !== 0 || !value.every(isText))
      throw malformed(this.frame, 'headers must be a flat list of names and values')
    if (value.length > 2 * mostFields)
      throw malformed(this.frame, `more than ${mostFields} header fields`)
    const fault = this.#isVisible ? namesFault(value) : headersFault(value)
    if (fault !== undefined) throw forbidden(this.frame, fault)
    return value
  }
}

export function malformed(frame: string, detail: string): PeerViolation {
  return new PeerViolation('MALFORMED_FRAME', `${frame}: ${detail}`)
}

function forbidden(frame: string, detail: string): PeerViolation {
  return new PeerViolation('FORBIDDEN_OCTET', `${frame}: ${detail}`)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}
