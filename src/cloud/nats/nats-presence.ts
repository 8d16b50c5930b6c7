/**
 * Which instances are there, over NATS: each says so every second to all others (`ap1.w`), and to
 * one that asks all that it knows of the rest. Nothing of it is stored; all of it is sealed under
 * the deployment's keys.
 *
 * @module
 */
import { randomUUID } from 'node:crypto'
import * as v from 'valibot'
import { ConfigurationInvalid } from '../../protocol/wire/errors.ts'
import { Containment } from '../../runtime/containment.ts'
import { timerOf, type Timer } from '../../runtime/scheduler.ts'
import {
  InstanceList,
  NOTICE_MS,
  type InstanceNotice,
  type InstancePresence,
  type KnownInstance,
} from '../connectors/instance-presence.ts'
import { decodeEntry, encodeEntry } from './log-entries.ts'
import type { NatsMessage, NatsSubscription } from './nats-connection.ts'
import type { NatsEngineOptions } from './nats-registry.ts'
import { SUBJECT_ROOT } from './subjects.ts'

const EVERYBODY = `${SUBJECT_ROOT}.w`
const PLACE = 'presence'
/** What was said longer ago, by the clock of whoever said it, is a repetition. Milliseconds. */
const OLDEST_MS = 5 * 60_000
/** Those that are asked answer in a few. Milliseconds. */
const ANSWERED_MS = 250
/** An earlier process of the same id is spoken of for a while. Milliseconds. */
const EARLIER_MS = 10_000

const text = v.pipe(v.string(), v.maxLength(2_048))
const count = v.pipe(v.number(), v.minValue(0))
const Notice = v.object({
  ...{ instance: text, connectorUrl: text, version: text, since: count },
  ...{ state: v.picklist(['serving', 'draining']), links: count, open: count },
})
const Said = v.object({
  v: v.literal(1),
  /** The process that says it. */
  from: text,
  /** Milliseconds since 1970. */
  at: v.number(),
  /** Whoever hears it says what it knows. */
  asks: v.boolean(),
  about: v.pipe(
    v.array(
      v.object({ instance: text, saidAt: v.number(), agoMs: count, notice: v.optional(Notice) }),
    ),
    v.maxLength(4_096),
  ),
})

class NatsPresence implements InstancePresence {
  readonly #options: NatsEngineOptions
  readonly #containment: Containment
  readonly #list = new InstanceList()
  readonly #from: string = randomUUID()
  readonly #timer: Timer
  #heard: NatsSubscription | undefined
  #isDoubleTold = false
  #own: (() => InstanceNotice) | undefined

  constructor(options: NatsEngineOptions) {
    this.#options = options
    this.#containment = new Containment(options.onError)
    this.#timer = timerOf({ clocks: options.connection.options.clocks })
  }

  /** Resolves when those that are there have had the time to say so. */
  async listen(): Promise<void> {
    const { connection } = this.#options
    this.#heard = connection.subscribe(EVERYBODY, (message) => this.#hear(message))
    this.#say(true)
    await new Promise<void>((resolve) => this.#timer.after(ANSWERED_MS, resolve))
  }

  join(notice: () => InstanceNotice): () => void {
    const { connection } = this.#options
    const { instance } = notice()
    this.#own = notice
    const ask = () => this.#say(true)
    const endings = [
      this.#timer.every(NOTICE_MS, () => this.#say(false)),
      // Others may have come and gone meanwhile.
      connection.onChange(ask),
    ]
    ask()
    return () => {
      for (const end of endings) end()
      this.#own = undefined
      this.#list.hear(instance, undefined, this.#now(), this.#now())
      this.#say(false)
      void this.#heard?.drain()
    }
  }

  known(): readonly KnownInstance[] {
    this.#noteOwn()
    const { connection } = this.#options
    return this.#list.known(this.#now(), connection.isConnected, this.#own?.().instance)
  }

  #noteOwn(): void {
    const notice = this.#own?.()
    if (notice !== undefined) this.#list.hear(notice.instance, notice, this.#now(), this.#now())
  }

  #say(asks: boolean, isAll = asks): void {
    this.#noteOwn()
    const now = this.#now()
    const all = this.#list.all(now)
    const own = this.#own?.().instance
    // Its own alone; when it leaves, all that it knows, that it left included.
    const told = isAll || own === undefined ? all : all.filter(({ instance }) => instance === own)
    const about = told.map(({ instance, notice, saidAt, heardAt }) => ({
      ...{ instance, saidAt, agoMs: Math.max(0, now - heardAt), ...(notice && { notice }) },
    }))
    const { connection, deploymentKeys } = this.#options
    connection.publish(
      EVERYBODY,
      deploymentKeys.seal(PLACE, encodeEntry({ v: 1, from: this.#from, at: now, asks, about })),
    )
  }

  #hear({ data }: NatsMessage): void {
    const now = this.#now()
    let said: v.InferOutput<typeof Said>
    try {
      said = v.parse(Said, decodeEntry(this.#options.deploymentKeys.open(PLACE, data)))
    } catch (error) {
      return this.#containment.tell('presence.nats', error, true)
    }
    // Its own words come back to it.
    if (said.from === this.#from || Math.abs(now - said.at) > OLDEST_MS) return
    const own = this.#own?.()
    for (const { instance, saidAt, agoMs, notice } of said.about)
      if (instance !== own?.instance) this.#list.hear(instance, notice, saidAt, now, agoMs)
      else if (
        notice !== undefined &&
        notice.since !== own.since &&
        saidAt > own.since + EARLIER_MS
      )
        this.#double(notice)
    if (said.asks && own !== undefined) this.#say(false, true)
  }

  /** Two that have one id take each other's place at every connector. */
  #double({ instance, connectorUrl }: InstanceNotice): void {
    if (this.#isDoubleTold) return
    this.#isDoubleTold = true
    const detail = `"${instance}" is the id of the instance at ${connectorUrl} as well`
    this.#containment.tell('presence.nats', new ConfigurationInvalid('instance', detail), true)
  }

  #now(): number {
    return this.#options.connection.options.clocks.wallClock()
  }
}

/**
 * Opens the presence. It resolves when those that are there have said so: connectors are told of
 * all of them from the first call on.
 *
 *     const presence = await openNatsPresence({ connection, deploymentKeys })
 *     const leave = presence.join(() => ({ instance: 'cloud-1', connectorUrl, … }))
 */
export async function openNatsPresence(options: NatsEngineOptions): Promise<InstancePresence> {
  const presence = new NatsPresence(options)
  await presence.listen()
  return presence
}
