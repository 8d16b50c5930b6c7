/**
 * Which URLs are published, as a directory says at this moment.
 *
 * @module
 */
import { canonicalHost } from '../../protocol/internal.ts'
import type { Application, Directory } from '../directory/directory-port.ts'
import { UrlTranslation } from './url-translation.ts'

/** How long a list is believed: directories may change without a word. Milliseconds. */
const LISTED_FOR_MS = 1_000

/** The translations of a directory's applications, each made once. */
export class PublishedUrls {
  readonly #directory: Directory
  #since: number | undefined
  #until = -Infinity
  #tenants = new Map<string, Application[]>()
  #translations = new WeakMap<Application, UrlTranslation>()

  constructor(directory: Directory) {
    this.#directory = directory
  }

  /**
   * Between an application, its tenant's others and their users.
   *
   * @param now monotonic milliseconds
   */
  of(application: Application, now: number): UrlTranslation {
    if (now >= this.#until || this.#since !== this.#directory.inForceSince?.()) this.#list(now)
    let translation = this.#translations.get(application)
    if (translation === undefined) {
      const host = canonicalHost(new URL(application.externalUrl).host)
      translation = new UrlTranslation(
        application,
        this.#tenants.get(application.tenantId) ?? [],
        host === undefined ? [] : this.#directory.applicationsOn(host),
      )
      this.#translations.set(application, translation)
    }
    return translation
  }

  #list(now: number): void {
    this.#until = now + LISTED_FOR_MS
    this.#since = this.#directory.inForceSince?.()
    const tenants = new Map<string, Application[]>()
    for (const application of this.#directory.applications()) {
      const list = tenants.get(application.tenantId)
      if (list === undefined) tenants.set(application.tenantId, [application])
      else list.push(application)
    }
    this.#tenants = tenants
    this.#translations = new WeakMap()
  }
}
