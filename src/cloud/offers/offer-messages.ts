/**
 * The values that instances send each other, as MessagePack: written from what the port carries,
 * and read back strictly.
 *
 * @see spec/PROTOCOL.md, "Between instances"
 * @module
 */
import * as v from 'valibot'
import { decodeOffer, encodeOffer, type ExchangeId } from '../../protocol/internal.ts'
import type { OfferEnvelope, OfferHealth, OfferOutcome, OfferPresence } from './offer-queue.ts'
import type { SealedHead } from './sealed-messages.ts'

const Count = v.pipe(v.number(), v.integer(), v.minValue(0))
const Milliseconds = v.pipe(v.number(), v.minValue(0))
const Names = v.array(v.string())

const Envelope = v.object({
  applicationId: v.string(),
  applicationVersion: v.string(),
  needs: Names,
  excluded: Names,
  only: v.optional(v.string()),
  share: v.string(),
  isAlone: v.boolean(),
  isReplayable: v.boolean(),
  validMs: Milliseconds,
  head: v.instance(Uint8Array),
})
const Outcome = v.object({
  outcome: v.picklist([
    ...(['claimed', 'unknown-application', 'declined', 'not-sent', 'not-signed-on'] as const),
    ...(['claim-missed', 'given-up', 'lost', 'violation', 'pin-lost', 'answered'] as const),
    ...(['long', 'ended'] as const),
  ]),
  connectorId: v.optional(v.string()),
})
const Presence = v.object({
  offers: Count,
  granted: Count,
  features: Names,
  connectors: Names,
})
const Health = v.array(
  v.object({
    tenantId: v.string(),
    groupId: v.string(),
    applicationId: v.string(),
    connectorId: v.string(),
    outcome: v.picklist([
      ...(['unknown-application', 'not-sent', 'claim-missed', 'given-up', 'lost'] as const),
      ...(['violation', 'answered'] as const),
    ]),
  }),
)

export function envelopeHead({ origin, tenantId, groupId, id, attempt }: OfferEnvelope) {
  return { kind: 'offer', from: origin, tenantId, groupId, id, attempt } as const
}

export function envelopeValue(envelope: OfferEnvelope): object {
  const { applicationId, applicationVersion, needs, excluded, only, share } = envelope
  const { isAlone, isReplayable, validMs, head } = envelope
  return {
    ...{ applicationId, applicationVersion, needs, excluded, only, share },
    ...{ isAlone, isReplayable, validMs, head: encodeOffer(head) },
  }
}

/** Undefined: it is not one, or its offer is another than its head says. */
export function readEnvelope(head: SealedHead, value: unknown): OfferEnvelope | undefined {
  const read = v.safeParse(Envelope, value)
  if (!read.success) return undefined
  let offer
  try {
    offer = decodeOffer(read.output.head)
  } catch {
    return undefined
  }
  const { id, attempt, tenantId, groupId, from: origin } = head
  const { applicationId } = read.output
  if (offer.id !== id || offer.attempt !== attempt || offer.origin !== origin) return undefined
  if (offer.applicationId !== applicationId) return undefined
  return { v: 1, id: offer.id, attempt, tenantId, groupId, origin, ...read.output, head: offer }
}

export function readOutcome(head: SealedHead, value: unknown): OfferOutcome | undefined {
  const read = v.safeParse(Outcome, value)
  if (!read.success) return undefined
  return { v: 1, id: head.id as ExchangeId, attempt: head.attempt, ...read.output }
}

export function readPresence(head: SealedHead, value: unknown): OfferPresence | undefined {
  const read = v.safeParse(Presence, value)
  const { from: instance, tenantId, groupId } = head
  return read.success ? { v: 1, instance, tenantId, groupId, ...read.output } : undefined
}

export function readHealth(head: SealedHead, value: unknown): readonly OfferHealth[] {
  const read = v.safeParse(Health, value)
  const { from: instance } = head
  return read.success ? read.output.map((seen) => ({ v: 1, instance, ...seen })) : []
}

/** `false`: declined. */
export function readReceipt(value: unknown): boolean | undefined {
  const read = v.safeParse(v.object({ isTaken: v.boolean() }), value)
  return read.success ? read.output.isTaken : undefined
}
