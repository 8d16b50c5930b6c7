import type {
  OfferEnvelope,
  OfferOutcome,
  OfferPresence,
  OfferQueue,
  OfferReceipt,
  OfferReceiver,
} from './offer-queue.ts'

/** Joins instances of one process. What it carries is copied: nothing live passes through it. */
export class MemoryOfferQueue implements OfferQueue {
  readonly #receivers = new Map<string, OfferReceiver>()
  /** Instances that have announced room for a group, in turn. */
  readonly #serving = new Map<string, Set<string>>()

  async publish(envelope: OfferEnvelope): Promise<OfferReceipt> {
    const copy = structuredClone(envelope)
    await Promise.resolve()
    const serving = this.#serving.get(groupOf(envelope)) ?? new Set()
    for (const instance of [...serving]) {
      if (instance === envelope.origin) continue
      serving.delete(instance)
      serving.add(instance)
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
    const serving = this.#serving.get(key) ?? new Set()
    if (presence.offers === 0) serving.delete(presence.instance)
    else serving.add(presence.instance)
    if (serving.size === 0) this.#serving.delete(key)
    else this.#serving.set(key, serving)
    queueMicrotask(() => {
      for (const receiver of this.#receivers.values())
        if (receiver.instance !== copy.instance) receiver.announced(copy)
    })
  }

  join(receiver: OfferReceiver): () => void {
    this.#receivers.set(receiver.instance, receiver)
    return () => {
      this.#receivers.delete(receiver.instance)
      for (const serving of this.#serving.values()) serving.delete(receiver.instance)
    }
  }
}

function groupOf({ tenantId, groupId }: { tenantId: string; groupId: string }): string {
  return JSON.stringify([tenantId, groupId])
}
