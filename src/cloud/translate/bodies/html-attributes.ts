/**
 * Which attributes of HTML, SVG and MathML hold URLs, and how.
 *
 * Not in here, and never touched: event handlers, text of scripts, `data-*`, and `srcdoc`, which is
 * another document.
 *
 * @see https://html.spec.whatwg.org/multipage/indices.html#attributes-3
 * @module
 */
import { FOREIGN_NAMES } from './foreign-content.ts'
import { NameTable } from './names.ts'

/**
 * - `url`: one URL
 * - `urls`: several, separated by blanks
 * - `srcset`: several with descriptors
 * - `css`: declarations, or one value, of CSS
 */
export type AttributeKind = 'url' | 'urls' | 'srcset' | 'css'

/** Elements that have the attribute so; `*`: any. */
interface AttributeRule {
  readonly kind: AttributeKind
  readonly elements: ReadonlySet<string> | '*'
}

/** Attributes of HTML elements. */
const HTML_RULES: ReadonlyMap<string, AttributeRule> = rules({
  href: 'a area base link',
  src: 'audio embed frame iframe img input script source track video bgsound',
  action: 'form',
  formaction: 'button input',
  poster: 'video',
  data: 'object',
  codebase: 'applet object',
  cite: 'blockquote del ins q',
  manifest: 'html',
  background: 'body table tbody td tfoot th thead tr',
  longdesc: 'frame iframe img',
  lowsrc: 'img',
  dynsrc: 'img',
  usemap: 'img input object',
  profile: 'head',
  ping: ['urls', 'a area'],
  srcset: ['srcset', 'img source'],
  imagesrcset: ['srcset', 'link'],
  style: ['css', '*'],
})

/** Attributes of SVG and MathML elements. */
const FOREIGN_RULES: ReadonlyMap<string, AttributeRule> = rules({
  href: '*',
  'xlink:href': '*',
  style: ['css', '*'],
  'clip-path': ['css', '*'],
  cursor: ['css', '*'],
  fill: ['css', '*'],
  filter: ['css', '*'],
  marker: ['css', '*'],
  'marker-end': ['css', '*'],
  'marker-mid': ['css', '*'],
  'marker-start': ['css', '*'],
  mask: ['css', '*'],
  stroke: ['css', '*'],
})

/** What an attribute of an element holds; undefined: nothing of interest. */
export function attributeKind(
  attribute: string,
  element: string,
  isForeign: boolean,
): AttributeKind | undefined {
  const rule = (isForeign ? FOREIGN_RULES : HTML_RULES).get(attribute)
  if (rule === undefined) return undefined
  const isRuled =
    rule.elements === '*' || rule.elements.has(isForeign ? element : htmlName(element))
  return isRuled ? rule.kind : undefined
}

/** What is read as `img` in HTML has another name in SVG. */
function htmlName(element: string): string {
  return element === 'image' ? 'img' : element
}

/** The attributes that are looked at, those included which say how others are to be read. */
export const ATTRIBUTES = new NameTable([
  ...HTML_RULES.keys(),
  ...FOREIGN_RULES.keys(),
  ...['http-equiv', 'content', 'charset'],
  ...['color', 'face', 'size', 'encoding'],
])

/** The elements that are told apart by name. */
export const ELEMENTS = new NameTable([
  ...[...HTML_RULES.values()].flatMap(({ elements }) => (elements === '*' ? [] : [...elements])),
  ...['meta', 'plaintext', 'noscript', 'title', 'textarea', 'style'],
  ...['xmp', 'noembed', 'noframes', 'image'],
  ...FOREIGN_NAMES,
])

function rules(
  table: Readonly<Record<string, string | readonly [AttributeKind, string]>>,
): ReadonlyMap<string, AttributeRule> {
  return new Map(
    Object.entries(table).map(([attribute, rule]) => {
      const [kind, names] = typeof rule === 'string' ? (['url', rule] as const) : rule
      return [attribute, { kind, elements: names === '*' ? names : new Set(names.split(' ')) }]
    }),
  )
}
