/**
 * Versions of the configuration, which all instances of a cloud share in NATS: a log that each
 * keeps in memory. A content is said in parts before the head that makes a version of it: no
 * message is too long, and a version is there whole or not at all.
 *
 * @module
 */
import { randomUUID } from 'node:crypto'
import { Containment } from '../../runtime/containment.ts'
import {
  checkSize,
  keptVersions,
  type ConfigurationStore,
  type VersionHead,
} from '../versions/configuration-store.ts'
import type { NatsEngineOptions } from './nats-registry.ts'
import { SharedLog, unavailable } from './shared-log.ts'

/** Versions whose watch on the log is ended when the service stops. */
export interface NatsConfigurationStore extends ConfigurationStore {
  /** Ends the watch on the log. The connection stays. */
  close(): void
}

type Entry =
  /** A part of a content that a head will name. */
  | { readonly kind: 'part'; readonly content: string; readonly part: Uint8Array }
  | { readonly kind: 'version'; readonly content: string; readonly head: VersionHead }

interface Version {
  readonly head: VersionHead
  readonly parts: readonly Uint8Array[]
}

/** Octets of a part: sealed, it is some 350 KB. */
const PART_BYTES = 256 * 1024
/** Contents that no head has named yet, of whoever ended before saying it: so many are kept. */
const UNNAMED = 8
/** Entries between two bases. */
const BASE_EVERY = 200

/**
 * Opens the versions, and makes their log if there is none. Those that are kept are in the memory
 * of each instance; one that is added is stored by the broker before it is answered, and told to
 * every instance in milliseconds.
 *
 * @throws PortFailed `nats` when they cannot be read, or were sealed under other keys
 */
export function openNatsConfigurationStore(
  options: NatsEngineOptions,
): Promise<NatsConfigurationStore> {
  return NatsVersions.open(options)
}

class NatsVersions implements NatsConfigurationStore {
  readonly #containment: Containment
  readonly #listeners = new Set<() => void>()
  /** By a random id, drawn for each content: parts that came. */
  readonly #unnamed = new Map<string, Uint8Array[]>()
  /** The newest first. */
  #versions: readonly Version[] = []
  #log!: SharedLog<Entry>

  private constructor({ onError }: NatsEngineOptions) {
    this.#containment = new Containment(onError)
  }

  static async open(options: NatsEngineOptions): Promise<NatsConfigurationStore> {
    const { connection, deploymentKeys: keys } = options
    const store = new NatsVersions(options)
    store.#log = await SharedLog.open<Entry>(connection, {
      ...{ name: 'configuration', keys },
      apply: (entry) => store.#apply(entry),
      base: {
        parts: () => store.#entries(),
        restore: (entries) => store.#restore(entries as readonly Entry[]),
        every: BASE_EVERY,
      },
    })
    return store
  }

  async heads(): Promise<readonly VersionHead[]> {
    return this.#versions.map(({ head }) => head)
  }

  async read(number: number): Promise<string | undefined> {
    const version = this.#versions.find(({ head }) => head.number === number)
    return version && Buffer.concat(version.parts).toString()
  }

  /** @throws Refused `too-large`; `unavailable`: it may have been added */
  async append(head: VersionHead, text: string): Promise<boolean> {
    checkSize(head)
    if (!(await this.#log.append(() => ({ result: this.#isNext(head) })))) return false
    const content = randomUUID()
    const octets = Buffer.from(text)
    for (let at = 0; at < octets.length; at += PART_BYTES) {
      const part = new Uint8Array(octets.subarray(at, at + PART_BYTES))
      await this.#log.append(() => ({ entry: { kind: 'part', content, part }, result: undefined }))
    }
    return this.#log.append(() => {
      const isNext = this.#isNext(head)
      if (isNext && this.#wholePartsOf(content, head) === undefined)
        throw unavailable('others said too much meanwhile')
      return { result: isNext, ...(isNext && { entry: { kind: 'version', content, head } }) }
    })
  }

  watch(changed: () => void): () => void {
    const listener = this.#containment.notify('versions.watch', changed)
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  close(): void {
    this.#log.close()
  }

  #isNext({ number }: VersionHead): boolean {
    return number === (this.#versions[0]?.head.number ?? 0) + 1
  }

  #apply(entry: Entry): void {
    if (this.#take(entry)) for (const listener of this.#listeners) listener()
  }

  /** Whether there is another version. */
  #take(entry: Entry): boolean {
    const { content } = entry
    const parts = this.#unnamed.get(content)
    if (entry.kind === 'part') {
      if (parts !== undefined) parts.push(entry.part)
      else this.#unnamed.set(content, [entry.part])
      const [oldest] = this.#unnamed.keys()
      if (this.#unnamed.size > UNNAMED) this.#unnamed.delete(oldest!)
      return false
    }
    const { head } = entry
    const whole = this.#wholePartsOf(content, head)
    this.#unnamed.delete(content)
    if (whole === undefined) return false
    const all = [{ head, parts: whole }, ...this.#versions]
    this.#versions = all.slice(0, keptVersions(all.map((version) => version.head)).length)
    return true
  }

  /** `undefined`: some were let go of, because many others were begun meanwhile. */
  #wholePartsOf(content: string, { bytes }: VersionHead): readonly Uint8Array[] | undefined {
    const parts = this.#unnamed.get(content) ?? []
    return parts.reduce((sum, { length }) => sum + length, 0) === bytes ? parts : undefined
  }

  /** All that is known, as entries that say it. */
  #entries(): readonly Entry[] {
    const named = this.#versions.toReversed().flatMap(({ head, parts }): Entry[] => {
      const content = `${head.number}`
      return [
        ...parts.map((part) => ({ kind: 'part', content, part }) as const),
        { kind: 'version', content, head },
      ]
    })
    const unnamed = [...this.#unnamed].flatMap(([content, parts]) =>
      parts.map((part): Entry => ({ kind: 'part', content, part })),
    )
    return [...named, ...unnamed]
  }

  #restore(entries: readonly Entry[]): void {
    this.#versions = []
    this.#unnamed.clear()
    for (const entry of entries) this.#take(entry)
    for (const listener of this.#listeners) listener()
  }
}
