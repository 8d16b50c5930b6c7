import { expect, test } from 'vitest'
import { CloudLink } from '../../src/connector/cloud-link.ts'
import { OfferSlots } from '../../src/connector/offer-slots.ts'
import type { Carrier, ClaimedJob, Worker } from '../../src/connector/worker.ts'
import {
  AcceptedLink,
  encodeFrame,
  encodeOffer,
  FrameType,
  LINK_FEATURES,
  MAX_DATA_BYTES,
  PROTOCOL_VERSION,
  TIME_LIMITS,
  type ApplicationDetails,
  type LinkEnd,
  type Offer,
} from '../../src/protocol/internal.ts'

const OFFER: Offer = {
  id: '0'.repeat(32),
  attempt: 1,
  applicationId: 'wiki',
  applicationVersion: 'v1',
  method: 'GET',
  target: '/',
  headers: [],
  user: undefined,
  body: { kind: 'none' },
  upgrade: undefined,
  remainingMs: 5_000,
  origin: 'cloud-1',
}

const nothing = (): void => undefined
const JOB: ClaimedJob = {
  ...{ confirmed: nothing, data: nothing, ended: nothing },
  ...{ writable: nothing, stopped: nothing, closed: nothing, release: nothing },
}
const APPLICATION = { responseHeadMs: 85_000 } as ApplicationDetails

/** Both ends of one link; the worker keeps what it is offered. */
class Line {
  readonly offered: Carrier[] = []
  end: LinkEnd | undefined
  readonly cloud = new AcceptedLink(
    {
      wake: () => undefined,
      hello: () => ({
        version: PROTOCOL_VERSION,
        instance: 'cloud-1',
        windowBytes: 65_536,
        maxDataBytes: MAX_DATA_BYTES,
        pingMs: 15_000,
        leaseMs: 0,
        features: LINK_FEATURES,
      }),
      claim: () => undefined,
      decline: () => undefined,
      granted: () => undefined,
      closed: (end) => (this.end = end),
    },
    5_000,
    0,
  )
  readonly connector: CloudLink

  constructor(slots: OfferSlots) {
    const offered = (_offer: Offer, carrier: Carrier) => void this.offered.push(carrier)
    this.connector = new CloudLink({
      worker: { offered } as unknown as Worker,
      clocks: { now: () => 0, wallClock: () => 0 },
      limits: TIME_LIMITS,
      hello: {
        versions: [PROTOCOL_VERSION],
        run: 'a',
        index: 0,
        epoch: 1,
        maxDataBytes: MAX_DATA_BYTES,
        features: LINK_FEATURES,
      },
      slots,
      instance: 'cloud-1',
      events: {
        wake: () => undefined,
        up: () => undefined,
        hint: () => undefined,
        draining: () => undefined,
        closed: () => undefined,
      },
    })
  }

  up(): this {
    for (const bytes of this.connector.link.takeOutput(Infinity)) this.cloud.receive(bytes, 0)
    return this
  }

  down(): this {
    for (const bytes of this.cloud.takeOutput(Infinity)) this.connector.link.receive(bytes, 0)
    return this
  }
}

test('offers that were under way on the old link are not granted once more on the new one', () => {
  const slots = new OfferSlots(3)
  const old = new Line(slots).up().down()
  old.cloud.offer(OFFER)
  old.down()
  // It is busy, so it lives on while it drains; two more offers are behind what it carries.
  old.offered[0]!.claim(JOB, APPLICATION)
  old.cloud.offer(OFFER)
  old.cloud.offer(OFFER)
  old.connector.link.drain()
  const fresh = new Line(slots).up().down()
  expect(fresh.cloud.grants).toBe(2)
  old.down()
  for (const carrier of old.offered.slice(1)) carrier.release()
  fresh.up()
  expect(fresh.end).toBeUndefined()
  expect(fresh.cloud.grants).toBe(2)
})

test('every slot that comes free is granted once, whichever link its offer came by', () => {
  const slots = new OfferSlots(2)
  const old = new Line(slots).up().down()
  old.cloud.offer(OFFER)
  old.down()
  old.connector.link.drain()
  const fresh = new Line(slots).up().down()
  expect(fresh.cloud.grants).toBe(1)
  fresh.cloud.offer(OFFER)
  fresh.down()
  old.offered[0]!.release()
  fresh.up()
  fresh.offered[0]!.release()
  fresh.up()
  expect([fresh.cloud.grants, slots.free]).toEqual([2, 2])
})

test('an offer beyond the grants ends the link, and takes no slot', () => {
  const slots = new OfferSlots(2)
  const line = new Line(slots).up().down()
  const offer = encodeFrame(FrameType.OFFER, 0, 0, encodeOffer(OFFER))
  for (let i = 0; i < 2; i++) line.connector.link.receive(offer, 0)
  // One that came free, granted again, is one more.
  line.offered[0]!.release()
  line.up().connector.link.receive(offer, 0)
  expect([line.offered.length, line.connector.link.state, slots.free]).toEqual([3, 'open', 0])
  line.connector.link.receive(offer, 0)
  expect([line.offered.length, line.connector.link.state, slots.free]).toEqual([3, 'closed', 0])
  line.up()
  expect(line.end).toMatchObject({ reason: 'violation' })
})
