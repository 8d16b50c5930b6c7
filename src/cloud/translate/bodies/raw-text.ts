/**
 * Finds where text ends in which tags are none: that of scripts, style sheets, titles and so on.
 *
 * @see https://html.spec.whatwg.org/multipage/parsing.html#rcdata-less-than-sign-state and what
 *   follows it
 * @module
 */
import { isSpace } from './tag-reader.ts'

/** In a script: whether `<!--` has hidden its end tag, or even `<script` another one. */
type Hiding = 'none' | 'comment' | 'script'

/** The text of one element, in as many pieces as it comes in. */
export class RawText {
  readonly #name: string
  readonly #isScript: boolean
  #hiding: Hiding = 'none'
  /** Octets of what may become `</name`, `<!--` or `<script`. */
  #matched = ''
  #dashes = 0

  /** @param name of the element, in lower case */
  constructor(name: string) {
    this.#name = name
    this.#isScript = name === 'script'
  }

  /** Octets at the end of what was read that may be the beginning of the end tag. */
  get undecided(): number {
    return this.#matched.length
  }

  /**
   * Goes on with the octets from `from` on. The place behind the name in the end tag, which may
   * have begun in octets before these; -1: it comes later.
   */
  read(bytes: Uint8Array, from: number): number {
    const end = `</${this.#name}`
    let at = from
    while (at < bytes.length) {
      if (this.#matched === '' && this.#hiding === 'none') {
        const next = bytes.indexOf(LESS, at)
        if (next === -1) return -1
        at = next
      }
      const octet = bytes[at]!
      if (this.#matched === '' && octet > LESS && octet !== GREATER) {
        this.#dashes = 0
        at++
        continue
      }
      const isFinished = octet === GREATER || octet === SLASH || isSpace(octet)
      if (isFinished && this.#matched === end && this.#hiding !== 'script') return at
      this.#step(octet, isFinished, end)
      at++
    }
    return -1
  }

  #step(octet: number, isFinished: boolean, end: string): void {
    if (this.#isScript && this.#hiding !== 'none') this.#countDashes(octet)
    if (isFinished && this.#isScript) this.#hide(end)
    const grown = this.#matched + String.fromCharCode(octet).toLowerCase()
    if (end.startsWith(grown) || (this.#isScript && this.#mayHide(grown))) {
      this.#matched = grown
      if (grown === '<!--' && this.#hiding === 'none') {
        this.#hiding = 'comment'
        this.#dashes = 2
      }
    } else this.#matched = octet === LESS ? '<' : ''
  }

  #mayHide(text: string): boolean {
    return this.#hiding === 'none' ? '<!--'.startsWith(text) : '<script'.startsWith(text)
  }

  #hide(end: string): void {
    if (this.#hiding === 'comment' && this.#matched === '<script') this.#hiding = 'script'
    else if (this.#hiding === 'script' && this.#matched === end) this.#hiding = 'comment'
  }

  #countDashes(octet: number): void {
    if (octet === GREATER && this.#dashes >= 2) this.#hiding = 'none'
    this.#dashes = octet === DASH ? this.#dashes + 1 : 0
  }
}

const DASH = 0x2d
const SLASH = 0x2f
const LESS = 0x3c
const GREATER = 0x3e
