/**
 * The queue between instances over NATS: offers as requests to a queue group, everything else as
 * messages. Nothing enters JetStream, no body passes, and all of it is sealed: a broker that loses,
 * doubles, delays or reads what it carries costs time.
 *
 * Subjects: `ap1.o.<group>` for offers, in which those who have room form a queue group;
 * `ap1.n.<instance>` for what is told to one instance; `ap1.p` for what is told to all.
 *
 * @see spec/PROTOCOL.md, "Between instances"
 * @module
 */
import { Refused } from '../../protocol/wire/errors.ts'
import { Containment, type OnError } from '../../runtime/containment.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import { timerOf, type Timer } from '../../runtime/scheduler.ts'
import { tenantKey, type TenantKey } from '../directory/tenant-key.ts'
import {
  envelopeHead,
  envelopeValue,
  readEnvelope,
  readHealth,
  readOutcome,
  readPresence,
  readReceipt,
} from '../offers/offer-messages.ts'
import type {
  OfferEnvelope,
  OfferHealth,
  OfferOutcome,
  OfferPresence,
  OfferQueue,
  OfferReceipt,
  OfferReceiver,
} from '../offers/offer-queue.ts'
import { SealedMessages, type SealedHead, type SealedKind } from '../offers/sealed-messages.ts'
import type { KeyRing } from '../session/key-ring.ts'
import { eventOf, GroupMembership } from './group-membership.ts'
import { HELLO_MS, InstanceRoll } from './instance-roll.ts'
import type { NatsConnection, NatsMessage, NatsSubscription } from './nats-connection.ts'
import { subjectOf, SUBJECT_ROOT } from './subjects.ts'

/** Options of {@link natsOfferQueue}. */
export interface NatsOfferQueueOptions {
  /** The connection: `await openNatsConnection(…)`. It is not closed with the queue. */
  readonly nats: NatsConnection
  /** What is said is sealed under its keys: all instances share them. */
  readonly keyRing: KeyRing
  /** Default: the runtime's Web Crypto. */
  readonly crypto?: CryptoProvider | undefined
  /** Told what went wrong. Default: nobody is. */
  readonly onError?: OnError | undefined
}

/** What is told to all. */
const EVERYBODY = `${SUBJECT_ROOT}.p`
/** All that was announced is said again after so many hellos: one message may have been lost. */
const AGAIN_HELLOS = 5
/** Outcomes that are kept for an instance while the broker is away. */
const MOST_KEPT = 10_000
/** The answer of one that cannot read what it is offered. */
const NOTHING = new Uint8Array()
const NO_EXCHANGE = { tenantId: '', groupId: '', id: '', attempt: 0 }

/**
 * Joins instances over NATS. Each instance has its own, on a connection of its own; it joins once.
 *
 *     const nats = await openNatsConnection({ servers: 'nats.example:4222' })
 *     const queue = natsOfferQueue({ nats, keyRing })
 *     const cloud = createCloud({ …, instance: 'cloud-1', queue })
 */
export function natsOfferQueue(options: NatsOfferQueueOptions): OfferQueue {
  return new NatsOfferQueue(options)
}

class NatsOfferQueue implements OfferQueue {
  readonly #nats: NatsConnection
  readonly #messages: SealedMessages
  readonly #containment: Containment
  readonly #timer: Timer
  readonly #roll = new InstanceRoll()
  /** By tenant and group: what this instance has announced, and its part in the queue group. */
  readonly #own = new Map<TenantKey, { presence: OfferPresence; membership: GroupMembership }>()
  /** By tenant and group: instances that have room, next first. */
  readonly #others = new Map<TenantKey, Set<string>>()
  /** For the next hello. */
  #seen: OfferHealth[] = []
  /** What could not be told: the broker is away, or the instance not heard since it is back. */
  #kept: { readonly instance: string; readonly outcome: OfferOutcome }[] = []
  #receiver: OfferReceiver | undefined
  #hellos = 0
  /** What is said is sent in its order, though sealing may take its time. */
  #said: Promise<unknown> = Promise.resolve()
  /** And what is heard is told in its. */
  #heard: Promise<unknown> = Promise.resolve()

