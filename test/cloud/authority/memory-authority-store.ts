/** An authority that is forgotten with the process; this file can be imported outside of tests too. */
import type { AuthorityStore, StoredAuthority } from '../../../src/cloud/index.ts'

export function memoryAuthorityStore(): AuthorityStore & { stored?: StoredAuthority } {
  return {
    async load() {
      return this.stored
    },
    async save(authority) {
      this.stored ??= authority
    },
    async replace(authority, before) {
      if (Buffer.compare(this.stored!.certificate, before) !== 0) return false
      this.stored = authority
      return true
    },
  }
}
