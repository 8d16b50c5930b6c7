import { describe, expect, test } from 'vitest'
import {
  AcceptedLink,
  DATA_BYTES,
  decode,
  decodeHello,
  decodeWelcome,
  DialledLink,
  encode,
  encodeClaim,
  encodeFrame,
  encodeHello,
  encodeOffer,
  encodeWelcome,
  Exchange,
  FrameReader,
  FrameType,
  FEATURES,
  GREASE_TYPES,
  LINK_FEATURES,
  PeerViolation,
  type Hello,
  type LinkEnd,
  type LinkEndpoint,
  type Offer,
  type Welcome,
} from '../../../src/protocol/internal.ts'

const PING_MS = 15_000
const ID = '00112233445566778899aabbccddeeff'
const HELLO: Hello = {
  versions: [7, 1],
  run: 'later connector',
  index: 0,
  epoch: 1,
  offers: 2,
  granted: 2,
  maxDataBytes: DATA_BYTES,
  features: ['link', 'extensible', 'teleport'],
}
const WELCOME: Welcome = {
  version: 1,
  instance: 'later cloud',
  windowBytes: 65_536,
  maxDataBytes: DATA_BYTES,
  pingMs: PING_MS,
  leaseMs: 0,
  features: ['link', 'extensible', 'teleport'],
}
const OFFER: Offer = {
  id: ID,
  attempt: 1,
  applicationId: 'app',
  applicationVersion: '1',
  method: 'GET',
  target: '/',
  headers: [],
  user: undefined,
  body: { kind: 'none' },
  upgrade: undefined,
  remainingMs: 1_000,
  origin: 'later cloud',
  affinity: '0f1e2d3c4b5a69788796a5b4c3d2e1f0',
  pinned: 1,
}

/** Appends what a later version might. */
function later(payload: Uint8Array): Uint8Array {
  const elements = decode(payload, { maxBytes: 1e5, maxDepth: 4, reason: 'MALFORMED_FRAME' })
  return encode([...(elements as unknown[]), 'an element of version 2', { and: ['more'] }])
}

const PING = encodeFrame(FrameType.PING, 0, 0, new Uint8Array(8))

/** One of our ends, and a peer of a later version that says what a test wants. */
class Meeting {
  now = 0
  readonly ends: LinkEnd[] = []
  readonly seen: unknown[] = []
  readonly link: LinkEndpoint
  readonly name: 'connector' | 'cloud'

  constructor(name: 'connector' | 'cloud', features = LINK_FEATURES, random?: () => number) {
    this.name = name
    const closed = (end: LinkEnd) => void this.ends.push(end)
    const wake = () => undefined
    if (name === 'cloud') {
      this.link = new AcceptedLink(
        {
          ...{ wake, closed },
          hello: (hello) => {
            this.seen.push(hello)
            return { ...WELCOME, features }
          },
          claim: (claim, wire) => {
            this.seen.push(claim)
            return { exchange: exchangeOn(wire, 'requester'), confirm: false }
          },
          decline: (decline) => this.seen.push(decline),
          granted: () => undefined,
        },
        ...([5_000, 0, random] as const),
      )
      return
    }
    this.link = new DialledLink(
      {
        ...{ wake, closed },
        welcome: (welcome) => this.seen.push(welcome),
        offer: (offer) => this.seen.push(offer),
        hint: (version) => this.seen.push(version),
        draining: () => undefined,
      },
      { ...HELLO, versions: [1], features },
      ...([5_000, 0, random] as const),
    )
  }

  /** The greeting of the later peer. */
  greet(changed: object = {}): this {
    const greeting =
      this.name === 'cloud'
        ? encodeFrame(FrameType.HELLO, 0, 0, later(encodeHello({ ...HELLO, ...changed })))
        : encodeFrame(FrameType.WELCOME, 0, 0, later(encodeWelcome({ ...WELCOME, ...changed })))
    return this.hears(greeting)
  }

  hears(...frames: Uint8Array[]): this {
    for (const frame of frames) this.link.receive(frame, this.now)
    return this
  }

  /** Frames that our end has to say. */
  said(): { type: number; number: number; payload: Uint8Array }[] {
    const found: { type: number; number: number; payload: Uint8Array }[] = []
    const reader = new FrameReader({
      frame: (type, _flags, number, payload) =>
        void found.push({ type, number, payload: payload.slice() }),
      data: () => undefined,
      ignored: (type, number, length) =>
        void found.push({ type, number, payload: new Uint8Array(length) }),
    })
    for (const chunk of this.link.takeOutput(Infinity)) reader.push(chunk)
    return found
  }

  get violation(): string | undefined {
    const [end] = this.ends
    return end?.cause instanceof PeerViolation ? end.cause.reason : end?.reason
  }
}

function exchangeOn(
  wire: ConstructorParameters<typeof Exchange>[0],
  role: 'requester' | 'responder',
) {
  const handler = {
    ...{ data: () => undefined, ended: () => undefined, writable: () => undefined },
    ...{ stopped: () => undefined, closed: () => undefined },
  }
  return new Exchange(wire, handler, {
    role,
    now: 0,
    requestBody: false,
    sendCreditBytes: 0,
    receiveWindowBytes: 65_536,
  })
}