  constructor({ nats, keyRing, crypto = globalThis.crypto, onError }: NatsOfferQueueOptions) {
    this.#nats = nats
    this.#messages = new SealedMessages(keyRing, crypto)
    this.#containment = new Containment(onError)
    this.#timer = timerOf({ clocks: nats.options.clocks })
  }

  async publish(envelope: OfferEnvelope): Promise<OfferReceipt> {
    if (!this.#nats.isConnected) throw new Refused('unavailable', 'the broker is away')
    const sealed = await this.#messages.seal(envelopeHead(envelope), envelopeValue(envelope))
    const { tenantId, groupId, validMs } = envelope
    return this.#ask(offersOf(tenantId, groupId), sealed, envelope, validMs)
  }

  tell(instance: string, outcome: OfferOutcome): void {
    if (this.#nats.isConnected && this.#roll.has(instance)) return this.#tell(instance, outcome)
    this.#kept.push({ instance, outcome })
    if (this.#kept.length > MOST_KEPT) this.#kept.shift()
  }

  announce(presence: OfferPresence): void {
    const { tenantId, groupId } = presence
    const group = tenantKey(tenantId, groupId)
    const membership = this.#own.get(group)?.membership ?? this.#membership(tenantId, groupId)
    membership.handle(eventOf(presence))
    if (presence.offers === 0) this.#own.delete(group)
    else this.#own.set(group, { presence, membership })
    this.#sayPresence(EVERYBODY, presence)
  }

  observe(health: OfferHealth): void {
    this.#seen.push(health)
  }

  join(receiver: OfferReceiver): () => void {
    this.#receiver = receiver
    const subscriptions: NatsSubscription[] = [
      this.#nats.subscribe(EVERYBODY, (message) => this.#hear(message)),
      this.#nats.subscribe(placeOf(receiver.instance), (message) => this.#hear(message)),
    ]
    const endings = [
      this.#nats.onChange(() => this.#changed()),
      this.#timer.every(HELLO_MS, () => this.#hello()),
    ]
    if (this.#nats.isConnected) this.#sayHello(EVERYBODY, true)
    else this.#changed()
    return () => {
      this.#receiver = undefined
      for (const end of endings) end()
      for (const { membership } of this.#own.values()) membership.handle('gone')
      this.#own.clear()
      const { instance: from } = receiver
      this.#say(EVERYBODY, { kind: 'bye', from, ...NO_EXCHANGE }, {})
      for (const subscription of subscriptions) void subscription.drain()
    }
  }

  // ── offers ────────────────────────────────────────────────────────────────────────────────

  #membership(tenantId: string, groupId: string): GroupMembership {
    const join = (): (() => void) => {
      const subscription = this.#nats.subscribe(
        offersOf(tenantId, groupId),
        (message) => void this.#offered(message).catch((error: unknown) => this.#failed(error)),
        { queue: 'offers' },
      )
      // Unsubscribing would lose what is on its way.
      return () => void subscription.drain()
    }
    return new GroupMembership(join, (ms, run) => this.#timer.after(ms, run))
  }

  async #offered(message: NatsMessage): Promise<void> {
    const peeked = this.#messages.peek(message.data)
    if (peeked?.from === this.#receiver?.instance && peeked !== undefined)
      return this.#passOn(message, peeked)
    const opened = await this.#messages.open(message.data)
    const envelope =
      opened?.head.kind === 'offer' ? readEnvelope(opened.head, opened.value) : undefined
    // Of another service, or under a key that is not here yet: another instance may be asked.
    if (envelope === undefined) return void message.respond(NOTHING)
    if (this.#isHeard(envelope.origin)) this.#sayHello(placeOf(envelope.origin), true)
    const receipt = this.#receiver?.offered(envelope) ?? 'declined'
    await this.#receipt(message, envelope, receipt !== 'declined')
  }

  /** Its own: one of the others that have announced room is asked, by its name. */
  async #passOn(message: NatsMessage, { tenantId, groupId, id, attempt }: SealedHead) {
    const others = this.#others.get(tenantKey(tenantId, groupId))
    const [next] = others ?? []
    if (others === undefined || next === undefined)
      return this.#receipt(message, { tenantId, groupId, id, attempt }, false)
    others.delete(next)
    others.add(next)
    const answer = await this.#nats.request(placeOf(next), message.data)
    if (answer.kind === 'answer') return void message.respond(answer.data)
    if (answer.kind === 'no-responders')
      return this.#receipt(message, { tenantId, groupId, id, attempt }, false)
  }

  async #receipt(
    message: NatsMessage,
    about: { readonly tenantId: string; groupId: string; id: string; attempt: number },
    isTaken: boolean,
  ): Promise<void> {
    const { tenantId, groupId, id, attempt } = about
    const from = this.#receiver?.instance ?? ''
    const head = { kind: 'receipt', from, tenantId, groupId, id, attempt } as const
    message.respond(await this.#messages.seal(head, { isTaken }))
  }

  async #ask(
    subject: string,
    sealed: Uint8Array,
    { id, attempt }: OfferEnvelope,
    withinMs: number,
  ): Promise<OfferReceipt> {
    const answer = await this.#nats.request(subject, sealed, withinMs)
    if (answer.kind === 'unreachable') throw new Refused('unavailable', 'the broker is away')
    if (answer.kind === 'no-responders') return 'declined'
    if (answer.kind === 'unknown') return 'unknown'
    // Whoever says so falsely costs time: a claim of this attempt is late then.
    if (answer.data.length === 0) return 'declined'
    const { head, value } = (await this.#messages.open(answer.data)) ?? {}
    if (head?.kind !== 'receipt' || head.id !== id || head.attempt !== attempt) return 'unknown'
    const isTaken = readReceipt(value)
    if (isTaken === undefined) return 'unknown'
    return isTaken ? { instance: head.from } : 'declined'
  }

  // ── what is said ──────────────────────────────────────────────────────────────────────────

  #tell(instance: string, told: OfferOutcome): void {
    const { id, attempt, outcome, connectorId } = told
    const from = this.#receiver?.instance ?? ''
    const head = { kind: 'outcome', from, ...NO_EXCHANGE, id, attempt } as const
    this.#say(placeOf(instance), head, { outcome, connectorId })
  }

  #sayPresence(subject: string, presence: OfferPresence): void {
    const { instance: from, tenantId, groupId, offers, granted, features, connectors } = presence
    const head = { ...NO_EXCHANGE, kind: 'presence', from, tenantId, groupId } as const
    this.#say(subject, head, { offers, granted, features, connectors })
  }

  /** @param asks whoever hears it says what it has announced */
  #sayHello(subject: string, asks: boolean): void {
    this.#say(subject, this.#head('hello'), { asks })
  }

  #sayAll(subject: string): void {
    for (const { presence } of this.#own.values()) this.#sayPresence(subject, presence)
  }

  #head(kind: SealedKind): SealedHead {
    return { kind, from: this.#receiver?.instance ?? '', ...NO_EXCHANGE }
  }

  #say(subject: string, head: SealedHead, value: object): void {
    const sealed = this.#messages.seal(head, value)
    sealed.catch(() => undefined)
    this.#said = this.#said
      .then(async () => this.#nats.publish(subject, await sealed))
      .catch((error: unknown) => this.#failed(error))
  }

  /** Every second: that it is there, what it has seen, and now and then all that it announced. */
  #hello(): void {
    const now = this.#nats.options.clocks.now()
    if (!this.#nats.isConnected) return
    for (const instance of this.#roll.silent(now)) this.#gone(instance)
    this.#sayHello(EVERYBODY, false)
    const seen = this.#seen.map(({ tenantId, groupId, applicationId, connectorId, outcome }) => ({
      ...{ tenantId, groupId, applicationId, connectorId, outcome },
    }))
    this.#seen = []
    if (seen.length > 0) this.#say(EVERYBODY, this.#head('health'), seen)
    if (++this.#hellos % AGAIN_HELLOS === 0) this.#sayAll(EVERYBODY)
  }

  // ── what is heard ─────────────────────────────────────────────────────────────────────────

  #hear(message: NatsMessage): void {
    const peeked = this.#messages.peek(message.data)
    if (peeked === undefined || peeked.from === this.#receiver?.instance) return
    // One that was passed on: it asks for an answer, and waits for nothing that was said before.
    if (peeked.kind === 'offer')
      return void this.#offered(message).catch((error: unknown) => this.#failed(error))
    const opened = this.#messages.open(message.data)
    this.#heard = this.#heard
      .then(async () => this.#understand(await opened))
      .catch((error: unknown) => this.#failed(error))
  }

  #understand(opened: { readonly head: SealedHead; readonly value: unknown } | undefined): void {
    const receiver = this.#receiver
    if (opened === undefined || receiver === undefined) return
    const { head, value } = opened
    const { from } = head
    if (head.kind === 'bye') {
      if (this.#roll.left(from)) this.#gone(from)
      return
    }
    const isNew = this.#isHeard(from)
    const asks = head.kind === 'hello' && (value as { asks?: unknown } | undefined)?.asks === true
    if (asks) this.#sayAll(placeOf(from))
    // Whoever is heard for the first time may have announced things that were not heard.
    if (isNew) this.#sayHello(placeOf(from), true)
    if (head.kind === 'outcome') {
      const outcome = readOutcome(head, value)
      if (outcome !== undefined) receiver.told(outcome)
    } else if (head.kind === 'presence') {
      const presence = readPresence(head, value)
      if (presence !== undefined) this.#announced(receiver, presence)
    } else if (head.kind === 'health')
      for (const seen of readHealth(head, value)) receiver.observed(seen)
  }

  /** `true`: for the first time, or again. What was kept for it is told now. */
  #isHeard(instance: string): boolean {
    if (!this.#roll.heard(instance, this.#nats.options.clocks.now())) return false
    const kept = this.#kept
    this.#kept = kept.filter((one) => one.instance !== instance)
    for (const one of kept) if (one.instance === instance) this.#tell(instance, one.outcome)
    return true
  }

  #announced(receiver: OfferReceiver, presence: OfferPresence): void {
    const { instance, tenantId, groupId, granted } = presence
    const group = tenantKey(tenantId, groupId)
    const others = this.#others.get(group) ?? new Set()
    if (granted === 0) others.delete(instance)
    else others.add(instance)
    if (others.size === 0) this.#others.delete(group)
    else this.#others.set(group, others)
    receiver.announced(presence)
  }

  #gone(instance: string): void {
    for (const [group, others] of [...this.#others])
      if (others.delete(instance) && others.size === 0) this.#others.delete(group)
    this.#receiver?.gone(instance)
  }

  // ── the broker comes and goes ─────────────────────────────────────────────────────────────

  #isReachable = true

  #changed(): void {
    const isReachable = this.#nats.isConnected
    if (isReachable === this.#isReachable) return
    this.#isReachable = isReachable
    this.#receiver?.reachable(isReachable)
    this.#roll.clear()
    this.#others.clear()
    if (!isReachable) return
    this.#sayHello(EVERYBODY, true)
    this.#sayAll(EVERYBODY)
  }

  #failed(error: unknown): void {
    this.#containment.tell('queue.nats', error, true)
  }
}

/** Where the offers of a group go. */
function offersOf(tenantId: string, groupId: string): string {
  return subjectOf('o', tenantId, groupId)
}

/** Where one instance is told things. */
function placeOf(instance: string): string {
  return subjectOf('n', instance)
}
