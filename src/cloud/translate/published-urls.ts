/**
 * Which URLs are published, as a directory says at this moment.
 *
 * @module
 */
import { canonicalHost } from '../../protocol/internal.ts'
import type { Application, Directory } from '../directory/directory-port.ts'
import { cookiesOf, type ApplicationCookies } from './cookie-scope.ts'
import { TenantUrls } from './tenant-urls.ts'
import { UrlTranslation } from './url-translation.ts'

/** How long a list is believed: directories may change without a word. Milliseconds. */
const LISTED_FOR_MS = 1_000

/** The translations of a directory's applications, each made once. */
export class PublishedUrls {
  readonly #directory: Directory
  #since: number | undefined
  #until = -Infinity
  #listed: readonly Application[] = []
  /** By tenant. */
  #tenants = new Map<string, TenantUrls>()
  #translations = new WeakMap<Application, UrlTranslation>()
  #cookies = new WeakMap<Application, ApplicationCookies>()

  constructor(directory: Directory) {
    this.#directory = directory
  }

  /**
   * Between an application, its tenant's others and their users.
   *
   * @param now monotonic milliseconds
   */
  of(asked: Application, now: number): UrlTranslation {
    const application = asked.segment?.of ?? asked
    if (now >= this.#until || this.#since !== this.#directory.inForceSince?.()) this.#list(now)
    let translation = this.#translations.get(application)
    if (translation === undefined) {
      translation = new UrlTranslation(
        application,
        this.#tenantOf(application),
        this.#neighbours(application),
      )
      this.#translations.set(application, translation)
    }
    return translation
  }

  /** How an application's cookies are named, and how far they reach. */
  cookiesOf(asked: Application, now: number): ApplicationCookies {
    const application = asked.segment?.of ?? asked
    const urls = this.of(application, now)
    let cookies = this.#cookies.get(application)
    if (cookies === undefined) {
      cookies = cookiesOf(application, urls, this.#neighbours(application))
      this.#cookies.set(application, cookies)
    }
    return cookies
  }

  #neighbours(application: Application): readonly Application[] {
    const host = canonicalHost(new URL(application.externalUrl).host)
    return host === undefined ? [] : this.#directory.applicationsOn(host)
  }

  #tenantOf({ tenantId }: Application): TenantUrls {
    let tenant = this.#tenants.get(tenantId)
    if (tenant === undefined) {
      tenant = new TenantUrls(this.#listed.filter((one) => one.tenantId === tenantId))
      this.#tenants.set(tenantId, tenant)
    }
    return tenant
  }

  #list(now: number): void {
    this.#until = now + LISTED_FOR_MS
    this.#since = this.#directory.inForceSince?.()
    const listed = this.#directory.applications()
    const before = this.#listed
    if (listed.length === before.length && listed.every((one, i) => one === before[i])) return
    this.#listed = listed
    this.#tenants = new Map()
    this.#translations = new WeakMap()
    this.#cookies = new WeakMap()
  }
}
