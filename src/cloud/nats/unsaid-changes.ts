/**
 * Changes that were answered while the broker could not be asked. They are in effect on this
 * instance, and said to the others as soon as it can be; whoever answered is bound by it, and so
 * they are kept until then, even where its process ends before.
 *
 * @module
 */
import * as v from 'valibot'
import { readPrivateFile, replacePrivateFile } from '../../runtime/node/private-files.ts'
import { ConfigurationInvalid, PortFailed } from '../../protocol/internal.ts'

/** Where an instance keeps what the broker does not know yet. One instance, one store. */
export interface UnsaidChangesStore {
  /** What was saved last, values of JSON; empty: nothing was. */
  load(): Promise<readonly unknown[]>
  /** In place of what was saved before. Resolves once it is durable. */
  save(changes: readonly unknown[]): Promise<void>
}

const WRITTEN = v.pipe(v.string(), v.parseJson(), v.array(v.unknown()))

/**
 * Such a store in a file, mode 0600. It says which connectors and sessions were revoked, and holds
 * no key.
 */
export function unsaidChangesFile(path: string): UnsaidChangesStore {
  return {
    load: async () => {
      const text = await readPrivateFile(path)
      if (text === undefined) return []
      const changes = v.safeParse(WRITTEN, text)
      if (!changes.success) throw new ConfigurationInvalid(path, 'holds no unsaid changes')
      return changes.output
    },
    save: (changes) => replacePrivateFile(path, `${JSON.stringify(changes)}\n`),
  }
}

/** @internal */
export class UnsaidChanges<Change> {
  readonly #store: UnsaidChangesStore | undefined
  readonly #changes: Change[]
  /** One is saved after the other: the last has the last word. */
  #saving: Promise<void> = Promise.resolve()

  private constructor(store: UnsaidChangesStore | undefined, changes: readonly Change[]) {
    this.#store = store
    this.#changes = [...changes]
  }

  /**
   * With what is kept of an instance that ended; without a store nothing outlives the process.
   *
   * @throws PortFailed `nats` when the store holds something else
   */
  static async open<Change>(
    store: UnsaidChangesStore | undefined,
    isChange: (value: Partial<Change>) => boolean,
  ): Promise<UnsaidChanges<Change>> {
    const kept = (await store?.load()) ?? []
    if (!kept.every((one) => typeof one === 'object' && one !== null && isChange(one)))
      throw new PortFailed('nats', { detail: 'what is kept of changes without the broker is none' })
    return new UnsaidChanges<Change>(store, kept as readonly Change[])
  }

  /** In the order in which they were made. */
  get all(): readonly Change[] {
    return this.#changes
  }

  /** Resolves once it is kept. */
  add(change: Change): Promise<void> {
    this.#changes.push(change)
    return this.#save()
  }

  /** The others know it. */
  remove(change: Change): Promise<void> {
    const at = this.#changes.indexOf(change)
    if (at < 0) return Promise.resolve()
    this.#changes.splice(at, 1)
    return this.#save()
  }

  #save(): Promise<void> {
    const saving = this.#saving.then(() => this.#store?.save([...this.#changes]))
    this.#saving = saving.catch(() => undefined)
    return saving
  }
}
