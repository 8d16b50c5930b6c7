/** Every number that HELLO, WELCOME, OFFER and CLAIM agree on or name, just inside its bound and just beyond, at the end that enforces it. */
import { describe, expect, test } from 'vitest'
import {
  AcceptedLink,
  DATA_BYTES,
  decodeHello,
  decodeTrailers,
  decodeResponse,
  decodeWelcome,
  DialledLink,
  encodeClaim,
  encodeFrame,
  encodeHello,
  encodeOffer,
  encodeResponseHead,
  encodeTrailers,
  encodeWelcome,
  Exchange,
  FrameFlag,
  FrameType,
  MAX_ANSWER_FIELDS,
  MAX_DATA_BYTES,
  MAX_NUMBER,
  MAX_OFFERS,
  MAX_WELCOME_MS,
  type Hello,
  type LinkEnd,
  type Welcome,
} from '../../../src/protocol/internal.ts'

const HELLO: Hello = {
  ...{ versions: [1], run: 'i', index: 0, epoch: 1, offers: 5, granted: 5 },
  ...{ maxDataBytes: MAX_DATA_BYTES, features: [] },
}
const WELCOME: Welcome = {
  ...{ version: 1, instance: 'c', windowBytes: 2 ** 20, maxDataBytes: MAX_DATA_BYTES },
  ...{ pingMs: 1_000, leaseMs: 0, features: [] },
}
const ID = '0'.repeat(32)
const nothing = (): undefined => undefined
const handler = {
  ...{ data: nothing, ended: nothing, writable: nothing, stopped: nothing, closed: nothing },
}

test.each<[Partial<Hello>, boolean]>([
  [{ maxDataBytes: DATA_BYTES }, true],
  [{ maxDataBytes: DATA_BYTES - 1 }, false],
  [{ maxDataBytes: 1 }, false],
  [{ maxDataBytes: 0 }, false],
  [{ maxDataBytes: MAX_DATA_BYTES + 1 }, false],
  [{ maxDataBytes: 2 ** 40 }, false],
  [{ offers: MAX_OFFERS }, true],
  [{ offers: MAX_OFFERS + 1 }, false],
  [{ offers: 4 }, false],
  [{ granted: 6 }, false],
  [{ run: '' }, false],
])('HELLO with %j: %s', (change, isTaken) => {
  const read = () => decodeHello(encodeHello({ ...HELLO, ...change }))
  if (isTaken) expect(read()).toMatchObject(change)
  else expect(read).toThrow(expect.objectContaining({ reason: 'MALFORMED_FRAME' }))
})

test.each<[Partial<Welcome>, boolean]>([
  [{ maxDataBytes: DATA_BYTES }, true],
  [{ maxDataBytes: DATA_BYTES - 1 }, false],
  [{ maxDataBytes: MAX_DATA_BYTES + 1 }, false],
  [{ windowBytes: 2 ** 32 }, false],
  [{ pingMs: MAX_WELCOME_MS }, true],
  [{ pingMs: MAX_WELCOME_MS + 1 }, false],
  [{ pingMs: 0 }, false],
  [{ leaseMs: MAX_WELCOME_MS }, true],
  [{ leaseMs: 2 ** 31 }, false],
])('WELCOME with %j: %s', (change, isTaken) => {
  const read = () => decodeWelcome(encodeWelcome({ ...WELCOME, ...change }))
  if (isTaken) expect(read()).toMatchObject(change)
  else expect(read).toThrow(expect.objectContaining({ reason: 'MALFORMED_FRAME' }))
})

test.each([MAX_ANSWER_FIELDS, MAX_ANSWER_FIELDS + 1])('an answer of %i fields', (fields) => {
  const headers = Array.from({ length: 2 * fields }, (_, i) => (i % 2 ? '' : 'a'))
  for (const read of [
    () => decodeResponse(encodeResponseHead({ status: 200, headers })),
    () => decodeTrailers(encodeTrailers(headers)),
  ])
    if (fields <= MAX_ANSWER_FIELDS) read()
    else expect(read).toThrow(expect.objectContaining({ reason: 'MALFORMED_FRAME' }))
})

/** The cloud's end, open, with one exchange on number 1. */
function cloud(hello = HELLO, welcome = WELCOME) {
  const ends: LinkEnd[] = []
  const link = new AcceptedLink(
    {
      ...{ wake: nothing, decline: nothing, granted: nothing },
      closed: (end) => ends.push(end),
      hello: () => welcome,
      claim: (_, wire, carriage) => ({
        confirm: false,
        exchange: new Exchange(wire, handler, {
          ...{ role: 'requester', now: 0, requestBody: false, sendCreditBytes: 0 },
          receiveWindowBytes: carriage.windowBytes,
        }),
      }),
    },
    1_000,
    0,
  )
  const say = (type: FrameType, number: number, payload?: Uint8Array, flags = 0) =>
    link.receive(encodeFrame(type, flags, number, payload), 0)
  say(FrameType.HELLO, 0, encodeHello(hello))
  say(FrameType.CLAIM, 1, encodeClaim({ id: ID, attempt: 1, credit: 0 }))
  say(FrameType.RESPONSE, 1, encodeResponseHead({ status: 200, headers: [] }))
  return { say, reason: () => (ends[0]?.cause as { reason?: string } | undefined)?.reason }
}

