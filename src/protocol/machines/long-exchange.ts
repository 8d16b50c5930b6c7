/**
 * Exchanges that are long: tunnels, event streams, and whatever stands still. They hold no slot of
 * their connector, so that they starve no other request; a bound of their own holds them instead.
 *
 * Both ends tell it from the frames of the exchange alone, each for itself.
 *
 * @see spec/PROTOCOL.md, "Long exchanges"
 * @module
 */
import { ignored, Machine, type Table } from './table.ts'

/**
 * `asked`: its head has not come. `long`: its slot was given back. `kept`: there was no room among
 * the long ones, so it keeps its slot until it is over.
 */
export type LongState = 'asked' | 'answering' | 'long' | 'kept' | 'over'

/**
 * Every state × event pair. Derived events: `lengthen` and `crowd` both say that it is long, chosen
 * by whether there is room among the long ones.
 */
// prettier-ignore
export const LONG_EXCHANGE = {
  //         its head     it is long, and there is room or none   it is over
  asked:     { answer: 'answering', lengthen: 'long',  crowd: 'kept',  end: 'over'  },
  answering: { answer: ignored,     lengthen: 'long',  crowd: 'kept',  end: 'over'  },
  long:      { answer: ignored,     lengthen: ignored, crowd: ignored, end: 'over'  },
  kept:      { answer: ignored,     lengthen: ignored, crowd: ignored, end: 'over'  },
  over:      { answer: ignored,     lengthen: ignored, crowd: ignored, end: ignored },
} as const satisfies Table<LongState, 'answer' | 'lengthen' | 'crowd' | 'end'>

/** Without an octet either way for so long, an answered exchange is long. Milliseconds. */
export const STILL_MS = 30_000
/** The same, where whoever answers has no credit left: its user reads nothing. Milliseconds. */
export const UNREAD_MS = 5_000
/** How often those that may become long are looked at. Milliseconds. */
export const LOOK_MS = 1_000

/** What the frames of an exchange have shown so far. */
export interface LongSubject {
  /** It is a tunnel or an event stream, by its head. */
  readonly isStream: boolean
  /** Octets of bodies that passed, either way. */
  readonly octets: number
  /** Whoever answers has used all its credit. */
  readonly isUnread: boolean
  /** It is long: its slot is free. Said once, and only where there is room. */
  lengthened(): void
}

/** What one of them remembers. */
interface LongMemory {
  /** Octets at the last look, and when they had moved last; before the first look both are -1. */
  octets: number
  movedAt: number
}

/** One exchange that is answered and not over. */
class LongExchange {
  readonly subject: LongSubject
  readonly machine: Machine<LongState, keyof typeof LONG_EXCHANGE.asked, LongMemory>
  readonly memory: LongMemory = { octets: -1, movedAt: -1 }

  constructor(subject: LongSubject) {
    this.subject = subject
    this.machine = new Machine(LONG_EXCHANGE, 'asked' as LongState, this.memory)
  }
}

/** The exchanges of one link. */
export class LongExchanges {
  readonly #streams: number
  /** Those that may become long. */
  readonly #answering = new Map<LongSubject, LongExchange>()
  /** Those that are. */
  readonly #long = new Set<LongSubject>()
  #lookAt = 0

  /** @param streams how many may be long at once; further ones keep their slots */
  constructor(streams: number) {
    this.#streams = streams
  }

  /** Exchanges that are long now. */
  get size(): number {
    return this.#long.size
  }

  /** When to {@link look}. */
  get deadline(): number {
    return this.#answering.size === 0 ? Infinity : this.#lookAt
  }

  /** The head of an answer passed, and it was not all of it. */
  answered(subject: LongSubject): void {
    if (this.#streams === 0) return
    const one = new LongExchange(subject)
    one.machine.step('answer')
    if (subject.isStream) this.#lengthen(one)
    else this.#answering.set(subject, one)
  }

  /** The exchange is over. */
  ended(subject: LongSubject): void {
    this.#long.delete(subject)
    const one = this.#answering.get(subject)
    if (one === undefined) return
    one.machine.step('end')
    this.#answering.delete(subject)
  }

  /** Looks for those that stand still. Call it at {@link deadline}; it may be late. */
  look(now: number): void {
    if (now < this.#lookAt) return
    this.#lookAt = now + LOOK_MS
    for (const one of [...this.#answering.values()]) {
      const { memory, subject } = one
      if (memory.octets !== subject.octets) {
        memory.octets = subject.octets
        memory.movedAt = now
      } else if (now - memory.movedAt >= (subject.isUnread ? UNREAD_MS : STILL_MS)) {
        this.#answering.delete(subject)
        this.#lengthen(one)
      }
    }
  }

  #lengthen({ machine, subject }: LongExchange): void {
    const hasRoom = this.#long.size < this.#streams
    if (!machine.step(hasRoom ? 'lengthen' : 'crowd') || !hasRoom) return
    this.#long.add(subject)
    subject.lengthened()
  }
}
