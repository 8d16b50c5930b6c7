/**
 * Translates URLs in style sheets: `url(…)`, the strings of `@import`, and those of functions that
 * take URLs. Any other string is text.
 *
 * @see https://drafts.csswg.org/css-syntax/#tokenization
 * @module
 */
import { MAX_HELD_BYTES, type BodyTranslator } from './body-translator.ts'
import { addEdited, type Edit } from './edits.ts'
import { hashed, NameTable } from './names.ts'
import { HeldOctets, OctetsOut } from './octets-out.ts'
import { isSpace } from './tag-reader.ts'

type State =
  | 'text'
  | 'slash'
  | 'comment'
  | 'comment-star'
  | 'string'
  | 'url-start'
  | 'url'
  | 'url-blank'
  | 'bad-url'

/** How a value is delimited: by a quote, or by the parentheses of `url()` (zero). */
export type Delimiter = 0 | typeof DOUBLE_QUOTE | typeof SINGLE_QUOTE

/** Told where a URL is. What it gives back is said instead of a part of it. */
export type VisitCssUrl = (
  bytes: Uint8Array,
  from: number,
  to: number,
  delimiter: Delimiter,
) => Edit | undefined

/** One style sheet, or the value of a `style` attribute. */
export class CssTranslator implements BodyTranslator {
  readonly #visit: VisitCssUrl
  readonly #out: OctetsOut
  readonly #held = new HeldOctets()
  #state: State = 'text'
  #delimiter: Delimiter = 0
  /** Behind a backslash: how many of the digits that may follow it came, from {@link FIRST} on. */
  #escape: number = NONE
  /** A value that matters is being read, and held where the piece ends within it. */
  #isWanted = false
  /** So many of its octets were read. */
  #valueLength = 0
  /** Where the value ends, of those; behind it only blanks follow. */
  #valueEnd = 0
  /** The name before here, as {@link hashed}, and how many octets it has. */
  #name = 0
  #nameLength = 0
  #isAtName = false
  /** Of each open parenthesis: whether strings in it are URLs. The last stands for all deeper. */
  #urlStrings: boolean[] = []
  #depth = 0
  /** Since `@import`: its first string is a URL. Since `@namespace`: nothing is. */
  #rule: 'import' | 'namespace' | undefined

  constructor(visit: VisitCssUrl, out = new OctetsOut()) {
    this.#visit = visit
    this.#out = out
  }

  write(bytes: Uint8Array): Uint8Array | undefined {
    this.read(bytes, 0, bytes.length)
    return this.#out.take()
  }

  end(): Uint8Array | undefined {
    this.finish()
    return this.#out.take()
  }

