/**
 * What of an application is translated, as an operator writes it.
 *
 * @see docs/translation.md
 * @module
 */
import * as v from 'valibot'
import { canonicalHost } from '../../protocol/internal.ts'
import type { TellMistake } from '../../runtime/configuration-mistakes.ts'
import { texts, text } from './configuration-values.ts'
import { isOrigin } from './cors-configuration.ts'

export const TranslateConfiguration = v.strictObject({
  headers: v.optional(v.boolean(), true),
  bodies: v.optional(v.picklist(['none', 'links']), 'none'),
  mediaTypes: v.optional(
    v.array(v.pipe(text, v.regex(/^[a-z0-9.+-]+\/[a-z0-9.+-]+$/, 'is no media type'))),
    [],
  ),
  trustedOrigins: v.optional(texts, []),
  cookies: v.optional(
    v.strictObject({
      domain: v.exactOptional(text),
      prefixed: v.optional(v.boolean(), false),
      crossSite: v.exactOptional(v.boolean()),
    }),
    {},
  ),
})

/** What of an application is translated, its defaults filled in. */
export interface Translate {
  readonly headers: boolean
  readonly bodies: 'none' | 'links'
  readonly mediaTypes: readonly string[]
  readonly trustedOrigins: readonly string[]
  readonly cookies: {
    readonly domain?: string | undefined
    readonly prefixed: boolean
    readonly crossSite?: boolean | undefined
  }
}

/** Fields of requests that are translated. */
export const TRANSLATED_REQUEST_FIELDS: readonly string[] = [
  ...['destination', 'if', 'origin', 'referer'],
]

/** What is translated of an application that says nothing of it. */
export const USUAL_TRANSLATION: Translate = v.parse(TranslateConfiguration, {})

/** Tells what a schema cannot say. `at`: the path of the setting. */
export function tellTranslate(
  translate: Translate,
  externalUrl: string | undefined,
  at: string,
  tell: TellMistake,
): void {
  const { bodies, mediaTypes, trustedOrigins, cookies } = translate
  if (mediaTypes.length > 0 && bodies === 'none')
    tell(`${at}.mediaTypes`, 'needs "bodies" to be "links"')
  trustedOrigins.forEach((origin, i) => {
    if (!isOrigin(origin))
      tell(`${at}.trustedOrigins[${i}]`, 'must be an origin, such as "https://host.example"')
  })
  const { domain } = cookies
  if (domain === undefined) return
  const host = hostOf(externalUrl)
  if (!isDomain(domain)) tell(`${at}.cookies.domain`, 'must be a domain, such as "corp.example"')
  else if (host !== undefined && !isWithinDomain(host, domain))
    tell(`${at}.cookies.domain`, 'is no domain of the external host')
}

/** Lower case, two labels at least, and no address: what has one label is everybody's. */
function isDomain(domain: string): boolean {
  return canonicalHost(domain) === domain && /^[^.[]+\.(?:.*\.)?[a-z][^.]*$/.test(domain)
}

/** RFC 6265, section 5.1.3. Both in canonical form. */
export function isWithinDomain(host: string, domain: string): boolean {
  return host === domain || host.endsWith(`.${domain}`)
}

/** Undefined for what names none; of that a mistake was told before. */
export function hostOf(externalUrl: string | undefined): string | undefined {
  if (externalUrl === undefined || !URL.canParse(externalUrl)) return undefined
  return canonicalHost(new URL(externalUrl).host)
}
