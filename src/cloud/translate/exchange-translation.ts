/**
 * What is translated of one exchange: the header fields of its request for the application, and of
 * the answers to it for the user. It remembers which rules changed something, never a value.
 *
 * @see docs/translation.md
 * @module
 */
import { ExchangeFailed, FoldedNames, type HeaderList } from '../../protocol/internal.ts'
import type { Published } from '../directory/published.ts'
import { USUAL_TRANSLATION } from '../directory/translate-configuration.ts'
import { translatePolicies } from './content-security-policy.ts'
import { translateLink } from './link.ts'
import { outwardOctets } from './octets.ts'
import { inwardOrigin, inwardReferer } from './origins.ts'
import { translateTags } from './precondition.ts'
import type { PublishedUrls } from './published-urls.ts'
import { translateRefresh } from './refresh.ts'
import { translateEndpoints, translateErrorLogging, translateGroups } from './reports.ts'
import { translateScope } from './scope.ts'
import { translateSetCookie, withoutPrefixes } from './set-cookie.ts'
import type { UrlTranslation } from './url-translation.ts'

/** What of a user's request matters here. */
export interface TranslatedRequest {
  /** Its number: made when it is asked for. */
  readonly id: string
  readonly head: {
    readonly method: string
    /** Host and port, as the user asked for them. */
    readonly authority: string
  }
}

/** What the translations of a directory have in common. */
export interface Translations {
  readonly urls: PublishedUrls
  /** Monotonic milliseconds. */
  now(): number
  /** Told of a field of an answer that cannot be passed on; `cookie`: the name of the one in it. */
  dropped(published: Published, requestId: string, field: string, cookie?: string): void
}

/** Fields of answers and their trailers that are looked at. */
export const ANSWER_FIELDS: readonly string[] = [
  ...['access-control-allow-origin', 'content-location', 'content-security-policy'],
  ...['content-security-policy-report-only', 'link', 'location', 'nel', 'refresh', 'report-to'],
  ...['reporting-endpoints', 'service-worker-allowed', 'set-cookie', 'sourcemap', 'x-sourcemap'],
]
const ANSWER_NAMES = new FoldedNames(ANSWER_FIELDS)

/** The translation of one exchange. */
export class ExchangeTranslation {
  readonly #all: Translations
  readonly #published: Published
  readonly #request: TranslatedRequest
  /** As the user asked for it. */
  readonly #path: string
  #urls: UrlTranslation | undefined
  /** The user's `Origin`, and what the application was told. */
  #origin: { readonly said: string; readonly told: string } | undefined
  #rules: Set<string> | undefined

  constructor(all: Translations, published: Published, request: TranslatedRequest, path: string) {
    this.#all = all
    this.#published = published
    this.#request = request
    this.#path = path
  }

  /** Names of the rules that changed something; nothing of a value. */
  get rules(): readonly string[] {
    return this.#rules === undefined ? [] : [...this.#rules]
  }

  get urls(): UrlTranslation {
    this.#urls ??= this.#all.urls.of(this.#published.application, this.#all.now())
    return this.#urls
  }

  /**
   * The value of a field of the request as the application is told it.
   *
   * @param name one of {@link TRANSLATED_REQUEST_FIELDS}, in any letter case
   * @throws ExchangeFailed `user-malformed` for a destination that is not published
   */
  requestField(name: string, value: string): string {
    const field = name.toLowerCase()
    const told = this.#requestField(field, value) ?? value
    if (field === 'origin' && told !== value) this.#origin = { said: value, told }
    return told === value ? value : this.#noted(field, told)
  }

  /**
   * A `Cookie` value as the application set it; `undefined`: nothing of it is the application's.
   */
  requestCookies(value: string): string | undefined {
    const cookies = this.#all.urls.cookiesOf(this.#published.application, this.#all.now())
    const { prefix, foreignPrefixes } = cookies
    if (prefix === undefined && foreignPrefixes.length === 0) return value
    const told = withoutPrefixes(value, prefix, foreignPrefixes)
    if (told !== value) this.#noted('cookie', told)
    return told === '' ? undefined : told
  }

