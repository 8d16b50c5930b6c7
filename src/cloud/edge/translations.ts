/**
 * The translations of a directory's applications, for the edge.
 *
 * @module
 */
import type { AuditSink } from '../audit/audit-sink.ts'
import type { Published } from '../directory/published.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import {
  ExchangeTranslation,
  type TranslatedRequest,
  type Translations,
} from '../translate/exchange-translation.ts'
import type { PublishedUrls } from '../translate/published-urls.ts'

export interface EdgeTranslationsOptions {
  readonly audit: AuditSink
  readonly clocks: Clocks
}

/** So many fields are remembered as told; then they are told again. */
const TOLD = 1_000

export class EdgeTranslations implements Translations {
  readonly urls: PublishedUrls
  readonly #options: EdgeTranslationsOptions
  readonly #told = new Set<string>()

  constructor(urls: PublishedUrls, options: EdgeTranslationsOptions) {
    this.#options = options
    this.urls = urls
  }

  /**
   * Undefined: header fields of this application stay as they are.
   *
   * @param path that was asked for
   */
  begin(
    published: Published,
    request: TranslatedRequest,
    path: string,
  ): ExchangeTranslation | undefined {
    if (!published.isTranslated) return undefined
    return new ExchangeTranslation(this, published, request, path)
  }

  now(): number {
    return this.#options.clocks.now()
  }

  /** What is dropped of every answer is told once. */
  dropped({ application }: Published, requestId: string, field: string, cookie?: string): void {
    const { tenantId, id } = application
    const name = cookie?.trim().slice(0, 64)
    const key = `${tenantId} ${id} ${field} ${name}`
    if (this.#told.has(key)) return
    if (this.#told.size >= TOLD) this.#told.clear()
    this.#told.add(key)
    this.#options.audit.write({
      time: this.#options.clocks.wallClock(),
      type: 'translation.dropped',
      outcome: 'refused',
      reason: 'reaches-farther',
      ...{ tenantId, applicationId: id, requestId },
      detail: { field, ...(name !== undefined && { cookie: name }) },
    })
  }
}
