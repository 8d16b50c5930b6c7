/** What instances say to each other over a broker that is not trusted. */
import { expect, test } from 'vitest'
import { KeyRing } from '../src/cloud/index.ts'
import { envelopeHead, envelopeValue, readEnvelope } from '../src/cloud/offers/offer-messages.ts'
import { SealedMessages } from '../src/cloud/offers/sealed-messages.ts'
import { envelope } from '../test/suites/offer-queue-suite.ts'

/** A message with another head: its length, the head, and what follows as it was. */
function withHead(whole: Uint8Array, from: Uint8Array): Uint8Array {
  const end = (octets: Uint8Array) => 2 + new DataView(octets.buffer).getUint16(0)
  return Buffer.concat([from.subarray(0, end(from)), whole.subarray(end(whole))])
}

test('R8.2c what is sealed for one tenant, group, exchange or attempt opens for no other', async () => {
  const ring = await KeyRing.open()
  const [near, far] = [new SealedMessages(ring, crypto), new SealedMessages(ring, crypto)]
  const sent = envelope()
  const whole = await near.seal(envelopeHead(sent), envelopeValue(sent))
  const opened = (await far.open(whole))!
  expect(readEnvelope(opened.head, opened.value)).toEqual(sent)
  const others = [
    ...[{ tenantId: 'fabrikam' }, { groupId: 'other' }, { attempt: 2 }, { id: 'f'.repeat(32) }],
    ...[{ from: 'another' }, { kind: 'outcome' as const }],
  ]
  for (const other of others) {
    const moved = await near.seal({ ...envelopeHead(sent), ...other }, {})
    expect(await far.open(moved)).toBeDefined()
    expect(await far.open(withHead(whole, moved)), JSON.stringify(other)).toBeUndefined()
  }
})

test('R8.2c what another service says is heard by nobody', async () => {
  const sent = envelope()
  const stranger = new SealedMessages(await KeyRing.open(), crypto)
  const ours = new SealedMessages(await KeyRing.open(), crypto)
  expect(await ours.open(await stranger.seal(envelopeHead(sent), envelopeValue(sent)))).toBe(
    undefined,
  )
})
