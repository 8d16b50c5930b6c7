import type { IdentityStore, StoredIdentities } from './ports.ts'

/** Options of {@link MemoryIdentityStore}. */
export interface MemoryIdentityStoreOptions {
  /**
   * Whether keys can be exported, as TLS in Node needs. Default false: the private key never leaves
   * Web Crypto.
   */
  readonly extractable?: boolean
}

/**
 * Keeps identities as long as the process lives: for tests, and for connectors that register at
 * each start.
 */
export class MemoryIdentityStore implements IdentityStore {
  readonly extractable: boolean
  #identities: StoredIdentities = {}

  constructor({ extractable = false }: MemoryIdentityStoreOptions = {}) {
    this.extractable = extractable
  }

  async load(): Promise<StoredIdentities> {
    return this.#identities
  }

  async save(identities: StoredIdentities): Promise<void> {
    this.#identities = identities
  }
}
