import { systemClocks, type Clocks } from '../../runtime/clocks.ts'
import {
  InstanceList,
  type InstanceNotice,
  type InstancePresence,
  type KnownInstance,
} from './instance-presence.ts'

/** Instances of one process. */
export class MemoryPresence implements InstancePresence {
  readonly #clocks: Pick<Clocks, 'wallClock'>
  readonly #joined = new Set<() => InstanceNotice>()

  constructor(clocks: Pick<Clocks, 'wallClock'> = systemClocks) {
    this.#clocks = clocks
  }

  join(notice: () => InstanceNotice): () => void {
    this.#joined.add(notice)
    return () => void this.#joined.delete(notice)
  }

  known(): readonly KnownInstance[] {
    const list = new InstanceList()
    const now = this.#clocks.wallClock()
    for (const notice of this.#joined) list.hear(notice().instance, notice(), now, now)
    return list.known(now, true)
  }
}
