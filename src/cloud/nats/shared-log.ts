/**
 * A log that all instances read in one order, in a stream of the broker. What is appended names the
 * place it must come to (`Nats-Expected-Last-Sequence`): of two that append at once the second is
 * told so, reads what the first said, and decides anew. One entry is one message: it is there whole
 * or not at all, whenever somebody dies.
 *
 * Each instance keeps what the entries say. Once in a while one appends all of it (`base`), and
 * what came before is removed.
 *
 * @module
 */
import {
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  jetstreamManager,
  StorageType,
  type ConsumerMessages,
  type JetStreamManager,
} from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import { PortFailed, Refused } from '../../protocol/internal.ts'
import type { DeploymentKeys } from './deployment-keys.ts'
import type { NatsConnection, NatsCopy } from './nats-connection.ts'
import { decodeEntry, encodeEntry } from './log-entries.ts'
import { SUBJECT_ROOT } from './subjects.ts'

/** What a log is of, and what becomes of its entries. */
export interface SharedLogOptions<Entry> {
  /** A word: the stream is `ap1_<name>`, its subject `ap1.l.<name>`. */
  readonly name: string
  readonly keys: DeploymentKeys
  /** Entries are forgotten after this. Milliseconds; default: never. */
  readonly keepMs?: number
  /** Entries kept. Default: all. */
  readonly keepEntries?: number
  /** An entry came, this instance's own included: synchronous, in order, once each. */
  readonly apply: (entry: Entry) => void
  /** All that the entries say, in parts; and the same, taken up in place of what was known. */
  readonly base?: {
    parts(): readonly unknown[]
    restore(parts: readonly unknown[]): void
    /** Appended after so many entries. */
    readonly every: number
  }
}

type Message<Entry> =
  | { readonly kind: 'begin' }
  | { readonly kind: 'entry'; readonly entry: Entry }
  | { readonly kind: 'base'; readonly part: number; readonly of: number; readonly value: unknown }

const WRONG_LAST_SEQUENCE = 10_071
/** Of instances that append at once one is first; the others decide anew, so many times. */
const MOST_TRIES = 64
/** What is stored is heard of in a few milliseconds; then the watch is taken for silent. */
const HEARD_MS = 1_000
const RETRY_AFTER_MS = 1_000

/** @internal */
export class SharedLog<Entry> implements NatsCopy {
  readonly #nats: NatsConnection
  readonly #manager: JetStreamManager
  readonly #options: SharedLogOptions<Entry>
  readonly #stream: string
  readonly #subject: string
  /** The number of the last message that was taken up. */
  #applied = 0
  /** What came of a base that is still coming. */
  #basePart: unknown[] = []
  #isBehind = false
  #sinceBase = 0
  #messages: ConsumerMessages | undefined
  #waiting: (() => void)[] = []
  /** One appends after the other: this instance is not in its own way. */
  #turn: Promise<unknown> = Promise.resolve()
  #end: () => void = () => undefined
  #fault: unknown

  private constructor(
    nats: NatsConnection,
    manager: JetStreamManager,
    options: SharedLogOptions<Entry>,
  ) {
    this.#nats = nats
    this.#manager = manager
    this.#options = options
    this.#stream = `${SUBJECT_ROOT}_${options.name}`
    this.#subject = `${SUBJECT_ROOT}.l.${options.name}`
  }

  /**
   * Opens the log, makes it if there is none, and reads it.
   *
   * @throws PortFailed `nats` when it cannot be read, or was sealed under other keys
   */
  static async open<Entry>(
    nats: NatsConnection,
    options: SharedLogOptions<Entry>,
  ): Promise<SharedLog<Entry>> {
    const timeout = nats.options.answerMs
    const manager = await jetstreamManager(nats.client, { timeout })
    const log = new SharedLog<Entry>(nats, manager, options)
    await log.#prepare()
    log.#end = await nats.keep(log)
    return log
  }

