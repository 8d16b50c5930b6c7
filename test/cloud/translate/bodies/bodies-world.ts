/**
 * Translators for tests: one internal host, and how a body is cut.
 *
 * @module
 */
import fc from 'fast-check'
import type {
  BodyTranslator,
  UrlTranslation,
} from '../../../../src/cloud/translate/bodies/body-translator.ts'
import { CssTranslator } from '../../../../src/cloud/translate/bodies/css.ts'
import { cssUrls } from '../../../../src/cloud/translate/bodies/css-urls.ts'
import type { HtmlContext } from '../../../../src/cloud/translate/bodies/html-tags.ts'
import { HtmlTranslator } from '../../../../src/cloud/translate/bodies/html.ts'

/** `http://inside.internal/` is `https://outside.example/`, and nothing else is published. */
export const URLS: UrlTranslation = {
  outward(url) {
    const match = /^(?:https?:)?\/\/inside\.internal(?::80)?(?=[/?#]|$)/i.exec(url)
    return match === null ? undefined : OUTSIDE + url.slice(match[0].length)
  },
}
export const INSIDE = 'http://inside.internal'
export const OUTSIDE = 'https://outside.example'

export function htmlTranslator(context: Partial<HtmlContext> = {}): HtmlTranslator {
  return new HtmlTranslator({
    urls: URLS,
    visitCss: cssUrls(context.urls ?? URLS),
    translatesStyles: true,
    translatesPaths: false,
    isCharsetOpen: true,
    isStopped: false,
    policy: undefined,
    ...context,
  })
}

export function cssTranslator(): CssTranslator {
  return new CssTranslator(cssUrls(URLS))
}

/** A body in one piece, or in those that end at `cuts`. */
export function translated(
  translator: BodyTranslator,
  body: string | Uint8Array,
  cuts: readonly number[] = [],
): Buffer {
  const octets = Buffer.from(body)
  const said: Uint8Array[] = []
  let from = 0
  for (const to of [...[...cuts].sort((a, b) => a - b), octets.length]) {
    const piece = translator.write(octets.subarray(from, to))
    if (piece !== undefined) said.push(piece)
    from = to
  }
  const rest = translator.end()
  if (rest !== undefined) said.push(rest)
  return Buffer.concat(said)
}

/** In single octets. */
export function everywhere(body: string | Uint8Array): number[] {
  return Array.from({ length: Buffer.from(body).length }, (_, i) => i)
}

/** Cuts of a body, several of them where tags and values are. */
export function cutsOf(body: string): fc.Arbitrary<number[]> {
  const { length } = Buffer.from(body)
  return fc.array(fc.nat({ max: length }), { maxLength: 12 })
}
