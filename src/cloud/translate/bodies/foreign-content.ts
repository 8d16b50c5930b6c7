/**
 * Whether a tag lies in SVG or MathML: there, `style`, `title` and `script` are tags as any other,
 * and CDATA sections are text.
 *
 * It follows the tree as far as that question goes: what is open from the outermost `svg` or
 * `math` on.
 *
 * @see https://html.spec.whatwg.org/multipage/parsing.html#parsing-main-inforeign
 * @module
 */

/** Where HTML goes on within foreign content. */
type Integration = 'none' | 'html' | 'math-text'

interface OpenElement {
  readonly name: string
  readonly isMath: boolean
  readonly integration: Integration
}

/** Open elements of foreign content. */
export class ForeignContent {
  readonly #open: OpenElement[] = []
  /** By name: how many elements of HTML are open that may close it. */
  readonly #html = new Map<string, number>()

  get isOpen(): boolean {
    return this.#open.length > 0
  }

  /** Whether what comes is foreign, and no HTML within it. */
  get isForeign(): boolean {
    return this.#open.length > 0 && this.#top!.integration === 'none'
  }

  /** The name of the innermost, where it is foreign. */
  get innermost(): string | undefined {
    return this.isForeign ? this.#top!.name : undefined
  }

  /** It is too deep to be followed. */
  get isLost(): boolean {
    return this.#open.length > MAX_DEPTH
  }

  isWithin(name: string): boolean {
    return this.#open.some((element) => element.name === name)
  }

  /**
   * A start tag. Whether the element is foreign.
   *
   * @param name in lower case
   * @param attributes whether it has an attribute that matters: `font` is HTML with some,
   *   `annotation-xml` is an integration point by its encoding
   */
  start(name: string, isSelfClosing: boolean, attributes: ForeignAttributes): boolean {
    if (this.isForeign && breaksOut(name, attributes)) this.#popToHtml()
    const isRoot = name === 'svg' || name === 'math'
    const top = this.#top
    const isHtml =
      top === undefined ||
      top.integration === 'html' ||
      (top.integration === 'math-text' && name !== 'mglyph' && name !== 'malignmark')
    if (isHtml && !isRoot) return false
    if (!isSelfClosing) {
      const isMath = isHtml ? name === 'math' : top!.isMath
      this.#open.push({ name, isMath, integration: integrationOf(name, isMath, attributes) })
    }
    return true
  }

  /** A start tag of HTML. */
  startHtml(name: string): void {
    if (ENDING.has(name)) this.#html.set(name, (this.#html.get(name) ?? 0) + 1)
  }

  end(name: string): void {
    const open = this.#open
    if (open.length === 0) return void this.#endHtml(name)
    if (this.isForeign && (name === 'br' || name === 'p')) return this.#popToHtml()
    for (let i = open.length - 1; i >= 0; i--) {
      if (open[i]!.name !== name) continue
      open.length = i
      return
    }
    // It closes what the foreign content is in, and that with it.
    if (!this.#endHtml(name)) return
    open.length = 0
  }

  /** Whether an element of that name was open. */
  #endHtml(name: string): boolean {
    const count = this.#html.get(name) ?? 0
    if (count > 0) this.#html.set(name, count - 1)
    return count > 0
  }

  get #top(): OpenElement | undefined {
    return this.#open.at(-1)
  }

  #popToHtml(): void {
    while (this.isForeign) this.#open.pop()
  }
}

/** What of a tag's attributes matters here. */
export interface ForeignAttributes {
  /** `color`, `face` or `size`. */
  readonly isStyledFont: boolean
  readonly isHtmlEncoding: boolean
}

function breaksOut(name: string, { isStyledFont }: ForeignAttributes): boolean {
  return BREAKING_OUT.has(name) || (name === 'font' && isStyledFont)
}

function integrationOf(name: string, isMath: boolean, attributes: ForeignAttributes): Integration {
  if (!isMath) return SVG_INTEGRATION.has(name) ? 'html' : 'none'
  if (name === 'annotation-xml') return attributes.isHtmlEncoding ? 'html' : 'none'
  return MATH_TEXT.has(name) ? 'math-text' : 'none'
}

const MAX_DEPTH = 512
const SVG_INTEGRATION: ReadonlySet<string> = new Set(['foreignobject', 'desc', 'title'])
const MATH_TEXT: ReadonlySet<string> = new Set(['mi', 'mo', 'mn', 'ms', 'mtext'])
/** Start tags that end foreign content. */
const BREAKING_OUT: ReadonlySet<string> = new Set(
  (
    'b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img ' +
    'li listing menu meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul var'
  ).split(' '),
)
/** Elements of HTML that foreign content is in. */
const ENDING: ReadonlySet<string> = new Set([
  ...BREAKING_OUT,
  ...(
    'a address article aside body button caption details fieldset figcaption figure footer form ' +
    'header html label legend main nav section summary tbody td template tfoot th thead tr'
  ).split(' '),
])
/** Names that this file tells apart. */
export const FOREIGN_NAMES: readonly string[] = [
  ...['svg', 'math', 'mglyph', 'malignmark', 'annotation-xml', 'font'],
  ...SVG_INTEGRATION,
  ...MATH_TEXT,
  ...BREAKING_OUT,
]
