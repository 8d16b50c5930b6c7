import type { IdentityStore, StoredIdentities } from '../../src/connector/ports.ts'
import type { VirtualTime } from './virtual-time.ts'

/** Just before, or just after, the n-th save became durable. */
export interface Moment {
  readonly save: number
  readonly when: 'before' | 'after'
}

/** A store that virtual time waits for; its process is killed at a given moment, if any: from then on nothing is saved and nothing is ever answered. */
export class MortalStore implements IdentityStore {
  readonly extractable: boolean
  readonly #disk: IdentityStore
  readonly #time: VirtualTime
  readonly #moment: Moment | undefined
  #saves = 0
  dead = false

  constructor(disk: IdentityStore, time: VirtualTime, moment?: Moment) {
    this.extractable = disk.extractable
    this.#disk = disk
    this.#time = time
    this.#moment = moment
  }

  load(): Promise<StoredIdentities> {
    return this.#time.track(this.#disk.load())
  }

  async save(identities: StoredIdentities): Promise<void> {
    const last = ++this.#saves === this.#moment?.save
    if (last && this.#moment?.when === 'before') this.dead = true
    if (this.dead) return new Promise(() => undefined)
    await this.#time.track(this.#disk.save(identities))
    if (!last) return
    this.dead = true
    await new Promise(() => undefined)
  }
}