  /**
   * Appends what `decide` makes of what is known, which it may be asked for several times. Where it
   * makes nothing or throws, it is asked again on all that was said before this call: what another
   * instance has answered is never unknown here.
   *
   * @throws Refused `unavailable` when the broker cannot be asked: it may have been appended
   */
  append<T>(decide: () => { readonly entry?: Entry | undefined; readonly result: T }): Promise<T> {
    const done = this.#turn.then(() => this.#append(decide))
    this.#turn = done.catch(() => undefined)
    return done
  }

  async readAnew(): Promise<void> {
    this.end()
    const { state } = await this.#manager.streams.info(this.#stream)
    if (state.last_seq < this.#applied) {
      const detail = `the log "${this.#options.name}" is shorter than it was: start again`
      throw new PortFailed('nats', { detail })
    }
    if (state.messages === 0) this.#applied = Math.max(this.#applied, state.last_seq)
    const consumer = await this.#manager.jetstream().consumers.get(this.#stream, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: Math.max(this.#applied + 1, state.first_seq),
    })
    this.#fault = undefined
    this.#messages = await consumer.consume({
      callback: ({ seq, data }) => this.#heard(seq, data),
    })
    while (this.#applied < state.last_seq) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
      if (this.#fault !== undefined) throw this.#fault as Error
    }
  }

  async isCurrent(): Promise<boolean> {
    const { state } = await this.#manager.streams.info(this.#stream)
    return this.#fault === undefined && (await this.#reached(state.last_seq))
  }

  end(): void {
    void this.#messages?.close().catch(() => undefined)
  }

  /** Ends the watch; what was read stays. */
  close(): void {
    this.#end()
  }

  async #prepare(): Promise<void> {
    const { keepMs, keepEntries } = this.#options
    const { streams } = this.#manager
    const isThere = await streams.info(this.#stream).then(
      () => true,
      (error: unknown) => {
        if (error instanceof JetStreamApiError && error.status === 404) return false
        throw error
      },
    )
    if (isThere) return
    await streams.add({
      ...{ name: this.#stream, subjects: [this.#subject], storage: StorageType.File },
      ...{ discard: keepEntries === undefined ? DiscardPolicy.New : DiscardPolicy.Old },
      ...(keepEntries !== undefined && { max_msgs: keepEntries }),
      ...(keepMs !== undefined && { max_age: nanos(keepMs) }),
    })
    // Of an empty stream nothing can be expected: several of these do no harm.
    await this.#publish({ kind: 'begin' }, undefined)
  }

  async #append<T>(decide: () => { readonly entry?: Entry | undefined; readonly result: T }) {
    let isAllKnown = false
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      let decided: ReturnType<typeof decide> | undefined
      try {
        decided = decide()
      } catch (error) {
        if (isAllKnown) throw error
      }
      if (decided?.entry === undefined) {
        if (decided !== undefined && isAllKnown) return decided.result
        await this.#hearAll()
        isAllKnown = true
        continue
      }
      if (!this.#nats.isFresh) throw unavailable('what is known is not fresh')
      if (await this.#put({ kind: 'entry', entry: decided.entry })) {
        void this.#putBase()
        return decided.result
      }
    }
    throw unavailable('others were always first')
  }

  /** Resolves when all is known that was said before this was called. */
  async #hearAll(): Promise<void> {
    if (!this.#nats.isFresh) throw unavailable('what is known is not fresh')
    const { state } = await this.#manager.streams
      .info(this.#stream)
      .catch((error: unknown) => Promise.reject(unavailable('the broker gave no answer', error)))
    if (!(await this.#reached(state.last_seq))) throw unavailable('what others said is not heard')
  }

  /** `false`: another instance was first; what it said is known now. */
  async #put(message: Message<Entry>): Promise<boolean> {
    const at = this.#applied
    try {
      const sequence = await this.#publish(message, at)
      this.#take(sequence, message)
      return true
    } catch (error) {
      if (!(error instanceof JetStreamApiError) || error.code !== WRONG_LAST_SEQUENCE)
        throw unavailable('the broker gave no answer', error)
      if (await this.#reached(at + 1)) return false
      throw unavailable('what others said is not heard')
    }
  }

  /** @param at the last message there must be; absent: whichever it is */
  async #publish(message: Message<Entry>, at: number | undefined): Promise<number> {
    const { keys, name } = this.#options
    const place = at === undefined ? `${name} begin` : `${name} ${at + 1}`
    if (!this.#nats.isConnected) throw unavailable('there is no connection')
    const sealed = keys.seal(place, encodeEntry(message))
    const timeout = this.#nats.options.answerMs
    const { seq } = await this.#manager.jetstream().publish(this.#subject, sealed, {
      ...{ timeout, retries: 0 },
      ...(at !== undefined && { expect: { lastSequence: at } }),
    })
    return seq
  }

  #heard(sequence: number, sealed: Uint8Array): void {
    if (sequence <= this.#applied || this.#fault !== undefined) return
    const { keys, name } = this.#options
    try {
      this.#take(sequence, decodeEntry(opened(keys, name, sequence, sealed)) as Message<Entry>)
    } catch (error) {
      this.#fault = error
      this.#wake()
    }
  }

  #take(sequence: number, message: Message<Entry>): void {
    if (sequence <= this.#applied) return
    const isGap = sequence !== this.#applied + 1
    this.#applied = sequence
    if (message.kind === 'base') this.#takeBase(message, isGap)
    else this.#basePart = []
    if (message.kind === 'entry') {
      this.#sinceBase += 1
      this.#options.apply(message.entry)
    }
    this.#wake()
  }

  /** Whoever knows all of it has nothing to restore; who has missed some has. */
  #takeBase(message: Message<Entry> & { readonly kind: 'base' }, isGap: boolean): void {
    if (message.part === 0) {
      this.#basePart = []
      this.#isBehind ||= isGap
    }
    if (this.#basePart.length !== message.part) return
    this.#basePart.push(message.value)
    if (this.#basePart.length < message.of) return
    this.#sinceBase = 0
    if (this.#isBehind) this.#options.base?.restore(this.#basePart)
    this.#isBehind = false
    this.#basePart = []
  }

  /** Appends all that is known, unless somebody says something meanwhile; then removes the rest. */
  #putBase(): Promise<void> {
    const { base } = this.#options
    if (base === undefined || this.#sinceBase < base.every) return Promise.resolve()
    this.#sinceBase = 0
    const done = this.#turn.then(async () => {
      const first = this.#applied + 1
      const parts = base.parts()
      for (const [part, value] of parts.entries())
        if (!(await this.#put({ kind: 'base', part, of: parts.length, value }))) return
      await this.#manager.streams.purge(this.#stream, { seq: first })
    })
    // The next entry tries again after as many more.
    const quiet = done.catch(() => undefined)
    this.#turn = quiet
    return quiet
  }

  async #reached(sequence: number): Promise<boolean> {
    const { clocks } = this.#nats.options
    const until = clocks.now() + HEARD_MS
    while (this.#applied < sequence && this.#fault === undefined) {
      const left = until - clocks.now()
      if (left <= 0) return false
      const heard = new Promise<void>((resolve) => this.#waiting.push(resolve))
      await this.#nats.within(heard, left).catch(() => undefined)
    }
    return this.#fault === undefined
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }
}

function opened(keys: DeploymentKeys, name: string, sequence: number, sealed: Uint8Array) {
  try {
    return keys.open(`${name} ${sequence}`, sealed)
  } catch (error) {
    // The first ones had no place to name; they say nothing.
    const text = decodeEntry(openedBegin(keys, name, sealed, error)) as { kind?: unknown }
    if (text.kind !== 'begin') throw error
    return encodeEntry(text)
  }
}

function openedBegin(keys: DeploymentKeys, name: string, sealed: Uint8Array, error: unknown) {
  try {
    return keys.open(`${name} begin`, sealed)
  } catch {
    throw error
  }
}

/** What must be decided in one place cannot be decided now. @internal */
export function unavailable(detail: string, cause?: unknown): Refused {
  return new Refused('unavailable', detail, { cause, retryAfterMs: RETRY_AFTER_MS })
}