  /** Nothing more comes: what is held is said as it is. */
  finish(): void {
    if (this.#held.length > 0) this.#out.add(this.#held.take())
  }

  /** Goes on with the octets `from` to `to`. */
  read(bytes: Uint8Array, from: number, to: number): void {
    let said = from
    /** Where the value that is being read begins in these octets. */
    let valueFrom = from - this.#valueLength
    for (let at = from; at < to; at++) {
      const octet = bytes[at]!
      if (this.#escape !== NONE && this.#isEscaped(octet)) continue
      switch (this.#state) {
        case 'text':
          if (octet === BACKSLASH) {
            // Of a name, which is none of those that are known.
            this.#name = hashed(this.#name, octet)
            this.#nameLength++
            this.#escape = FIRST
            continue
          }
          if (IS_NAME[octet] === 1) {
            this.#name = hashed(this.#name, octet)
            this.#nameLength++
            continue
          }
          // A string may begin here.
          this.#text(octet)
          valueFrom = at + 1
          continue
        case 'slash':
          this.#state = octet === STAR ? 'comment' : 'text'
          if (octet !== STAR) at--
          continue
        case 'comment': {
          const star = bytes.indexOf(STAR, at)
          if (star === -1 || star >= to) at = to
          else {
            at = star
            this.#state = 'comment-star'
          }
          continue
        }
        case 'comment-star':
          if (octet === SLASH) this.#state = 'text'
          else if (octet !== STAR) this.#state = 'comment'
          continue
        case 'string':
          if (octet === BACKSLASH) this.#escape = FIRST
          else if (octet === this.#delimiter) {
            said = this.#value(bytes, said, valueFrom, at)
            this.#state = 'text'
          } else if (octet === LINE_FEED || octet === CARRIAGE_RETURN || octet === FORM_FEED) {
            this.#isWanted = false
            said = this.#value(bytes, said, valueFrom, at)
            this.#state = 'text'
          }
          continue
        case 'url-start':
          if (isSpace(octet)) continue
          valueFrom = at
          this.#isWanted = this.#rule !== 'namespace'
          if (octet === DOUBLE_QUOTE || octet === SINGLE_QUOTE) {
            this.#state = 'string'
            this.#delimiter = octet
            valueFrom = at + 1
            // It is a function with arguments then.
            this.#open(false)
            continue
          }
          this.#state = 'url'
          this.#delimiter = 0
          at--
          continue
        case 'url':
          if (octet === CLOSING) {
            said = this.#value(bytes, said, valueFrom, at)
            this.#state = 'text'
          } else if (octet === BACKSLASH) this.#escape = FIRST
          else if (isSpace(octet)) {
            this.#state = 'url-blank'
            this.#valueEnd = at - valueFrom
          } else if (isNoUrl(octet)) {
            this.#isWanted = false
            said = this.#value(bytes, said, valueFrom, at)
            this.#state = 'bad-url'
          }
          continue
        case 'url-blank':
          if (isSpace(octet)) continue
          if (octet === CLOSING) {
            said = this.#value(bytes, said, valueFrom, valueFrom + this.#valueEnd, at)
            this.#state = 'text'
          } else {
            this.#isWanted = false
            said = this.#value(bytes, said, valueFrom, at)
            this.#state = 'bad-url'
            at--
          }
          continue
        case 'bad-url':
          if (octet === CLOSING) this.#state = 'text'
          else if (octet === BACKSLASH) this.#escape = FIRST
      }
    }
    this.#pause(bytes, said, Math.max(from, valueFrom), to, to - valueFrom)
  }

  /** Whether an octet belongs to the escape that has begun: a character, or up to six digits. */
  #isEscaped(octet: number): boolean {
    const before = this.#escape
    const isDigit = isHexadecimal(octet)
    this.#escape = NONE
    if (before === CARRIAGE) return octet === LINE_FEED
    if (isDigit && before < LAST) {
      this.#escape = before + 1
      return true
    }
    if (before > FIRST && !isSpace(octet)) return false
    if (octet === CARRIAGE_RETURN) this.#escape = CARRIAGE
    return true
  }

  /** A value goes on in the next piece. Too long a one is not held. */
  #pause(bytes: Uint8Array, said: number, begun: number, to: number, length: number): void {
    this.#valueLength = IN_VALUE.has(this.#state) ? length : 0
    if (this.#isWanted && this.#valueLength > MAX_HELD_BYTES) {
      this.#isWanted = false
      this.#out.add(this.#held.take())
    }
    if (this.#valueLength === 0 || !this.#isWanted) return this.#out.add(bytes, said, to)
    this.#out.add(bytes, said, begun)
    this.#held.add(bytes, begun, to)
  }

  /**
   * A value is whole. Up to where everything is said now.
   *
   * @param at where it was known to be; only blanks are between that and its end
   */
  #value(bytes: Uint8Array, said: number, from: number, to: number, at = to): number {
    const length = to - from
    const isHeld = this.#held.length > 0
    const isWanted = this.#isWanted && at - from <= MAX_HELD_BYTES
    this.#valueLength = 0
    this.#isWanted = false
    if (!isHeld) {
      const edit = isWanted ? this.#visit(bytes, from, to, this.#delimiter) : undefined
      if (edit === undefined) return said
      this.#out.add(bytes, said, edit.from)
      this.#out.addText(edit.text)
      return edit.to
    }
    return this.#heldValue(bytes, said, length, isWanted)
  }

