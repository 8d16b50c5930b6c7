/**
 * Joins instances that are processes of one machine, where there is no broker: what one says goes
 * over its line to the process that started all of them, and from there to the others. Values only;
 * bodies never pass.
 */
import type {
  InstanceNotice,
  InstancePresence,
  KnownInstance,
  OfferEnvelope,
  OfferHealth,
  OfferOutcome,
  OfferPresence,
  OfferQueue,
  OfferReceipt,
  OfferReceiver,
} from 'app-proxy/cloud'

/** What an instance says. */
export type ToHub =
  | { readonly hub: 'publish'; readonly call: number; readonly envelope: OfferEnvelope }
  | { readonly hub: 'receipt'; readonly call: number; readonly receipt: OfferReceipt }
  | { readonly hub: 'tell'; readonly instance: string; readonly outcome: OfferOutcome }
  | { readonly hub: 'announce'; readonly presence: OfferPresence }
  | { readonly hub: 'observe'; readonly health: OfferHealth }
  | { readonly hub: 'notice'; readonly notice: InstanceNotice | undefined }
  | { readonly hub: 'leave' }

/** What an instance is told. */
export type FromHub =
  | { readonly hub: 'offered'; readonly call: number; readonly envelope: OfferEnvelope }
  | { readonly hub: 'receipt'; readonly call: number; readonly receipt: OfferReceipt }
  | { readonly hub: 'told'; readonly outcome: OfferOutcome }
  | { readonly hub: 'announced'; readonly presence: OfferPresence }
  | { readonly hub: 'observed'; readonly health: OfferHealth }
  | { readonly hub: 'gone'; readonly instance: string }
  | { readonly hub: 'known'; readonly notices: readonly HeardNotice[] }

interface HeardNotice {
  readonly notice: InstanceNotice
  readonly heardAt: number
}

/** A process answers in a few milliseconds; then nobody knows what it did. Milliseconds. */
const RECEIPT_MS = 1_000
const NOTICE_MS = 1_000
const SILENT_MS = 4_000

const groupOf = ({ tenantId, groupId }: { tenantId: string; groupId: string }) =>
  JSON.stringify([tenantId, groupId])

/** In the process that started the others. */
export class OfferHub {
  readonly #lines = new Map<string, (message: FromHub) => void>()
  /** By tenant and group → by instance, in turn: what it has announced. */
  readonly #serving = new Map<string, Map<string, OfferPresence>>()
  readonly #notices = new Map<string, HeardNotice>()
  /** By a number of ours: who waits for the receipt of whom. */
  readonly #calls = new Map<
    number,
    { readonly to: string; readonly done: (receipt: OfferReceipt) => void }
  >()
  #last = 0

