/**
 * Reads one tag, octet by octet, in as many pieces as it comes in: where it ends, and where the
 * attributes that matter have their values.
 *
 * Positions are counted from the first octet of the tag's name.
 *
 * @see https://html.spec.whatwg.org/multipage/parsing.html#tag-name-state and what follows it
 * @module
 */
import { hashed, type NameTable } from './names.ts'
import { MAX_HELD_BYTES } from './body-translator.ts'

/** Where an attribute is. Without a value, `from` and `to` are the same. */
export interface AttributeSpan {
  readonly hash: number
  readonly nameFrom: number
  readonly nameTo: number
  from: number
  to: number
}

type State =
  | 'name'
  | 'between'
  | 'slash'
  | 'attribute'
  | 'behind-attribute'
  | 'before-value'
  | 'quoted'
  | 'unquoted'

/** A start tag or an end tag, from the first octet of its name to the `>`. */
export class TagReader {
  readonly #wanted: NameTable
  #state: State = 'name'
  #quote = 0
  /** The attribute that is being read. */
  #hash = 0
  #nameFrom = 0
  /** Where its value goes; undefined: it does not matter. */
  #attribute: AttributeSpan | undefined
  nameHash = 0
  nameLength = 0
  /** Octets read so far. */
  length = 0
  isSelfClosing = false
  /** Those of the wanted names, in order. */
  attributes: AttributeSpan[] = []

  /** @param wanted names of the attributes that matter */
  constructor(wanted: NameTable) {
    this.#wanted = wanted
  }

  /** Another tag begins. `behindName`: its name was read by somebody else. */
  begin(state: 'name' | 'behindName' = 'name'): void {
    this.#state = state === 'name' ? 'name' : 'between'
    this.length = 0
    this.nameHash = 0
    this.nameLength = 0
    this.isSelfClosing = false
    if (this.attributes.length > 0) this.attributes = []
  }

  /** Its attributes were not all looked at. */
  get isTooLong(): boolean {
    return this.length > MAX_HELD_BYTES
  }

  /** Goes on with the octets from `from` on. The place behind the tag's end; -1: it comes later. */
  read(bytes: Uint8Array, from: number): number {
    const base = this.length - from
    let state = this.#state
    let at = from
    for (; at < bytes.length; at++) {
      const octet = bytes[at]!
      if (state === 'name') {
        if (!endsName(octet)) {
          this.nameHash = hashed(this.nameHash, octet)
          continue
        }
        this.nameLength = base + at
      } else if (state === 'attribute') {
        if (!endsName(octet) && octet !== EQUALS) {
          this.#hash = hashed(this.#hash, octet)
          continue
        }
        this.#named(base + at)
        if (octet === EQUALS || isSpace(octet)) {
          state = octet === EQUALS ? 'before-value' : 'behind-attribute'
          continue
        }
      } else if (state === 'behind-attribute') {
        if (isSpace(octet)) continue
        if (octet === EQUALS) {
          state = 'before-value'
          continue
        }
      } else if (state === 'before-value') {
        if (isSpace(octet)) continue
        if (octet === DOUBLE_QUOTE || octet === SINGLE_QUOTE) {
          state = 'quoted'
          this.#quote = octet
          this.#valueFrom(base + at + 1)
          continue
        }
        if (octet !== GREATER) {
          state = 'unquoted'
          this.#valueFrom(base + at)
          continue
        }
      } else if (state === 'quoted') {
        const quote = this.#quote
        while (at < bytes.length && bytes[at] !== quote) at++
        if (at === bytes.length) break
        this.#valueTo(base + at)
        state = 'between'
        continue
      } else if (state === 'unquoted') {
        if (octet !== GREATER && !isSpace(octet)) continue
        this.#valueTo(base + at)
      }
      if (octet === GREATER) {
        this.isSelfClosing = state === 'slash'
        this.length = base + at + 1
        return at + 1
      }
      if (octet === SLASH) state = 'slash'
      else if (isSpace(octet)) state = 'between'
      else {
        state = 'attribute'
        this.#nameFrom = base + at
        this.#hash = hashed(0, octet)
      }
    }
    this.#state = state
    this.length = base + at
    return -1
  }

  #named(to: number): void {
    this.#attribute = undefined
    if (!this.#wanted.mayHave(this.#hash) || to > MAX_HELD_BYTES) return
    this.#attribute = { hash: this.#hash, nameFrom: this.#nameFrom, nameTo: to, from: to, to }
    this.attributes.push(this.#attribute)
  }

  #valueFrom(from: number): void {
    if (this.#attribute !== undefined) this.#attribute.from = this.#attribute.to = from
  }

  #valueTo(to: number): void {
    if (this.#attribute !== undefined) this.#attribute.to = to
  }
}

/** What HTML takes for blank: tab, line feed, form feed, carriage return and space. */
export function isSpace(octet: number): boolean {
  return octet <= 0x20 && (octet === 0x20 || (octet >= 0x09 && octet <= 0x0d && octet !== 0x0b))
}

function endsName(octet: number): boolean {
  return octet === GREATER || octet === SLASH || isSpace(octet)
}

const DOUBLE_QUOTE = 0x22
const SINGLE_QUOTE = 0x27
const SLASH = 0x2f
const EQUALS = 0x3d
const GREATER = 0x3e
