/**
 * Where versions of the configuration are kept: the port, its bounds, and the engine in memory.
 *
 * A version is all that is published, by all tenants: its rules span tenants, and so does putting
 * it in force. Each has a number, one more than the one before; of those who add one at once the
 * first does, and the others are told.
 *
 * @module
 */
import { Refused } from '../../protocol/internal.ts'
import { Containment, type OnError } from '../../runtime/containment.ts'

/** Who made a version. */
export interface VersionMaker {
  /** `file`: the configuration file of an instance was changed. */
  readonly as: 'operator' | 'file'
  /** The operator's name; of a file the instance that read it. */
  readonly name: string
  /** The operator's tenant. Absent: the operator of the service, or a file. */
  readonly tenantId?: string
}

/** What is known of a version without reading it. */
export interface VersionHead {
  readonly number: number
  /** When it was made, milliseconds since 1970. */
  readonly at: number
  readonly by: VersionMaker
  /** Why, in its maker's words. */
  readonly comment?: string
  /** The version whose content was put back. */
  readonly restored?: number
  /** Tenant id → the version that last changed what is of it. */
  readonly tenants: Readonly<Record<string, number>>
  /** Digest of what a configuration file said last, whichever version that was. */
  readonly file?: string
  /** Octets of the content. */
  readonly bytes: number
}

/**
 * Where versions are kept. What is added is there whole or not at all, and stays when the process
 * ends, in engines that say so. It has secrets of clients: an engine keeps it as private as those.
 */
export interface ConfigurationStore {
  /** Versions that are kept, the newest first: {@link keptVersions} of all. */
  heads(): Promise<readonly VersionHead[]>
  /** The content of a version, JSON as it was added. `undefined`: it is not kept. */
  read(number: number): Promise<string | undefined>
  /**
   * Adds a version, if its number is the next one. `false`: another was added before, and nothing
   * is done.
   *
   * @throws Refused `too-large`, `unavailable`
   */
  append(head: VersionHead, content: string): Promise<boolean>
  /**
   * Calls `changed` when there may be another newest version, whoever added it; returns the end of
   * it. Absent: those of other instances are not heard of.
   */
  watch?(changed: () => void): () => void
}

/** Versions that are kept. */
export const KEPT_VERSIONS = 50
/** Octets of one version, and of all that are kept beside the newest two. */
export const MOST_BYTES = { version: 8 * 1024 * 1024, kept: 64 * 1024 * 1024 } as const

/** Those to be kept of heads, the newest first. */
export function keptVersions(heads: readonly VersionHead[]): readonly VersionHead[] {
  let bytes = 0
  const end = heads.findIndex((head, i) => {
    bytes += head.bytes
    return i >= KEPT_VERSIONS || (i >= 2 && bytes > MOST_BYTES.kept)
  })
  return end === -1 ? heads : heads.slice(0, end)
}

/** @throws Refused `too-large` */
export function checkSize({ bytes }: VersionHead): void {
  if (bytes > MOST_BYTES.version)
    throw new Refused('too-large', `a configuration has at most ${MOST_BYTES.version} octets`)
}

/** Versions in memory: they end with the process. */
export function createMemoryConfigurationStore(onError?: OnError): ConfigurationStore {
  return new MemoryConfigurationStore(onError)
}

class MemoryConfigurationStore implements ConfigurationStore {
  readonly #containment: Containment
  readonly #listeners = new Set<() => void>()
  readonly #contents = new Map<number, string>()
  #heads: readonly VersionHead[] = []

  constructor(onError: OnError | undefined) {
    this.#containment = new Containment(onError)
  }

  async heads(): Promise<readonly VersionHead[]> {
    return this.#heads
  }

  async read(number: number): Promise<string | undefined> {
    return this.#contents.get(number)
  }

  async append(head: VersionHead, content: string): Promise<boolean> {
    checkSize(head)
    if (head.number !== (this.#heads[0]?.number ?? 0) + 1) return false
    this.#heads = keptVersions([head, ...this.#heads])
    this.#contents.set(head.number, content)
    const oldest = this.#heads.at(-1)!.number
    for (const number of this.#contents.keys()) if (number < oldest) this.#contents.delete(number)
    for (const listener of this.#listeners) listener()
    return true
  }

  watch(changed: () => void): () => void {
    const listener = this.#containment.notify('versions.watch', changed)
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }
}