  /** The same, where it began in a piece before. */
  #heldValue(bytes: Uint8Array, said: number, length: number, isWanted: boolean): number {
    const missing = Math.max(0, length - this.#held.length)
    this.#held.add(bytes, said, said + missing)
    const held = this.#held.take()
    const edit = isWanted ? this.#visit(held, 0, length, this.#delimiter) : undefined
    addEdited(this.#out, held, 0, held.length, edit === undefined ? [] : [edit])
    return said + missing
  }

  /** An octet that is none of a name. */
  #text(octet: number): void {
    const { name, length } = this.#takeName()
    switch (octet) {
      case DOUBLE_QUOTE:
      case SINGLE_QUOTE:
        this.#state = 'string'
        this.#delimiter = octet
        this.#isWanted = this.#takesUrl()
        return
      case SLASH:
        this.#state = 'slash'
        return
      case OPENING:
        if (length === 3 && name === URL_NAME) this.#url()
        else this.#open(URL_FUNCTIONS.mayHave(name))
        return
      case CLOSING:
        if (this.#depth > 0) this.#depth--
        return
      case AT:
        this.#isAtName = true
        return
      case SEMICOLON:
      case OPENING_BRACE:
      case CLOSING_BRACE:
        this.#rule = undefined
        this.#depth = 0
    }
  }

  #url(): void {
    this.#state = 'url-start'
    if (this.#rule === 'import' && this.#depth === 0) this.#rule = undefined
  }

  /** The name that ends here. */
  #takeName(): { readonly name: number; readonly length: number } {
    const taken = { name: this.#name, length: this.#nameLength }
    if (this.#nameLength > 0) {
      if (this.#isAtName) {
        if (this.#name === IMPORT_NAME) this.#rule = 'import'
        else if (this.#name === NAMESPACE_NAME) this.#rule = 'namespace'
      }
      this.#name = 0
      this.#nameLength = 0
    }
    this.#isAtName = false
    return taken
  }

  /** Whether a string that begins here is a URL. */
  #takesUrl(): boolean {
    if (this.#rule === 'namespace') return false
    if (this.#rule === 'import' && this.#depth === 0) {
      this.#rule = undefined
      return true
    }
    return this.#depth > 0 && this.#urlStrings[Math.min(this.#depth, MAX_DEPTH) - 1]!
  }

  #open(takesUrls: boolean): void {
    this.#depth++
    this.#urlStrings[Math.min(this.#depth, MAX_DEPTH) - 1] = takesUrls
  }
}

const STAR = 0x2a
const SLASH = 0x2f
const BACKSLASH = 0x5c
const OPENING = 0x28
const CLOSING = 0x29
const OPENING_BRACE = 0x7b
const CLOSING_BRACE = 0x7d
const SEMICOLON = 0x3b
const AT = 0x40
const LINE_FEED = 0x0a
const FORM_FEED = 0x0c
const CARRIAGE_RETURN = 0x0d
const DOUBLE_QUOTE = 0x22
const SINGLE_QUOTE = 0x27
const MAX_DEPTH = 32
/** Of escapes: none; a backslash; six digits behind it; the first half of a line's end. */
const [NONE, FIRST, LAST, CARRIAGE] = [0, 1, 7, 8] as const

const IN_VALUE: ReadonlySet<State> = new Set([...(['string', 'url', 'url-blank'] as const)])
const hashOf = (name: string) => Array.from(name, (c) => c.charCodeAt(0)).reduce(hashed, 0)
const URL_NAME = hashOf('url')
const IMPORT_NAME = hashOf('import')
const NAMESPACE_NAME = hashOf('namespace')
/** Functions whose strings are URLs. */
const URL_FUNCTIONS = new NameTable(['image', 'image-set', '-webkit-image-set', 'src'])

/** Octets of names: letters, digits, `-`, `_`, and whatever is not ASCII; NUL stands for such. */
const IS_NAME = Uint8Array.from({ length: 256 }, (_, octet) =>
  octet >= 0x80 || octet === 0 || /[\w-]/.test(String.fromCharCode(octet)) ? 1 : 0,
)

/** What an unquoted URL cannot have: quotes, an opening parenthesis, what is not printed. */
function isNoUrl(octet: number): boolean {
  return (
    octet === DOUBLE_QUOTE ||
    octet === SINGLE_QUOTE ||
    octet === OPENING ||
    octet < 0x20 ||
    octet === 0x7f
  )
}

function isHexadecimal(octet: number): boolean {
  const lower = octet | 0x20
  return (octet >= 0x30 && octet <= 0x39) || (lower >= 0x61 && lower <= 0x66)
}