/** The connector's end, open. */
function connector(welcome: Partial<Welcome> = {}) {
  const ends: LinkEnd[] = []
  const link = new DialledLink(
    {
      ...{ wake: nothing, welcome: nothing, offer: nothing, hint: nothing, draining: nothing },
      closed: (end) => ends.push(end),
    },
    HELLO,
    1_000,
    0,
  )
  const say = (type: FrameType, number: number, payload?: Uint8Array, flags = 0) =>
    link.receive(encodeFrame(type, flags, number, payload), 0)
  say(FrameType.WELCOME, 0, encodeWelcome({ ...WELCOME, ...welcome }))
  return { say, reason: () => (ends[0]?.cause as { reason?: string } | undefined)?.reason }
}

describe('DATA', () => {
  test.each([
    [{ hello: DATA_BYTES, welcome: MAX_DATA_BYTES }, DATA_BYTES],
    [{ hello: MAX_DATA_BYTES, welcome: DATA_BYTES }, DATA_BYTES],
    [{ hello: 20_000, welcome: 30_000 }, 20_000],
    [{ hello: MAX_DATA_BYTES, welcome: MAX_DATA_BYTES }, MAX_DATA_BYTES],
  ])('of more than %j agreed on ends the link, at both ends', ({ hello, welcome }, most) => {
    const ends = [
      () => cloud({ ...HELLO, maxDataBytes: hello }, { ...WELCOME, maxDataBytes: welcome }),
      ...(hello === MAX_DATA_BYTES ? [() => connector({ maxDataBytes: welcome })] : []),
    ]
    for (const open of ends)
      for (const [bytes, reason] of [
        [most, undefined],
        [most + 1, 'FRAME_TOO_LARGE'],
      ] as const) {
        if (bytes > MAX_DATA_BYTES) continue
        const end = open()
        end.say(FrameType.DATA, 1, new Uint8Array(bytes))
        // Nothing was claimed at the connector: within its size it is of a number that was never opened.
        const inside = open === ends[0] ? undefined : 'UNKNOWN_NUMBER'
        expect(end.reason()).toBe(reason ?? inside)
      }
  })
})

test.each<[string, (end: ReturnType<typeof cloud>) => void, string]>([
  [
    'CLAIM at 2^31',
    ({ say }) => say(FrameType.CLAIM, MAX_NUMBER, encodeClaim({ id: ID, attempt: 1, credit: 0 })),
    'NUMBER_NOT_INCREASING',
  ],
  [
    'DRAIN with a payload',
    ({ say }) => say(FrameType.DRAIN, 0, new Uint8Array(1)),
    'MALFORMED_FRAME',
  ],
  ['DRAIN on a number', ({ say }) => say(FrameType.DRAIN, 1), 'MALFORMED_FRAME'],
  ['PING on a number', ({ say }) => say(FrameType.PING, 1, new Uint8Array(8)), 'MALFORMED_FRAME'],
  [
    'an answer to a PING of 7 octets',
    ({ say }) => say(FrameType.PING, 0, new Uint8Array(7), FrameFlag.ACK),
    'MALFORMED_FRAME',
  ],
])('%s ends the link at the cloud', (_, say, reason) => {
  const end = cloud()
  say(end)
  expect(end.reason()).toBe(reason)
})

test.each<[string, (end: ReturnType<typeof connector>) => void, string]>([
  [
    'CONFIRM with a payload',
    ({ say }) => say(FrameType.CONFIRM, 1, new Uint8Array(1)),
    'MALFORMED_FRAME',
  ],
  [
    'DRAIN with a payload',
    ({ say }) => say(FrameType.DRAIN, 0, new Uint8Array(1)),
    'MALFORMED_FRAME',
  ],
  [
    'OFFER on a number',
    ({ say }) =>
      say(
        FrameType.OFFER,
        1,
        encodeOffer({
          id: ID,
          attempt: 1,
          applicationId: 'a',
          applicationVersion: 'v',
          method: 'GET',
          target: '/',
          headers: [],
          user: undefined,
          body: { kind: 'none' },
          upgrade: undefined,
          remainingMs: 1,
          origin: 'c',
        }),
      ),
    'MALFORMED_FRAME',
  ],
])('%s ends the link at the connector', (_, say, reason) => {
  const end = connector()
  say(end)
  expect(end.reason()).toBe(reason)
})

test('a WELCOME of a version that HELLO did not name ends the link', () => {
  expect(connector({ version: 2 }).reason()).toBe('UNSUPPORTED_VERSION')
})