  /** An instance has begun; `send` reaches it. It is told what the others said before. */
  join(instance: string, send: (message: FromHub) => void): void {
    this.#lines.set(instance, send)
    for (const serving of this.#serving.values())
      for (const presence of serving.values()) send({ hub: 'announced', presence })
    send({ hub: 'known', notices: [...this.#notices.values()] })
  }

  heard(instance: string, message: ToHub): void {
    switch (message.hub) {
      case 'publish':
        return void this.#publish(instance, message.call, message.envelope)
      case 'receipt':
        return this.#calls.get(message.call)?.done(message.receipt)
      case 'tell':
        return this.#lines.get(message.instance)?.({ hub: 'told', outcome: message.outcome })
      case 'announce':
        return this.#announce(instance, message.presence)
      case 'observe':
        return this.#others(instance, { hub: 'observed', health: message.health })
      case 'notice':
        if (message.notice === undefined) this.#notices.delete(instance)
        else this.#notices.set(instance, { notice: message.notice, heardAt: Date.now() })
        return this.#others('', { hub: 'known', notices: [...this.#notices.values()] })
      case 'leave':
        return this.#forget(instance)
    }
  }

  /** Its process has ended. What it said of where it is stays: it comes back there. */
  gone(instance: string): void {
    this.#lines.delete(instance)
    for (const { to, done } of [...this.#calls.values()]) if (to === instance) done('unknown')
    this.#forget(instance)
  }

  #forget(instance: string): void {
    for (const [group, serving] of [...this.#serving])
      if (serving.delete(instance) && serving.size === 0) this.#serving.delete(group)
    this.#others(instance, { hub: 'gone', instance })
  }

  #others(instance: string, message: FromHub): void {
    for (const [other, send] of this.#lines) if (other !== instance) send(message)
  }

  #announce(instance: string, presence: OfferPresence): void {
    const group = groupOf(presence)
    const serving = this.#serving.get(group) ?? new Map<string, OfferPresence>()
    if (presence.offers === 0) serving.delete(instance)
    else serving.set(instance, presence)
    if (serving.size === 0) this.#serving.delete(group)
    else this.#serving.set(group, serving)
    this.#others(instance, { hub: 'announced', presence })
  }

  async #publish(origin: string, call: number, envelope: OfferEnvelope): Promise<void> {
    const answer = (receipt: OfferReceipt) =>
      this.#lines.get(origin)?.({ hub: 'receipt', call, receipt })
    const serving = this.#serving.get(groupOf(envelope)) ?? new Map<string, OfferPresence>()
    for (const [instance, presence] of [...serving]) {
      if (instance === origin || !this.#lines.has(instance)) continue
      serving.delete(instance)
      serving.set(instance, presence)
      const receipt = await this.#ask(instance, envelope)
      if (receipt !== 'declined') return answer(receipt)
    }
    answer('declined')
  }

  #ask(to: string, envelope: OfferEnvelope): Promise<OfferReceipt> {
    const call = ++this.#last
    return new Promise((resolve) => {
      const done = (receipt: OfferReceipt) => {
        clearTimeout(late)
        this.#calls.delete(call)
        resolve(receipt)
      }
      const late = setTimeout(() => done('unknown'), Math.min(RECEIPT_MS, envelope.validMs))
      this.#calls.set(call, { to, done })
      this.#lines.get(to)?.({ hub: 'offered', call, envelope })
    })
  }
}

/** In an instance: its line to the hub, as the queue and the presence that a cloud knows. */
export class HubLine implements OfferQueue, InstancePresence {
  readonly #send: (message: ToHub) => void
  /** By a number of ours. */
  readonly #waiting = new Map<number, (receipt: OfferReceipt) => void>()
  #receiver: OfferReceiver | undefined
  #notices: readonly HeardNotice[] = []
  #own: (() => InstanceNotice) | undefined
  #last = 0

  /** What comes from the hub is given to `heard`. */
  constructor(send: (message: ToHub) => void) {
    this.#send = send
  }

  heard(message: FromHub): void {
    const receiver = this.#receiver
    switch (message.hub) {
      case 'known':
        this.#notices = message.notices
        return
      case 'receipt':
        return this.#waiting.get(message.call)?.(message.receipt)
      case 'offered': {
        const receipt = receiver?.offered(message.envelope) ?? 'declined'
        return this.#send({ hub: 'receipt', call: message.call, receipt })
      }
      case 'told':
        return receiver?.told(message.outcome)
      case 'announced':
        return receiver?.announced(message.presence)
      case 'observed':
        return receiver?.observed(message.health)
      case 'gone':
        return receiver?.gone(message.instance)
    }
  }

  publish(envelope: OfferEnvelope): Promise<OfferReceipt> {
    const call = ++this.#last
    return new Promise((resolve) => {
      const done = (receipt: OfferReceipt) => {
        clearTimeout(late)
        this.#waiting.delete(call)
        resolve(receipt)
      }
      const late = setTimeout(() => done('unknown'), envelope.validMs)
      this.#waiting.set(call, done)
      this.#send({ hub: 'publish', call, envelope })
    })
  }

  tell(instance: string, outcome: OfferOutcome): void {
    this.#send({ hub: 'tell', instance, outcome })
  }

  announce(presence: OfferPresence): void {
    this.#send({ hub: 'announce', presence })
  }

  observe(health: OfferHealth): void {
    this.#send({ hub: 'observe', health })
  }

  /** As an instance that takes offers, or as one that says where it is. */
  join(joining: OfferReceiver | (() => InstanceNotice)): () => void {
    if (typeof joining === 'function') return this.#joinAs(joining)
    this.#receiver = joining
    return () => {
      this.#receiver = undefined
      this.#send({ hub: 'leave' })
    }
  }

  known(): readonly KnownInstance[] {
    const now = Date.now()
    const own = this.#own?.()
    const others = this.#notices.filter(({ notice }) => notice.instance !== own?.instance)
    const all = own === undefined ? others : [...others, { notice: own, heardAt: now }]
    return all
      .map(({ notice, heardAt }) => ({
        ...{ ...notice, heardAt },
        state: now - heardAt > SILENT_MS ? ('silent' as const) : notice.state,
      }))
      .sort((one, other) => (one.instance < other.instance ? -1 : 1))
  }

  #joinAs(notice: () => InstanceNotice): () => void {
    this.#own = notice
    const say = () => this.#send({ hub: 'notice', notice: this.#own?.() })
    const timer = setInterval(say, NOTICE_MS).unref()
    say()
    return () => {
      clearInterval(timer)
      this.#own = undefined
      say()
    }
  }
}