  /**
   * The value of a field of an answer, or of its trailers, as the user is told it; `undefined`: it
   * is dropped.
   */
  answerField(name: string, value: string): string | undefined {
    const field = name.toLowerCase()
    const told = this.#answerField(field, value)
    if (told === value) return value
    if (told !== undefined) return this.#noted(field, told)
    this.#noted(`${field}-dropped`, value)
    const cookie = field === 'set-cookie' ? value.slice(0, value.indexOf('=')) : undefined
    this.#all.dropped(this.#published, this.#request.id, field, cookie)
    return undefined
  }

  /** A list of trailers with their URLs translated; the same list if there was nothing to do. */
  trailers(list: HeaderList): HeaderList {
    let changed: string[] | undefined
    for (let i = 0; i < list.length; i += 2) {
      const [name, value] = [list[i]!, list[i + 1]!]
      const told = isAnswerField(name) ? this.answerField(name, value) : value
      if (told !== value) changed ??= list.slice(0, i)
      if (changed !== undefined && told !== undefined) changed.push(name, told)
    }
    return changed ?? list
  }

  /** Whether the answer depends on the `Origin` of its request, and has to say so. */
  get variesByOrigin(): boolean {
    return this.#rules?.has('access-control-allow-origin') === true
  }

  #requestField(field: string, value: string): string | undefined {
    const { urls } = this
    const { authority } = this.#request.head
    const trusted = (this.#published.application.translate ?? USUAL_TRANSLATION).trustedOrigins
    if (field === 'origin') return inwardOrigin(value, authority, urls, trusted)
    if (field === 'referer') return inwardReferer(value, authority, urls, trusted)
    if (field === 'if') return translateTags(value, (url) => urls.inward(url, authority))
    return this.#destination(value)
  }

  /** What is copied or moved stays within what is published. */
  #destination(value: string): string | undefined {
    const { urls } = this
    const { authority, method } = this.#request.head
    const told = urls.inward(value, authority)
    if (told !== undefined || (method !== 'COPY' && method !== 'MOVE')) return told
    const isOwn = /^\/(?!\/)/.test(value) || urls.isOwnExternal(value, authority)
    // Servers that read nothing but its path would take it for one of theirs.
    if (!isOwn && urls.own.internal.base === '/') return undefined
    throw new ExchangeFailed('user', 'user-malformed', { cause: 'a destination elsewhere' })
  }

  #answerField(field: string, value: string): string | undefined {
    const { urls } = this
    const outward = (url: string) => outwardOctets(url, urls)
    switch (field) {
      case 'location':
      case 'content-location':
        return outward(value) ?? value
      case 'refresh':
        return translateRefresh(value, outward) ?? value
      case 'link':
        return translateLink(value, outward) ?? value
      case 'set-cookie':
        return this.#setCookie(value)
      case 'access-control-allow-origin':
        return value === this.#origin?.told ? this.#origin.said : value
      case 'content-security-policy':
      case 'content-security-policy-report-only':
        return translatePolicies(value, urls, outward) ?? value
      case 'reporting-endpoints':
        return translateEndpoints(value, (url) => this.#reported(url))
      case 'report-to':
        return translateGroups(value, (url) => this.#reported(url), urls.isHostShared)
      case 'nel':
        return translateErrorLogging(value, urls.isHostShared)
      case 'sourcemap':
      case 'x-sourcemap':
        return this.#reported(value)
      case 'service-worker-allowed':
        return translateScope(value, this.#path, urls)
      default:
        return value
    }
  }

  #setCookie(value: string): string | undefined {
    const scope = this.#all.urls.cookiesOf(this.#published.application, this.#all.now())
    return translateSetCookie(value, this.#path, scope)
  }

  /** Where something is sent, or read from, without anybody looking: never inside. */
  #reported(url: string): string | undefined {
    const { urls } = this
    const translated = outwardOctets(url, urls)
    if (translated !== undefined || !/^(?:[a-z][a-z0-9+.-]*:|[/\\]{2})/i.test(url))
      return translated ?? url
    return /^data:/i.test(url) || !urls.isInside(url) ? url : undefined
  }

  #noted(rule: string, told: string): string {
    this.#rules ??= new Set()
    this.#rules.add(rule)
    return told
  }
}

/** Whether a field of that name, of an answer or its trailers, is looked at. */
export function isAnswerField(name: string): boolean {
  return ANSWER_NAMES.has(name)
}
