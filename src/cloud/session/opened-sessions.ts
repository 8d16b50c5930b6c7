/**
 * Session cookies that were opened, so that a request with one of them needs no decryption.
 *
 * @module
 */
import { BoundedCache } from '../../runtime/bounded-cache.ts'
import { LatestTexts } from '../../runtime/latest-texts.ts'
import type { Session } from './session.ts'

/** A cookie that was opened, and where it is valid. */
export interface Opened {
  /** The cookie's. */
  readonly value: string
  readonly tenantId: string
  readonly applicationId: string
  readonly host: string
  readonly session: Session
  /** The version of the revocations that were asked last. */
  foundGoodAt: number
  isRevoked: boolean
}

export class OpenedSessions {
  readonly #all: BoundedCache<Opened>
  /** Those of them that were used last. */
  readonly #latest: LatestTexts<Opened>

  /** `most`: cookies remembered. */
  constructor(most: number) {
    this.#all = new BoundedCache(most)
    this.#latest = new LatestTexts(most)
  }

  /** By the whole value of a cookie. */
  get(value: string): Opened | undefined {
    return this.#latest.get(value) ?? this.#sought(value)
  }

  add(opened: Opened): void {
    this.#all.set(opened.value, opened)
    this.#latest.set(opened.value, opened)
  }

  clear(): void {
    this.#all.clear()
    this.#latest.clear()
  }

  #sought(value: string): Opened | undefined {
    const opened = this.#all.get(value)
    if (opened !== undefined) this.#latest.set(opened.value, opened)
    return opened
  }
}
