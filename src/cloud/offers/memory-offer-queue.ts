import type {
  OfferEnvelope,
  OfferHealth,
  OfferOutcome,
  OfferPresence,
  OfferQueue,
  OfferReceipt,
  OfferReceiver,
} from './offer-queue.ts'

/** Joins instances of one process. What it carries is copied: nothing live passes through it. */
export class MemoryOfferQueue implements OfferQueue {
  /** By instance id: of the service, no tenant's. */
  readonly #receivers = new Map<string, OfferReceiver>()
  /** By tenant and group → by instance, in turn: what it has announced. */
  readonly #serving = new Map<string, Map<string, OfferPresence>>()

  async publish(envelope: OfferEnvelope): Promise<OfferReceipt> {
    const copy = structuredClone(envelope)
    await Promise.resolve()
    const serving = this.#serving.get(groupOf(envelope)) ?? new Map()
    for (const [instance, presence] of [...serving]) {
      if (instance === envelope.origin) continue
      serving.delete(instance)
      serving.set(instance, presence)
      const receipt = this.#receivers.get(instance)?.offered(copy) ?? 'declined'
      if (receipt !== 'declined') return receipt
    }
    return 'declined'
  }

  tell(instance: string, outcome: OfferOutcome): void {
    const copy = structuredClone(outcome)
    queueMicrotask(() => this.#receivers.get(instance)?.told(copy))
  }

  announce(presence: OfferPresence): void {
    const copy = structuredClone(presence)
    const key = groupOf(presence)
    const serving = this.#serving.get(key) ?? new Map()
    if (presence.offers === 0) serving.delete(presence.instance)
    else serving.set(presence.instance, copy)
    if (serving.size === 0) this.#serving.delete(key)
    else this.#serving.set(key, serving)
    queueMicrotask(() => {
      for (const receiver of this.#receivers.values())
        if (receiver.instance !== copy.instance) receiver.announced(copy)
    })
  }

  observe(health: OfferHealth): void {
    const copy = structuredClone(health)
    queueMicrotask(() => {
      for (const receiver of this.#receivers.values())
        if (receiver.instance !== copy.instance) receiver.observed(copy)
    })
  }

  join(receiver: OfferReceiver): () => void {
    const { instance } = receiver
    this.#receivers.set(instance, receiver)
    const known = [...this.#serving.values()].flatMap((serving) => [...serving.values()])
    queueMicrotask(() => {
      for (const presence of known) if (presence.instance !== instance) receiver.announced(presence)
    })
    return () => {
      this.#receivers.delete(instance)
      for (const serving of [...this.#serving.values()]) {
        const presence = serving.get(instance)
        if (presence !== undefined) this.announce({ ...presence, offers: 0, granted: 0 })
      }
      queueMicrotask(() => {
        for (const other of this.#receivers.values())
          if (other.instance !== instance) other.gone(instance)
      })
    }
  }
}

function groupOf({ tenantId, groupId }: { tenantId: string; groupId: string }): string {
  return JSON.stringify([tenantId, groupId])
}
