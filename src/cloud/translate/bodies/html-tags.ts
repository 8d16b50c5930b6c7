/**
 * What changes in a start tag.
 *
 * @module
 */
import type { UrlTranslation } from './body-translator.ts'
import { attributeText, type PlacedText } from './character-references.ts'
import { isReadable } from './charset.ts'
import { CssTranslator, type VisitCssUrl } from './css.ts'
import { cssUrls } from './css-urls.ts'
import { isBlank, trimmed, urlEdit, type Edit } from './edits.ts'
import type { ForeignAttributes } from './foreign-content.ts'
import { attributeKind, ATTRIBUTES, type AttributeKind } from './html-attributes.ts'
import { htmlEscaped } from './html-escape.ts'
import { octetsOf } from './octets-out.ts'
import type { AttributeSpan } from './tag-reader.ts'
import { listedUrls, refreshUrl, srcsetUrls } from './value-urls.ts'

/** What is known of a document while it is read. */
export interface HtmlContext {
  readonly urls: UrlTranslation
  readonly visitCss: VisitCssUrl
  /** Its style sheets and `style` attributes are no part of what a policy has hashed. */
  translatesStyles: boolean
  /** A path may be that of the internal URL, and another one outside. */
  translatesPaths: boolean
  /** Nobody has said the charset yet: a `meta` element may. */
  isCharsetOpen: boolean
  /** It is in a charset that cannot be read: the rest stays as it is. */
  isStopped: boolean
  /** Translates a content security policy; undefined: it stays. */
  readonly policy: ((policy: string) => string | undefined) | undefined
}

/** One start tag. */
export interface StartTag {
  readonly bytes: Uint8Array
  /** Where its name begins. */
  readonly start: number
  readonly name: string
  readonly attributes: readonly AttributeSpan[]
  readonly isForeign: boolean
}

/** What changes in it, in order. */
export function tagEdits(context: HtmlContext, tag: StartTag): Edit[] {
  if (tag.name === 'meta' && !tag.isForeign) return metaEdits(context, tag)
  const edits: Edit[] = []
  for (const [attribute, { from, to }] of attributesOf(tag)) {
    const kind = attributeKind(attribute, tag.name, tag.isForeign)
    if (kind === undefined) continue
    if (kind === 'css') {
      if (context.translatesStyles) edits.push(...cssEdits(context, tag.bytes, from, to))
    } else if (kind !== 'url' || mayChange(context, tag.bytes, from, to))
      edits.push(...urlEdits(kind, attributeText(tag.bytes, from, to), context.urls))
    if (tag.name === 'base') heedBase(context, attributeText(tag.bytes, from, to))
  }
  return edits
}

/** Those that matter, by name, in order. Of several of a name the first counts. */
function attributesOf({ bytes, start, attributes }: StartTag): Map<string, Octets> {
  const found = new Map<string, Octets>()
  for (const { hash, nameFrom, nameTo, from, to } of attributes) {
    const name = ATTRIBUTES.find(hash, bytes, start + nameFrom, start + nameTo)
    if (name !== undefined && !found.has(name))
      found.set(name, { from: start + from, to: start + to })
  }
  return found
}

interface Octets {
  readonly from: number
  readonly to: number
}

/** Most URLs are relative, which their first octet tells. */
function mayChange(
  { translatesPaths }: HtmlContext,
  bytes: Uint8Array,
  from: number,
  to: number,
): boolean {
  let at = from
  while (at < to && isBlank(bytes[at]!)) at++
  if (at === to) return false
  const octet = bytes[at]!
  if (octet === SLASH)
    return translatesPaths || bytes[at + 1] === SLASH || bytes[at + 1] === AMPERSAND
  return (octet | 0x20) === LETTER_H || octet === AMPERSAND
}

function urlEdits(kind: AttributeKind, placed: PlacedText, urls: UrlTranslation): Edit[] {
  const { text } = placed
  const spans =
    kind === 'srcset'
      ? srcsetUrls(text)
      : kind === 'urls'
        ? listedUrls(text)
        : [trimmed(text, { start: 0, end: text.length })]
  return spans.flatMap((span) => urlEdit(placed, span, urls, htmlEscaped) ?? [])
}

