/** What instances say to each other through a broker that nobody trusts. */
import { webcrypto } from 'node:crypto'
import fc from 'fast-check'
import { beforeEach, expect, test } from 'vitest'
import { KeyRing } from '../../../src/cloud/index.ts'
import {
  envelopeHead,
  envelopeValue,
  readEnvelope,
} from '../../../src/cloud/offers/offer-messages.ts'
import {
  MAX_SEALED_BYTES,
  SealedMessages,
  type SealedHead,
} from '../../../src/cloud/offers/sealed-messages.ts'
import { envelope } from '../../suites/offer-queue-suite.ts'

const HEAD: SealedHead = {
  ...{ kind: 'outcome', from: 'near', tenantId: 'contoso', groupId: 'default' },
  ...{ id: '0'.repeat(32), attempt: 3 },
}

let ring: KeyRing
let near: SealedMessages
let far: SealedMessages
beforeEach(async () => {
  ring = await KeyRing.open()
  near = new SealedMessages(ring, webcrypto as Crypto)
  far = new SealedMessages(ring, webcrypto as Crypto)
})

test('what one instance seals another opens, and knows what it is about before', async () => {
  const whole = await near.seal(HEAD, { outcome: 'lost', connectorId: 'c' })
  expect(far.peek(whole)).toEqual(HEAD)
  expect(await far.open(whole)).toEqual({
    head: HEAD,
    value: { outcome: 'lost', connectorId: 'c' },
  })
  expect(Buffer.from(whole).includes('lost')).toBe(false)
})

test('an envelope comes through whole', async () => {
  const sent = envelope({ excluded: ['b'], needs: ['upgrade'], only: 'c', groupId: '*.>' })
  const whole = await near.seal(envelopeHead(sent), envelopeValue(sent))
  const { head, value } = (await far.open(whole))!
  expect(readEnvelope(head, value)).toEqual(sent)
  for (const said of ['X-Name', '/a?x', 'ann'])
    expect(Buffer.from(whole).includes(said)).toBe(false)
  expect(readEnvelope({ ...head, attempt: 2 }, value)).toBeUndefined()
  expect(readEnvelope({ ...head, from: 'far' }, value)).toBeUndefined()
})

test('whatever octet of it is another, it does not open', async () => {
  const whole = await near.seal(HEAD, { outcome: 'ended' })
  await fc.assert(
    fc.asyncProperty(
      fc.nat(whole.length - 1),
      fc.integer({ min: 1, max: 255 }),
      async (at, change) => {
        const changed = whole.slice()
        changed[at]! ^= change
        expect(await far.open(changed)).toBeUndefined()
      },
    ),
  )
  for (const length of [0, 1, 2, 20, whole.length - 1])
    expect(await far.open(whole.slice(0, length))).toBeUndefined()
  expect(await far.open(whole)).toBeDefined()
})

test('no octets of anybody else end anything', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (octets) => {
      expect(await far.open(octets)).toBeUndefined()
    }),
  )
})

test('keys that are rotated open what was sealed before; another ring opens nothing', async () => {
  const whole = await near.seal(HEAD, {})
  await ring.rotate()
  expect(await far.open(whole)).toBeDefined()
  expect(await far.open(await near.seal(HEAD, {}))).toBeDefined()
  const others = new SealedMessages(await KeyRing.open(), webcrypto as Crypto)
  expect(await others.open(whole)).toBeUndefined()
})

test('no two messages are sealed alike, and none by two senders', async () => {
  const sealed = await Promise.all(
    [near, near, far, new SealedMessages(ring, webcrypto as Crypto)].map((one) =>
      one.seal(HEAD, { outcome: 'ended' }),
    ),
  )
  expect(new Set(sealed.map((whole) => Buffer.from(whole).toString('hex'))).size).toBe(4)
})

test('what is too large is refused before it is sealed', async () => {
  await expect(near.seal(HEAD, new Uint8Array(MAX_SEALED_BYTES))).rejects.toMatchObject({
    name: 'Refused',
    reason: 'too-large',
  })
  const most = await near.seal(HEAD, new Uint8Array(MAX_SEALED_BYTES - 300))
  expect(most.length).toBeLessThanOrEqual(MAX_SEALED_BYTES)
  expect(await far.open(most)).toBeDefined()
})
