/**
 * Translates the links of an HTML document, octet by octet as they come.
 *
 * It is a tokenizer that looks for attributes alone: what is no start tag goes through by
 * reference, and of a tag only what changes is said anew. It reads as browsers do, in pieces of any
 * size, and holds no more than one tag.
 *
 * @see https://html.spec.whatwg.org/multipage/parsing.html#tokenization
 * @module
 */
import { joined } from '../../../protocol/internal.ts'
import type { BodyTranslator } from './body-translator.ts'
import { CssTranslator } from './css.ts'
import { addEdited, type Edit } from './edits.ts'
import { ForeignContent } from './foreign-content.ts'
import { ATTRIBUTES, ELEMENTS } from './html-attributes.ts'
import { foreignAttributes, tagEdits, type HtmlContext } from './html-tags.ts'
import { HeldOctets, latin1, OctetsOut } from './octets-out.ts'
import { RawText } from './raw-text.ts'
import { TagReader } from './tag-reader.ts'

/**
 * - `text`: between tags
 * - `open`: behind `<`; `end-open`: behind `</`; `declaration`: behind `<!`
 * - `tag`: in a tag, from its name on
 * - `comment`, `bogus`, `cdata`: up to their end
 * - `raw`: in an element whose text has no tags
 * - `rest`: nothing is looked at any more
 */
type State =
  | 'text'
  | 'open'
  | 'end-open'
  | 'declaration'
  | 'tag'
  | 'comment'
  | 'bogus'
  | 'cdata'
  | 'raw'
  | 'rest'

/** One document, or a part of one. */
export class HtmlTranslator implements BodyTranslator {
  readonly #context: HtmlContext
  readonly #out: OctetsOut
  readonly #tag = new TagReader(ATTRIBUTES)
  readonly #foreign = new ForeignContent()
  readonly #held = new HeldOctets()
  #state: State = 'text'
  #isEndTag = false
  /** Of a tag that is too long to be held. */
  #longName: string | undefined
  /** Behind `<!`: what is read of `--` or `[CDATA[`. In a comment or CDATA: of its end. */
  #matched = ''
  #raw = new RawText('')
  #rawName = ''
  /** Reads the text of an element: a style sheet, or what is there for who runs no scripts. */
  #inner: CssTranslator | HtmlTranslator | undefined
  /** Reads text between two tags of a style sheet in SVG. */
  #styleText: CssTranslator | undefined

  constructor(context: HtmlContext, out = new OctetsOut()) {
    this.#context = context
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
    const held = this.#held.take()
    this.#inner?.read(held, 0, held.length)
    this.#inner?.finish()
    this.#styleText?.finish()
    if (this.#inner === undefined) this.#out.add(held)
  }

  /** Goes on with the octets `from` to `to`. */
  read(bytes: Uint8Array, from: number, to: number): void {
    const piece = to === bytes.length ? bytes : bytes.subarray(0, to)
    let said = from
    let at = from
    while (at < to) {
      switch (this.#state) {
        case 'text':
        case 'cdata':
          if (!this.#isInStyle) at = this.#text(piece, at)
          else {
            this.#out.add(piece, said, at)
            at = this.#styleSheet(piece, at)
            said = this.#isOpening ? at - 1 : at
          }
          break
        case 'open':
        case 'end-open':
          at = this.#open(piece[at]!, at)
          break
        case 'declaration':
          at = this.#declaration(piece[at]!, at)
          break
        case 'comment':
          at = this.#untilEnd('-', piece, at)
          break
        case 'bogus':
          at = behind(GREATER, piece, at)
          if (at <= to && piece[at - 1] === GREATER) this.#state = 'text'
          break
        case 'tag': {
          const end = this.#tag.read(piece, at)
          if (end === -1) return this.#out.add(piece, said, this.#hold(piece, at))
          said = this.#tagEnded(piece, said, at, end)
          at = end
          break
        }
        case 'raw':
          if (this.#inner === undefined) at = this.#rawText(piece, at)
          else {
            this.#out.add(piece, said, at)
            said = at = this.#innerText(this.#inner, piece, at)
          }
          break
        case 'rest':
          at = to
      }
    }
    this.#out.add(piece, said, to)
  }

  // ── between tags ──────────────────────────────────────────────────────────────────────────

  #text(bytes: Uint8Array, at: number): number {
    if (this.#state === 'cdata') return this.#untilEnd(']', bytes, at)
    const next = behind(LESS, bytes, at)
    if (bytes[next - 1] === LESS) this.#state = 'open'
    return next
  }

  /** It is behind a `<`. */
  get #isOpening(): boolean {
    return this.#state === 'open'
  }

  /** What comes is text of a `style` in SVG. */
  get #isInStyle(): boolean {
    const isStyle = this.#foreign.innermost === 'style' && this.#context.translatesStyles
    return isStyle && !this.#foreign.isWithin('script')
  }

  /** Text in a `style` of SVG; a tag or a comment in it is the end of what is read together. */
  #styleSheet(bytes: Uint8Array, at: number): number {
    const next = this.#text(bytes, at)
    const isTag = this.#isOpening
    this.#styleText ??= new CssTranslator(this.#context.visitCss, this.#out)
    this.#styleText.read(bytes, at, isTag ? next - 1 : next)
    if (isTag) {
      this.#styleText.finish()
      this.#styleText = undefined
    }
    return next
  }

