/**
 * The translation of one application's bodies: what it asks for, and what it answers.
 *
 * @see docs/translation.md
 * @module
 */
import {
  headerValue,
  isNamed,
  withoutHeaders,
  type HeaderList,
} from '../../../protocol/internal.ts'
import { contentVersion } from '../../directory/content-version.ts'
import type { BodyTranslator, UrlTranslation } from './body-translator.ts'
import { openableEncodings, type ContentCodings } from './content-codings.ts'
import { CssTranslator } from './css.ts'
import { cssUrls } from './css-urls.ts'
import { TranslatedTags } from './entity-tags.ts'
import { HtmlTranslator } from './html.ts'
import { PlainTextTranslator } from './plain-text.ts'
import { ReadableBody } from './readable-body.ts'
import { isNotTransformed, type BodyPlan, type TranslatedRequest } from './translated-head.ts'

/** What the bodies of one application are translated by. */
export interface BodyTranslationOptions {
  readonly urls: UrlTranslation
  /** URLs in text, wherever they stand. */
  readonly inText: (text: string) => string
  /** A content security policy; undefined: it stays. */
  readonly policy?: ((policy: string) => string | undefined) | undefined
  /** Whether a path inside is another one outside. */
  readonly translatesPaths: boolean
  readonly externalUrl: string
  readonly mediaTypes: readonly string[]
  /** Undefined: only what is not coded is translated. */
  readonly codings?: ContentCodings | undefined
}

/** Another one whenever the same body comes out in other octets. */
const RULE_VERSION = 1

/** For one application at one external URL. */
export class BodyTranslation {
  readonly options: BodyTranslationOptions
  readonly tags: TranslatedTags
  readonly rules: { readonly mediaTypes: readonly string[]; readonly codings: readonly string[] }

  constructor(options: BodyTranslationOptions) {
    const { externalUrl, mediaTypes, codings } = options
    this.options = options
    this.tags = new TranslatedTags(contentVersion([RULE_VERSION, externalUrl]))
    this.rules = { mediaTypes, codings: codings?.names ?? [] }
  }

  /** A request as the application gets it; undefined: its answer must not be touched. */
  request(headers: HeaderList): TranslatedRequest | undefined {
    if (isNotTransformed(headers)) return undefined
    const tags = new Set<string>()
    const destination = headerValue(headers, 'sec-fetch-dest')
    const known = (tag: string) => void tags.add(tag)
    const others = destination !== undefined && PAGES.has(destination) ? 'dropped' : 'kept'
    const list: string[] = []
    let isUnconditional = false
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i]!
      let value: string | undefined = headers[i + 1]!
      if (isNamed(name, 'if-none-match')) {
        value = this.tags.inward(value, known, others)
        isUnconditional = value === undefined
      } else if (isNamed(name, 'if-match')) value = this.tags.inward(value, known)
      else if (isNamed(name, 'accept-encoding'))
        value = openableEncodings(value, this.rules.codings)
      if (value !== undefined) list.push(name, value)
    }
    // A date was never asked about beside a tag, and is not now.
    const asked = isUnconditional ? withoutHeaders(list, 'if-modified-since') : list
    return { headers: asked, destination, tags }
  }

  /** Translates one body. */
  translator({ kind, isCharsetKnown, hasHashes }: BodyPlan): BodyTranslator {
    const { urls, inText, policy, translatesPaths } = this.options
    return new ReadableBody(
      ({ isMarked }) => {
        if (kind === 'css') return new CssTranslator(cssUrls(urls))
        if (kind === 'text') return new PlainTextTranslator(inText)
        return new HtmlTranslator({
          ...{ urls, policy, translatesPaths },
          visitCss: cssUrls(urls),
          translatesStyles: !hasHashes,
          isCharsetOpen: !isCharsetKnown && !isMarked,
          isStopped: false,
        })
      },
      kind === 'css' && !isCharsetKnown,
    )
  }
}

/** Where a page goes that was asked for as one: what is kept of before is not taken for it. */
const PAGES: ReadonlySet<string> = new Set(['document', 'embed', 'frame', 'iframe', 'object'])