const ENDS = ['cloud', 'connector'] as const

describe.each(ENDS)('our %s, and a peer of a later version', (name) => {
  test('it is greeted, with features, elements and versions that nobody here knows', () => {
    const meeting = new Meeting(name).greet()
    expect(meeting.link.state).toBe('open')
    expect(meeting.seen[0]).toMatchObject({ features: ['link', 'extensible', 'teleport'] })
  })

  test.each([0x40, 0x4a, 0x7f])('its frames of type %i are skipped, and change nothing', (type) => {
    const meeting = new Meeting(name).greet()
    const before = meeting.seen.length
    meeting.said()
    meeting.hears(encodeFrame(type, 0xff, 0, new Uint8Array(1_024).fill(7)), PING)
    expect(meeting.ends).toEqual([])
    expect(meeting.seen).toHaveLength(before)
    expect(meeting.said().map((frame) => frame.type)).toEqual([FrameType.PING])
  })

  test('a frame that comes octet by octet is skipped, and the one behind it is read', () => {
    const meeting = new Meeting(name).greet()
    meeting.said()
    const octets = new Uint8Array([...encodeFrame(0x55, 0, 0, new Uint8Array(40)), ...PING])
    for (const octet of octets) meeting.hears(new Uint8Array([octet]))
    expect(meeting.said().map((frame) => frame.type)).toEqual([FrameType.PING])
  })

  test.each([0x00, 0x11, 0x3f, 0x80, 0xff])('type %i is critical', (type) =>
    expect(new Meeting(name).greet().hears(encodeFrame(type, 0, 0)).violation).toBe(
      'UNKNOWN_FRAME',
    ),
  )

  test('more than 1 024 octets are refused from the header', () => {
    const header = encodeFrame(0x41, 0, 0).with(1, 0x04).with(2, 0x01)
    expect(new Meeting(name).greet().hears(header).violation).toBe('FRAME_TOO_LARGE')
  })

  test('a number that nobody has used is unknown', () => {
    const meeting = new Meeting(name).greet().hears(encodeFrame(0x41, 0, 1))
    expect(meeting.violation).toBe('UNKNOWN_NUMBER')
  })

  test('before the greeting there is none', () =>
    expect(new Meeting(name).hears(encodeFrame(0x41, 0, 0)).violation).toBe('UNEXPECTED_EVENT'))

  test.each([
    ['it', LINK_FEATURES, { features: ['link'] }],
    ['we', ['link'], {}],
  ])('without the feature, when %s lacks it, there is none', (_who, own, its) => {
    const meeting = new Meeting(name, own as typeof LINK_FEATURES).greet(its)
    expect(meeting.hears(encodeFrame(0x41, 0, 0)).violation).toBe('UNKNOWN_FRAME')
  })

  test('64 in a row are skipped, one more is too much; any other frame begins anew', () => {
    const meeting = new Meeting(name).greet()
    const row = Array.from({ length: 64 }, () => encodeFrame(0x41, 0, 0))
    meeting.hears(...row, PING, ...row)
    expect(meeting.ends).toEqual([])
    expect(meeting.hears(row[0]!).violation).toBe('IGNORED_EXCEEDED')
    expect(meeting.said().at(-1)).toMatchObject({ type: FrameType.RESET, number: 0 })
  })

  test('beyond 4 KiB they are at most a hundredth of what comes within a minute', () => {
    const meeting = new Meeting(name).greet()
    const big = encodeFrame(0x41, 0, 0, new Uint8Array(1_000))
    meeting.hears(big, big, big, big)
    meeting.now = 60_000
    meeting.hears(big, big, big, big)
    expect(meeting.ends).toEqual([])
    // 17 octets each: 34 000 of them allow no more than the four that came.
    meeting.hears(...Array.from({ length: 2_000 }, () => PING))
    expect(meeting.hears(big).violation).toBe('IGNORED_EXCEEDED')
  })

  test('a busy link may carry more', () => {
    const meeting = new Meeting(name).greet()
    const big = encodeFrame(0x41, 0, 0, new Uint8Array(1_000))
    meeting.hears(...Array.from({ length: 60_000 }, () => PING))
    for (let i = 0; i < 10; i++) meeting.hears(big)
    expect(meeting.ends).toEqual([])
    meeting.hears(big)
    expect(meeting.violation).toBe('IGNORED_EXCEEDED')
  })

  test('they are no sign of life', () => {
    const meeting = new Meeting(name).greet()
    for (meeting.now = 0; meeting.now < 3 * PING_MS; meeting.now += 5_000) {
      meeting.link.tick(meeting.now)
      meeting.hears(encodeFrame(0x41, 0, 0, new Uint8Array(4)))
      expect(meeting.ends).toEqual([])
    }
    meeting.link.tick(meeting.now)
    expect(meeting.ends).toEqual([expect.objectContaining({ reason: 'silent' })])
  })

  test('a draining link skips them as well', () => {
    const meeting = new Meeting(name).greet()
    openOne(meeting)
    meeting.link.drain()
    meeting.hears(encodeFrame(0x41, 0, 0), encodeFrame(0x41, 0, 1))
    expect(meeting.ends).toEqual([])
    expect(meeting.link.state).toBe('draining')
  })
})

