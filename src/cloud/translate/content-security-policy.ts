/**
 * Sources in a `Content-Security-Policy`: each that is the origin of a published application gives
 * its place to that application's external one. Nothing is added, nothing else changes: a policy
 * never allows more.
 *
 * @see CSP 3, sections 2.2 and 2.3
 * @module
 */
import type { UrlTranslation } from './url-translation.ts'

/** Policies, directives and what is in them, with what stands between. */
const PART = /[^\s;,]+|[;,]/g
/** Directives whose values are sources. What is no directive yet may mean anything. */
const SOURCES =
  /^(?:(?:child|connect|default|fenced-frame|font|frame|img|manifest|media|object|prefetch|script|style|worker)-src|(?:script|style)-src-(?:attr|elem)|base-uri|form-action|frame-ancestors|navigate-to)$/i
const SOURCE = /^(?:(https?|wss?):\/\/)?([^/?#']+)(\/[^?#]*)?$/i

/**
 * The value of a field with its sources translated; `undefined`: it stays as it is.
 *
 * @param reported the URL that reports go to, translated; `undefined`: it stays
 */
export function translatePolicies(
  value: string,
  urls: Pick<UrlTranslation, 'outwardSource'>,
  reported: (url: string) => string | undefined,
): string | undefined {
  let directive: string | undefined
  let isChanged = false
  const translated = value.replace(PART, (part) => {
    if (part === ';' || part === ',') {
      directive = undefined
      return part
    }
    if (directive === undefined) {
      directive = part
      return part
    }
    const one = SOURCES.test(directive)
      ? translateSource(part, urls)
      : /^report-uri$/i.test(directive)
        ? reported(part)
        : undefined
    // What ends a directive would end it here.
    if (one === undefined || one === part || /[\s;,]/.test(one)) return part
    isChanged = true
    return one
  })
  return isChanged ? translated : undefined
}

function translateSource(
  source: string,
  urls: Pick<UrlTranslation, 'outwardSource'>,
): string | undefined {
  const match = SOURCE.exec(source)
  if (match === null) return undefined
  const [, scheme, authority = '', path = ''] = match
  return urls.outwardSource(scheme?.toLowerCase(), authority, path)
}
