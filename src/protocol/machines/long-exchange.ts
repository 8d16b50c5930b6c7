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
  /** Its head passed, and it is not over. Written by {@link LongExchanges} alone. */
  isAnswered: boolean
  /** What is known of it. Most are over before anybody looks: they have none. Written as above. */
  long: LongExchange | undefined
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
export class LongExchange {
  readonly memory: LongMemory = { octets: -1, movedAt: -1 }
  readonly #machine = new Machine(LONG_EXCHANGE, 'asked' as LongState, this.memory)

  constructor() {
    this.#machine.step('answer')
  }

  get state(): LongState {
    return this.#machine.state
  }

  /** It is long; `hasRoom`: among the long ones. */
  lengthen(hasRoom: boolean): void {
    this.#machine.step(hasRoom ? 'lengthen' : 'crowd')
  }

  end(): void {
    this.#machine.step('end')
  }
}

/** The exchanges of one link. */
export class LongExchanges {
  readonly #streams: number
  /** Those that may become long, and those that are. */
  #answering = 0
  #long = 0
  #lookAt = 0

  /** @param streams how many may be long at once; further ones keep their slots */
  constructor(streams: number) {
    this.#streams = streams
  }

  /** Exchanges that are long now. */
  get size(): number {
    return this.#long
  }

  /** When to {@link look}. */
  get deadline(): number {
    return this.#answering === 0 ? Infinity : this.#lookAt
  }

  /** The head of an answer passed, and it was not all of it. */
  answered(subject: LongSubject): void {
    if (this.#streams === 0 || subject.isAnswered) return
    subject.isAnswered = true
    this.#answering += 1
    if (subject.isStream) this.#lengthen(subject, (subject.long = new LongExchange()))
  }

  /** The exchange is over. */
  ended(subject: LongSubject): void {
    if (!subject.isAnswered) return
    subject.isAnswered = false
    const state = subject.long?.state ?? 'answering'
    if (state === 'answering') this.#answering -= 1
    if (state === 'long') this.#long -= 1
    subject.long?.end()
  }

  /**
   * Looks for those that stand still. Call it at {@link deadline}; it may be late.
   *
   * @param open all exchanges of the link
   */
  look(now: number, open: () => Iterable<LongSubject>): void {
    if (now < this.#lookAt) return
    // Also while nothing is answered: a time that lies behind would be due with the next answer.
    this.#lookAt = now + LOOK_MS
    if (this.#answering === 0) return
    for (const subject of open()) {
      if (!subject.isAnswered) continue
      const one = (subject.long ??= new LongExchange())
      if (one.state === 'answering') this.#observe(subject, one, now)
    }
  }

  #observe(subject: LongSubject, one: LongExchange, now: number): void {
    const { memory } = one
    if (memory.octets !== subject.octets) {
      memory.octets = subject.octets
      memory.movedAt = now
    } else if (now - memory.movedAt >= (subject.isUnread ? UNREAD_MS : STILL_MS))
      this.#lengthen(subject, one)
  }

  #lengthen(subject: LongSubject, one: LongExchange): void {
    const hasRoom = this.#long < this.#streams
    one.lengthen(hasRoom)
    this.#answering -= 1
    if (!hasRoom) return
    this.#long += 1
    subject.lengthened()
  }
}
