/**
 * The port by which instances of one service know of each other: each says every second that it is
 * there and where connectors reach it, so that one more needs no change at the others.
 *
 * @module
 */

/** What an instance says of itself. */
export interface InstanceNotice {
  /** Its id. */
  readonly instance: string
  /** Base URL of its connector listener. */
  readonly connectorUrl: string
  /** Of the program that it runs. */
  readonly version: string
  /** Since when it runs. Milliseconds since 1970. */
  readonly since: number
  /** `draining`: it finishes what it has, and leaves. */
  readonly state: 'serving' | 'draining'
  /** Links that it holds. */
  readonly links: number
  /** Requests of users that are open there. */
  readonly open: number
}

/** An instance, as far as it is known here. */
export interface KnownInstance extends Omit<InstanceNotice, 'state'> {
  /** `silent`: it was not heard for four seconds; `unknown`: nobody can be heard now. */
  readonly state: InstanceNotice['state'] | 'silent' | 'unknown'
  /** When it last said so. Milliseconds since 1970. */
  readonly heardAt: number
}

/** Where instances say that they are there. */
export interface InstancePresence {
  /**
   * Says what `notice` gives at once, then every second, until the function that is returned is
   * called: it says that it leaves.
   */
  join(notice: () => InstanceNotice): () => void
  /**
   * All that have not left, this one included, by their ids. One that fell silent stays for ten
   * minutes: it may only be cut off from here, and serve all others.
   */
  known(): readonly KnownInstance[]
}

/** Each instance says so often that it is there. Milliseconds. */
export const NOTICE_MS = 1_000
/** One that was not heard for so long is silent. Milliseconds. */
const SILENT_MS = 4_000
/** And after this it is forgotten. Milliseconds. */
const FORGOTTEN_MS = 10 * 60_000

interface Heard {
  /** Absent: it has left. */
  readonly notice?: InstanceNotice | undefined
  /** By the clock of whoever said it: what is older than this was passed on late. */
  readonly saidAt: number
  /** By the clock here. */
  readonly heardAt: number
}

/** What was heard of instances, the newest of each. @internal */
export class InstanceList {
  /** By instance id: of the service, no tenant's. */
  readonly #heard = new Map<string, Heard>()

  /**
   * @param notice absent: it has left
   * @param agoMs how long ago whoever passes it on heard it
   */
  hear(
    instance: string,
    notice: InstanceNotice | undefined,
    saidAt: number,
    now: number,
    agoMs = 0,
  ): void {
    if (saidAt <= (this.#heard.get(instance)?.saidAt ?? Number.NEGATIVE_INFINITY)) return
    this.#heard.set(instance, { notice, saidAt, heardAt: now - agoMs })
  }

  /** Everything that is worth passing on. */
  all(now: number): readonly (Heard & { readonly instance: string })[] {
    for (const [instance, { heardAt }] of this.#heard)
      if (now - heardAt > FORGOTTEN_MS) this.#heard.delete(instance)
    return [...this.#heard].map(([instance, heard]) => ({ instance, ...heard }))
  }

  /** @param isHearing whether anybody can be heard now; `own` is there in any case */
  known(now: number, isHearing: boolean, own?: string): readonly KnownInstance[] {
    return this.all(now)
      .flatMap(({ notice, heardAt }) => {
        if (notice === undefined) return []
        const isHeard = now - heardAt <= SILENT_MS || notice.instance === own
        const state = isHeard ? notice.state : isHearing ? 'silent' : 'unknown'
        return [{ ...notice, heardAt, state } as const]
      })
      .sort((one, other) => (one.instance < other.instance ? -1 : 1))
  }
}