  #open(octet: number, at: number): number {
    const isEnd = this.#state === 'end-open'
    if (isLetter(octet)) {
      this.#isEndTag = isEnd
      this.#tag.begin()
      this.#state = 'tag'
      return at
    }
    if (isEnd) this.#state = octet === GREATER ? 'text' : 'bogus'
    else if (octet === SLASH) this.#state = 'end-open'
    else if (octet === QUESTION) this.#state = 'bogus'
    else if (octet === EXCLAMATION) this.#begin('declaration', '')
    else this.#state = 'text'
    // What has not ended the tag's beginning is read again, for it may end what it became.
    return this.#state === 'text' && !isEnd ? at : this.#state === 'bogus' ? at : at + 1
  }

  #begin(state: State, matched: string): void {
    this.#state = state
    this.#matched = matched
  }

  #declaration(octet: number, at: number): number {
    const grown = this.#matched + String.fromCharCode(octet)
    if (grown === '--') this.#begin('comment', '<--')
    else if (grown === CDATA && this.#foreign.isForeign) this.#begin('cdata', '')
    else if (grown === '-' || (this.#foreign.isForeign && CDATA.startsWith(grown)))
      this.#matched = grown
    else {
      // What was read of either has no end in it.
      this.#state = 'bogus'
      return at
    }
    return at + 1
  }

  /** `-->`, `--!>`, and right behind the beginning `>` and `->`; or `]]>`. */
  #untilEnd(mark: '-' | ']', bytes: Uint8Array, from: number): number {
    const code = mark.charCodeAt(0)
    for (let at = from; at < bytes.length; at++) {
      if (this.#matched === '') {
        at = bytes.indexOf(code, at)
        if (at === -1) return bytes.length
      }
      const octet = bytes[at]!
      if (octet === GREATER && ENDS.has(this.#matched)) {
        this.#state = 'text'
        return at + 1
      }
      this.#matched = matchedEnd(this.#matched, octet, mark)
    }
    return bytes.length
  }

  // ── tags ──────────────────────────────────────────────────────────────────────────────────

  /** The tag goes on in the next piece. From where on its octets are held. */
  #hold(bytes: Uint8Array, begun: number): number {
    if (this.#longName !== undefined) return bytes.length
    if (!this.#tag.isTooLong) {
      this.#held.add(bytes, begun, bytes.length)
      return begun
    }
    const held = this.#held.take()
    this.#longName = this.#nameIn(joined(held, bytes.subarray(begun, begun + MAX_NAME)), 0)
    this.#out.add(held)
    return bytes.length
  }

  /** A tag is whole. Up to where everything is said now. */
  #tagEnded(bytes: Uint8Array, said: number, begun: number, end: number): number {
    this.#state = 'text'
    if (this.#longName !== undefined) {
      this.#act(this.#longName)
      this.#longName = undefined
      return said
    }
    if (this.#held.length === 0) {
      const edits = this.#named(bytes, begun)
      if (edits.length === 0) return said
      addEdited(this.#out, bytes, said, end, edits)
      return end
    }
    this.#held.add(bytes, begun, end)
    const held = this.#held.take()
    addEdited(this.#out, held, 0, held.length, this.#named(held, 0))
    return end
  }

  /** What of a tag is said anew. */
  #named(bytes: Uint8Array, start: number): readonly Edit[] {
    const name = this.#nameIn(bytes, start)
    const { attributes, isTooLong } = this.#tag
    if (this.#isEndTag || (name === '' && attributes.length === 0)) {
      this.#act(name)
      return NO_EDITS
    }
    const isMuted = this.#foreign.isWithin('style') || this.#foreign.isWithin('script')
    const isForeign = this.#act(name, bytes, start)
    if (isTooLong || isMuted) return NO_EDITS
    const edits = tagEdits(this.#context, { bytes, start, name, attributes, isForeign })
    if (this.#context.isStopped) this.#state = 'rest'
    return edits
  }

  /** Empty: it is none that matters. */
  #nameIn(bytes: Uint8Array, start: number): string {
    const { nameHash, nameLength } = this.#tag
    if (nameLength > MAX_NAME) return ''
    const end = start + nameLength
    const known = ELEMENTS.find(nameHash, bytes, start, end)
    if (known !== undefined || !this.#foreign.isOpen) return known ?? ''
    return latin1(bytes, start, end).toLowerCase()
  }

  /** What comes behind a tag, because of it. Whether its element is foreign. */
  #act(name: string, bytes?: Uint8Array, start = 0): boolean {
    const foreign = this.#foreign
    if (this.#isEndTag) {
      foreign.end(name)
      return false
    }
    if (foreign.isOpen || name === 'svg' || name === 'math') {
      const said = foreignAttributes(name, this.#tag.attributes, bytes, start)
      const isForeign = foreign.start(name, this.#tag.isSelfClosing, said)
      if (foreign.isLost) this.#state = 'rest'
      if (isForeign) return true
    }
    foreign.startHtml(name)
    if (name === 'plaintext') this.#state = 'rest'
    else if (RAW_ELEMENTS.has(name)) this.#beginRaw(name)
    return false
  }

  // ── text without tags ─────────────────────────────────────────────────────────────────────

  #beginRaw(name: string): void {
    this.#state = 'raw'
    this.#raw = new RawText(name)
    this.#rawName = name
    if (name === 'noscript') this.#inner = new HtmlTranslator(this.#context, this.#out)
    else if (name === 'style' && this.#context.translatesStyles)
      this.#inner = new CssTranslator(this.#context.visitCss, this.#out)
  }

  #rawText(bytes: Uint8Array, at: number): number {
    const end = this.#raw.read(bytes, at)
    if (end === -1) return bytes.length
    this.#rawEnded()
    return end
  }

  /** The rest of the end tag follows. */
  #rawEnded(): void {
    this.#inner = undefined
    this.#isEndTag = true
    this.#tag.begin('behindName')
    this.#state = 'tag'
  }

  /** Everything up to what it gives back is said, or held as what may become the end tag. */
  #innerText(inner: CssTranslator | HtmlTranslator, bytes: Uint8Array, from: number): number {
    const heldBefore = this.#held.length
    const end = this.#raw.read(bytes, from)
    const undecided = end === -1 ? this.#raw.undecided : 2 + this.#rawName.length
    const text = (end === -1 ? bytes.length : end) - undecided
    // Whatever may become the end tag begins with `<`: it is all that is held, or nothing of it.
    const isStill = text < from
    if (heldBefore > 0 && !isStill) {
      const held = this.#held.take()
      inner.read(held, 0, held.length)
    }
    if (!isStill) inner.read(bytes, from, text)
    if (end === -1) {
      this.#held.add(bytes, Math.max(from, text), bytes.length)
      return bytes.length
    }
    inner.finish()
    if (this.#held.length > 0) this.#out.add(this.#held.take())
    this.#out.add(bytes, Math.max(from, text), end)
    this.#rawEnded()
    return end
  }
}

/** Behind the next such octet, or at the end. */
function behind(octet: number, bytes: Uint8Array, from: number): number {
  const next = bytes.indexOf(octet, from)
  return next === -1 ? bytes.length : next + 1
}

/** What is read of the end of a comment or a CDATA section, with one octet more. */
function matchedEnd(matched: string, octet: number, mark: '-' | ']'): string {
  if (octet === mark.charCodeAt(0)) {
    if (matched === '<--') return '<---'
    return matched === mark || matched === mark + mark
      ? mark + mark
      : matched === '<---'
        ? '--'
        : mark
  }
  return octet === EXCLAMATION && mark === '-' && (matched === '--' || matched === '<---')
    ? '--!'
    : ''
}

function isLetter(octet: number): boolean {
  const lower = octet | 0x20
  return lower >= 0x61 && lower <= 0x7a
}

const LESS = 0x3c
const GREATER = 0x3e
const SLASH = 0x2f
const EXCLAMATION = 0x21
const QUESTION = 0x3f
const CDATA = '[CDATA['
const MAX_NAME = 64
const NO_EDITS: readonly Edit[] = []
/** `<--` and `<---`: a comment has only begun, and one that ends so is empty. */
const ENDS: ReadonlySet<string> = new Set(['<--', '<---', '--', '--!', ']]'])
/** Elements of HTML whose text has no tags. */
const RAW_ELEMENTS: ReadonlySet<string> = new Set([
  ...['script', 'style', 'title', 'textarea', 'xmp', 'iframe', 'noembed', 'noframes', 'noscript'],
])
