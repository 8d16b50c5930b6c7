/**
 * The connections that connectors hold open, by the authority that certified who called on them: an
 * authority that is not trusted any more takes them with it.
 *
 * @module
 */

/** A connection that can be ended. */
export interface CertifiedConnection {
  /** Whether it carries a link or an answer: one that waits for a call is missed by nobody. */
  readonly isServing: boolean
  destroy(): void
}

export class CertifiedConnections {
  /** By the connection itself: the key of the root that signed its certificate. */
  readonly #held = new Map<CertifiedConnection, string>()

  opened(connection: CertifiedConnection, authorityKeyId: string): void {
    this.#held.set(connection, authorityKeyId)
  }

  closed(connection: CertifiedConnection): void {
    this.#held.delete(connection)
  }

  /** How many carry something by certificates of this root. */
  count(authorityKeyId: string): number {
    let count = 0
    for (const [{ isServing }, keyId] of this.#held)
      if (isServing && keyId === authorityKeyId) count += 1
    return count
  }

  /** Ends those whose root is none of these. */
  keep(trusted: readonly { readonly keyId: string }[]): void {
    const kept = new Set(trusted.map(({ keyId }) => keyId))
    for (const [connection, keyId] of this.#held) if (!kept.has(keyId)) connection.destroy()
  }
}
