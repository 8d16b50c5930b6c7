/**
 * Waits for the first octets of a body, which may say that its charset cannot be read.
 *
 * @see https://html.spec.whatwg.org/multipage/parsing.html#bom-sniffing and CSS Syntax, "The input
 *   byte stream"
 * @module
 */
import type { BodyTranslator } from './body-translator.ts'
import { byteOrderMark, isReadable } from './charset.ts'
import { joined } from '../../../protocol/internal.ts'

/** What the beginning of a body says of its charset. */
export interface BodyCharset {
  /** There is a mark, and it is one of UTF-8. */
  readonly isMarked: boolean
}

/** A translator that is made only once the body is known to be readable. */
export class ReadableBody implements BodyTranslator {
  readonly #make: (charset: BodyCharset) => BodyTranslator
  readonly #isStyleSheet: boolean
  #begun: Uint8Array | undefined = new Uint8Array(0)
  /** Undefined: the body stays as it is. */
  #translator: BodyTranslator | undefined

  /** @param isStyleSheet it may say its charset in `@charset`, unless that is known */
  constructor(make: (charset: BodyCharset) => BodyTranslator, isStyleSheet: boolean) {
    this.#make = make
    this.#isStyleSheet = isStyleSheet
  }

  write(bytes: Uint8Array): Uint8Array | undefined {
    if (this.#begun === undefined)
      return this.#translator === undefined ? bytes : this.#translator.write(bytes)
    const begun = this.#begun.length === 0 ? bytes : joined(this.#begun, bytes)
    if (!this.#isDecided(begun)) {
      this.#begun = begun.slice()
      return undefined
    }
    return this.#begin(begun)
  }

  end(): Uint8Array | undefined {
    const { length } = this.#begun ?? ''
    if (length === 0) return this.#translator?.end()
    const first = this.#begin(this.#begun!)
    const last = this.#translator?.end()
    return first === undefined || last === undefined ? (first ?? last) : joined(first, last)
  }

  #begin(begun: Uint8Array): Uint8Array | undefined {
    this.#begun = undefined
    const mark = byteOrderMark(begun)
    if (mark === 'utf-16') return begun
    if (mark === undefined && this.#isStyleSheet && !isReadable(declared(begun) ?? 'utf-8'))
      return begun
    this.#translator = this.#make({ isMarked: mark !== undefined })
    return this.#translator.write(begun)
  }

  /** Enough has come. */
  #isDecided(begun: Uint8Array): boolean {
    const first = begun[0]!
    if (begun.length < 3 && (first === 0xef || first >= 0xfe)) return false
    if (!this.#isStyleSheet || begun.length >= MAX_DECLARATION_BYTES) return true
    const text = textOf(begun)
    return text.length < DECLARATION.length
      ? !DECLARATION.startsWith(text)
      : !text.startsWith(DECLARATION) || text.includes('"', DECLARATION.length)
  }
}

/** What `@charset` says; UTF-16 said so is UTF-8. */
function declared(begun: Uint8Array): string | undefined {
  const label = /^@charset "([^"]*)";/.exec(textOf(begun))?.[1]
  return label !== undefined && /^utf-16(?:le|be)?$/i.test(label.trim()) ? 'utf-8' : label
}

function textOf(begun: Uint8Array): string {
  return String.fromCharCode(...begun.subarray(0, MAX_DECLARATION_BYTES))
}

const DECLARATION = '@charset "'
const MAX_DECLARATION_BYTES = 1024