/** Declarations, which may have references of HTML in them. */
function cssEdits({ urls }: HtmlContext, bytes: Uint8Array, from: number, to: number): Edit[] {
  const edits: Edit[] = []
  const placed = attributeText(bytes, from, to)
  const isRaw = placed.text.length === to - from
  const octets = isRaw ? bytes : octetsOf(placed.text)
  const visit = cssUrls(urls, htmlEscaped)
  const translator = new CssTranslator((...value) => {
    const edit = visit(...value)
    if (edit !== undefined && isRaw) edits.push(edit)
    else if (edit !== undefined)
      edits.push({ ...edit, from: placed.place(edit.from), to: placed.place(edit.to) })
    return undefined
  })
  translator.read(octets, isRaw ? from : 0, isRaw ? to : octets.length)
  return edits
}

/** Behind a base that is elsewhere no path is one of the application. */
function heedBase(context: HtmlContext, { text }: PlacedText): void {
  if (!context.translatesPaths) return
  const { start, end } = trimmed(text, { start: 0, end: text.length })
  const url = text.slice(start, end)
  if (/^(?:[a-z][a-z0-9+.-]*:|[/\\]{2})/i.test(url) && context.urls.outward(url) === undefined)
    context.translatesPaths = false
}

// ── meta ────────────────────────────────────────────────────────────────────────────────────

function metaEdits(context: HtmlContext, tag: StartTag): Edit[] {
  const attributes = attributesOf(tag)
  const text = (name: string): PlacedText | undefined => {
    const span = attributes.get(name)
    return span && attributeText(tag.bytes, span.from, span.to)
  }
  const charset = text('charset')?.text
  const content = text('content')
  const says = text('http-equiv')?.text.trim().toLowerCase()
  if (charset !== undefined) heedCharset(context, charset)
  if (content === undefined) return []
  switch (says) {
    case 'content-type':
      heedCharset(
        context,
        /charset[ \t\n\f\r]*=[ \t\n\f\r]*["']?([^\s"';]*)/i.exec(content.text)?.[1],
      )
      return []
    case 'refresh': {
      const span = refreshUrl(content.text)
      const url = span && trimmed(content.text, span)
      const edit = url && urlEdit(content, url, context.urls, htmlEscaped)
      return edit === undefined ? [] : [edit]
    }
    case 'content-security-policy':
      return policyEdits(context, content)
  }
  return []
}

function heedCharset(context: HtmlContext, label: string | undefined): void {
  if (!context.isCharsetOpen || label === undefined) return
  context.isCharsetOpen = false
  // UTF-16 cannot be said in octets that say so: such a document is in UTF-8.
  if (!isReadable(label) && !/^utf-16(?:le|be)?$/i.test(label.trim())) context.isStopped = true
}

/** What the header field with that name may lose or gain, this one may. */
function policyEdits(context: HtmlContext, content: PlacedText): Edit[] {
  const { text } = content
  if (hasHashes(text)) context.translatesStyles = false
  const translated = context.policy?.(text)
  if (translated === undefined || translated === text) return []
  const [from, to] = [content.place(0), content.place(text.length)]
  return [{ from, to, text: htmlEscaped(translated) }]
}

/** Whether a policy names hashes: what they are of must keep its octets. */
export function hasHashes(policy: string): boolean {
  return /'sha(?:256|384|512)-/i.test(policy)
}

// ── foreign content ─────────────────────────────────────────────────────────────────────────

/** What of a tag says whether it is HTML. */
export function foreignAttributes(
  name: string,
  attributes: readonly AttributeSpan[],
  bytes: Uint8Array | undefined,
  start: number,
): ForeignAttributes {
  if (bytes === undefined || (name !== 'font' && name !== 'annotation-xml')) return NEITHER
  const found = attributesOf({ bytes, start, name, attributes, isForeign: true })
  const encoding = found.get('encoding')
  const value = encoding && attributeText(bytes, encoding.from, encoding.to).text.toLowerCase()
  return {
    isStyledFont: found.has('color') || found.has('face') || found.has('size'),
    isHtmlEncoding: value === 'text/html' || value === 'application/xhtml+xml',
  }
}

const NEITHER: ForeignAttributes = { isStyledFont: false, isHtmlEncoding: false }
const SLASH = 0x2f
const AMPERSAND = 0x26
const LETTER_H = 0x68