/** An exchange on number 1. */
function openOne({ link }: Meeting): void {
  if (link instanceof DialledLink)
    link.claim(
      { id: ID, attempt: 1, credit: 0 },
      { open: (wire) => exchangeOn(wire, 'responder'), confirmed: () => undefined },
    )
  else
    link.receive(
      encodeFrame(FrameType.CLAIM, 0, 1, encodeClaim({ id: ID, attempt: 1, credit: 0 })),
      0,
    )
}

test('later keys and elements of an OFFER are ignored', () => {
  const meeting = new Meeting('connector').greet()
  meeting.hears(encodeFrame(FrameType.OFFER, 0, 0, later(encodeOffer(OFFER))))
  expect(meeting.seen[1]).toMatchObject({ id: ID, method: 'GET' })
})

test('later elements of CLAIM and DECLINE are ignored', () => {
  const meeting = new Meeting('cloud').greet()
  const claim = encodeClaim({ id: ID, attempt: 1, credit: 0 })
  meeting.hears(encodeFrame(FrameType.CLAIM, 0, 1, later(claim)))
  expect(meeting.seen[1]).toEqual({ id: ID, attempt: 1, credit: 0 })
})

describe('versions', () => {
  test('a WELCOME of a version that HELLO did not name ends the link', () =>
    expect(new Meeting('connector').greet({ version: 2 }).violation).toBe('UNSUPPORTED_VERSION'))
})

/** Numbers that look random and are the same each time. */
function sequence(): () => number {
  let state = 1
  return () => {
    state = (state * 48_271) % 0x7fff_ffff
    return state / 0x7fff_ffff
  }
}

describe.each(ENDS)('grease of our %s', (name) => {
  const greasing = () => new Meeting(name, LINK_FEATURES, sequence())

  test('is one feature and one element more in the greeting, and our own reader takes it', () => {
    const meeting = name === 'cloud' ? greasing().greet() : greasing()
    const [greeting] = meeting.said()
    const read = name === 'cloud' ? decodeWelcome : decodeHello
    const { features } = read(greeting!.payload)
    expect(features.slice(0, -1)).toEqual(LINK_FEATURES)
    expect(features.at(-1)).toMatch(/^grease-/)
    const limits = { maxBytes: 1e5, maxDepth: 4, reason: 'MALFORMED_FRAME' } as const
    const elements = decode(greeting!.payload, limits) as unknown[]
    expect(elements).toHaveLength(32)
    expect(elements.slice(name === 'cloud' ? 7 : 10, 31).every((one) => one === undefined)).toBe(
      true,
    )
    expect(elements[31]).toBeInstanceOf(Uint8Array)
  })

  test('is a frame after opening, and one about every minute', () => {
    const meeting = greasing().greet()
    meeting.said()
    const times: number[] = []
    const octets: number[] = []
    for (meeting.now = 0; meeting.now <= 600_000; meeting.now += 1_000) {
      if (meeting.now >= meeting.link.deadline) meeting.link.tick(meeting.now)
      for (const { type, number, payload } of meeting.said()) {
        if (type === FrameType.PING) continue
        expect(GREASE_TYPES).toContain(type)
        expect(number).toBe(0)
        octets.push(payload.length)
        times.push(meeting.now)
      }
      meeting.hears(PING)
    }
    expect(times[0]).toBe(0)
    const between = times.slice(1).map((time, i) => time - times[i]!)
    expect(Math.min(...between)).toBeGreaterThanOrEqual(45_000)
    expect(Math.max(...between)).toBeLessThanOrEqual(77_000)
    expect(Math.max(...octets)).toBeLessThanOrEqual(32)
  })

  test('waits while the link is busy, and is none where the other end is not extensible', () => {
    const busy = greasing().greet()
    openOne(busy)
    busy.said()
    busy.link.tick(0)
    expect(busy.said()).toEqual([])
    const stiff = greasing().greet({ features: ['link'] })
    stiff.said()
    for (const now of [0, 70_000]) {
      stiff.hears(PING)
      stiff.said()
      stiff.now = now
      stiff.link.tick(now)
      expect(stiff.said().filter(({ type }) => type !== FrameType.PING)).toEqual([])
    }
  })

  test('is none without randomness', () => {
    const meeting = new Meeting(name).greet()
    const [greeting] = meeting.said()
    const read = name === 'cloud' ? decodeWelcome : decodeHello
    expect(read(greeting!.payload).features).toEqual(LINK_FEATURES)
    meeting.link.tick(0)
    expect(meeting.said()).toEqual([])
  })
})

test('no feature is named like grease', () =>
  expect(Object.keys(FEATURES).filter((name) => name.startsWith('grease-'))).toEqual([]))
