import type { Directory } from './directory-port.ts'
import { tenantKey, type TenantKey } from './tenant-key.ts'

/** How long a count is believed: directories may change without a word. Milliseconds. */
const COUNTED_FOR_MS = 1_000

/** Which applications are the only one of their group. */
export class SoleApplications {
  readonly #directory: Directory
  #counts = new Map<TenantKey, number>()
  #until = -Infinity

  constructor(directory: Directory) {
    this.#directory = directory
  }

  /** @param now monotonic milliseconds */
  has(group: TenantKey, now: number): boolean {
    if (now >= this.#until) this.#count(now)
    return (this.#counts.get(group) ?? 1) === 1
  }

  #count(now: number): void {
    this.#until = now + COUNTED_FOR_MS
    this.#counts = new Map()
    for (const { tenantId, groupId } of this.#directory.applications()) {
      const group = tenantKey(tenantId, groupId)
      this.#counts.set(group, (this.#counts.get(group) ?? 0) + 1)
    }
  }
}
