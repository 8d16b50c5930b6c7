import { describe, expect, test } from 'vitest'
import {
  AcceptedLink,
  DATA_BYTES,
  DialledLink,
  encodeFrame,
  encodeHello,
  encodeOffer,
  Exchange,
  FrameReader,
  FrameType,
  INITIAL_WINDOW_BYTES,
  MAX_DATA_BYTES,
  type AcceptedLinkHandler,
  type DialledLinkHandler,
  type ExchangeHandler,
  type ExchangeOutcome,
  type Hello,
  type LinkEnd,
  type Offer,
  type Welcome,
} from '../../../src/protocol/internal.ts'

const PING_MS = 1_000

const HELLO: Hello = {
  versions: [1],
  run: 'connector',
  index: 0,
  epoch: 1,
  offers: 2,
  granted: 2,
  maxDataBytes: DATA_BYTES,
  features: [],
}
const WELCOME: Welcome = {
  version: 1,
  instance: 'cloud',
  windowBytes: INITIAL_WINDOW_BYTES,
  maxDataBytes: DATA_BYTES,
  pingMs: PING_MS,
  leaseMs: 0,
  features: [],
}
const id = (n: number): string => n.toString(16).padStart(32, '0')
const offer = (n: number, more: Partial<Offer> = {}): Offer => ({
  id: id(n),
  attempt: 1,
  applicationId: 'app',
  applicationVersion: 'v1',
  method: 'GET',
  target: '/',
  headers: [],
  user: undefined,
  body: { kind: 'none' },
  upgrade: undefined,
  remainingMs: 1_000,
  origin: 'cloud',
  ...more,
})

/** One end of an exchange that remembers what it was told. */
class End implements ExchangeHandler {
  exchange: Exchange | undefined
  bytes = 0
  outcome: ExchangeOutcome | undefined
  consumes = true
  responded = (): void => undefined
  data = (bytes: Uint8Array): void => {
    this.bytes += bytes.length
    if (this.consumes) this.exchange!.consumed(bytes.length, 0)
  }
  ended = (): void => undefined
  writable = (): void => undefined
  stopped = (): void => undefined
  closed = (outcome: ExchangeOutcome): void => void (this.outcome = outcome)
}

/** A link's two ends, back to back, in virtual time. */
class Pair {
  now = 0
  readonly offers: Offer[] = []
  readonly seen: string[] = []
  readonly requesters: End[] = []
  readonly ends = { cloud: [] as LinkEnd[], connector: [] as LinkEnd[] }
  readonly cloud: AcceptedLink
  readonly connector: DialledLink

  constructor(options: { hello?: Hello; welcome?: Welcome | undefined; gone?: boolean } = {}) {
    const { hello = HELLO, gone = false } = options
    const welcome = 'welcome' in options ? options.welcome : WELCOME
    const accepted: AcceptedLinkHandler = {
      wake: () => undefined,
      hello: () => welcome,
      claim: (claim, wire, carriage) => {
        if (gone) return undefined
        const end = new End()
        this.requesters.push(end)
        end.exchange = new Exchange(wire, end, {
          role: 'requester',
          now: this.now,
          requestBody: claim.credit > 0,
          sendCreditBytes: claim.credit,
          receiveWindowBytes: carriage.windowBytes,
          maxWindowBytes: carriage.maxWindowBytes,
          budget: carriage.budget,
        })
        return { exchange: end.exchange, confirm: claim.credit > 0 }
      },
      decline: ({ reason }) => this.seen.push(`declined ${reason}`),
      granted: () => this.seen.push(`${this.cloud.grants} grants`),
      closed: (end) => this.ends.cloud.push(end),
    }
    const dialled: DialledLinkHandler = {
      wake: () => undefined,
      welcome: () => this.seen.push('welcome'),
      offer: (made) => this.offers.push(made),
      hint: (version) => this.seen.push(`hint ${version}`),
      draining: () => this.seen.push('draining'),
      closed: (end) => this.ends.connector.push(end),
    }
    this.cloud = new AcceptedLink(accepted, 5_000, 0)
    this.connector = new DialledLink(dialled, hello, 5_000, 0)
  }

  /** Delivers what was said, until both ends are silent. */
  settle(): this {
    for (;;) {
      const up = this.connector.takeOutput(Infinity)
      const down = this.cloud.takeOutput(Infinity)
      if (up.length + down.length === 0) return this
      for (const bytes of up) this.cloud.receive(bytes, this.now)
      for (const bytes of down) this.connector.receive(bytes, this.now)
    }
  }

  /** The connector claims an offer. */
  claim(n: number, credit = 0): End {
    const end = new End()
    end.exchange = this.connector.claim(
      { id: id(n), attempt: 1, credit },
      {
        confirmed: () => this.seen.push(`confirmed ${n}`),
        open: (wire, { windowBytes, budget }) =>
          new Exchange(wire, end, {
            role: 'responder',
            now: this.now,
            requestBody: credit > 0,
            sendCreditBytes: windowBytes,
            receiveWindowBytes: credit,
            budget,
          }),
      },
    )
    return end
  }
}

/** What a frame on its own makes of an open link's cloud end. */
function told(...frames: Uint8Array[]): Pair {
  const pair = new Pair().settle()
  pair.cloud.receive(Buffer.concat(frames), 0)
  return pair
}

/** Type and number of each frame. */
function framesOf(chunks: readonly Uint8Array[]): [type: number, number: number][] {
  const frames: [number, number][] = []
  const reader = new FrameReader(
    {
      frame: (type, _flags, number) => frames.push([type, number]),
      data: (number, bytes) => {
        if (bytes.length > 0) frames.push([FrameType.DATA, number])
      },
    },
    MAX_DATA_BYTES,
  )
  for (const chunk of chunks) reader.push(chunk)
  return frames
}

describe('a link', () => {
  test('opens with HELLO and WELCOME, and grants what HELLO said', () => {
    const pair = new Pair().settle()
    expect([pair.cloud.state, pair.connector.state]).toEqual(['open', 'open'])
    expect(pair.cloud.grants).toBe(2)
  })

  test('is refused when no version fits', () => {
    const pair = new Pair({ welcome: undefined }).settle()
    expect([pair.cloud.state, pair.connector.state]).toEqual(['refused', 'refused'])
    expect(pair.ends).toMatchObject({
      cloud: [{ reason: 'refused' }],
      connector: [{ reason: 'refused' }],
    })
  })

  test('carries a small GET in four frames: OFFER, CLAIM, RESPONSE, DATA with END', () => {
    const pair = new Pair().settle()
    pair.cloud.offer(offer(1))
    pair.settle()
    const responder = pair.claim(1)
    const claim = pair.connector.takeOutput(Infinity)
    expect(claim.map((bytes) => bytes[3])).toEqual([FrameType.CLAIM])
    for (const bytes of claim) pair.cloud.receive(bytes, 0)
    expect(pair.cloud.takeOutput(Infinity)).toEqual([])
    responder.exchange!.respond({ status: 200, headers: [] }, false, 0)
    responder.exchange!.send(new Uint8Array(5), 0)
    responder.exchange!.end(0)
    const answer = pair.connector.takeOutput(Infinity)
    // What is said in one turn is one chunk.
    expect(answer).toHaveLength(1)
    expect(framesOf(answer)).toEqual([
      [FrameType.RESPONSE, 1],
      [FrameType.DATA, 1],
    ])
    for (const bytes of answer) pair.cloud.receive(bytes, 0)
    expect(pair.requesters[0]).toMatchObject({ bytes: 5, outcome: { kind: 'done' } })
    expect([pair.cloud.open, pair.connector.open]).toEqual([0, 0])
  })

  test('spends a grant per offer, and refuses more grants than HELLO said', () => {
    const pair = new Pair().settle()
    pair.cloud.offer(offer(1))
    expect(pair.cloud.grants).toBe(1)
    pair.connector.grant(1)
    expect(pair.settle().cloud.grants).toBe(2)
    pair.connector.grant(1)
    pair.settle()
    expect(pair.ends.cloud).toMatchObject([
      { reason: 'violation', cause: { reason: 'GRANT_EXCEEDED' } },
    ])
  })

  test('confirms what is not replayable', () => {
    const pair = new Pair().settle()
    pair.claim(1, 100)
    pair.settle()
    expect(pair.seen).toContain('confirmed 1')
  })

  test('answers a claim that is gone on its own number', () => {
    const pair = new Pair({ gone: true }).settle()
    const responder = pair.claim(1, 100)
    pair.settle()
    expect(responder.outcome).toMatchObject({ kind: 'cancelled', code: 2 })
    expect(pair.connector.state).toBe('open')
  })

  test('takes DATA from its exchanges in turn, a frame at a time', () => {
    const pair = new Pair().settle()
    const [first, second] = [pair.claim(1), pair.claim(2)]
    pair.settle()
    for (const { exchange } of [first, second]) {
      exchange!.respond({ status: 200, headers: [] }, false, 0)
      exchange!.send(new Uint8Array(3 * DATA_BYTES), 0)
    }
    const frames = framesOf(pair.connector.takeOutput(Infinity))
    const numbers = frames.filter(([type]) => type === FrameType.DATA).map(([, number]) => number)
    expect(numbers).toEqual([1, 2, 1, 2, 1, 2])
  })

  test('passes the payload of a large DATA frame by reference', () => {
    const pair = new Pair().settle()
    const { exchange } = pair.claim(1)
    pair.settle()
    const payload = new Uint8Array(DATA_BYTES)
    exchange!.respond({ status: 200, headers: [] }, false, 0)
    exchange!.send(payload, 0)
    expect(pair.connector.takeOutput(Infinity)).toContain(payload)
  })

  test('lets a full transport wait, but not what is no DATA', () => {
    const pair = new Pair().settle()
    const { exchange } = pair.claim(1)
    pair.settle()
    exchange!.respond({ status: 200, headers: [] }, false, 0)
    exchange!.send(new Uint8Array(100), 0)
    const now = pair.connector.takeOutput(0)
    expect(now.map((bytes) => bytes[3])).toEqual([FrameType.RESPONSE])
    pair.cloud.receive(now[0]!, 0)
    expect(pair.connector.hasMore).toBe(true)
    expect(pair.settle().requesters[0]!.bytes).toBe(100)
  })

  test('one slow reader holds up nobody else', () => {
    const pair = new Pair().settle()
    const [slow, quick] = [pair.claim(1), pair.claim(2)]
    pair.settle()
    pair.requesters[0]!.consumes = false
    for (const { exchange } of [slow, quick])
      exchange!.respond({ status: 200, headers: [] }, false, 0)
    let sent = 0
    for (let i = 0; i < 100; i++) {
      slow.exchange!.send(new Uint8Array(DATA_BYTES), 0)
      sent += quick.exchange!.send(new Uint8Array(DATA_BYTES), 0)
      pair.settle()
    }
    expect(pair.requesters[0]!.bytes).toBe(INITIAL_WINDOW_BYTES)
    expect(sent).toBe(100 * DATA_BYTES)
  })

  test('refuses an exchange that its budget cannot hold', () => {
    const pair = new Pair({ hello: { ...HELLO, offers: 7, granted: 0 } }).settle()
    const ends = Array.from({ length: 8 }, (_, n) => pair.claim(n + 1))
    pair.settle()
    expect(ends.filter(({ outcome }) => outcome !== undefined)).toHaveLength(1)
    // What is over gives its window back.
    ends[0]!.exchange!.respond({ status: 204, headers: [] }, true, 0)
    pair.settle()
    const another = pair.claim(5_000)
    pair.settle()
    expect(another.outcome).toBeUndefined()
  })

  test('asks a silent peer, and gives it up after three intervals', () => {
    const pair = new Pair().settle()
    const responder = pair.claim(1)
    pair.settle()
    pair.now = pair.connector.deadline
    pair.connector.tick(pair.now)
    pair.settle()
    expect(pair.connector.state).toBe('open')
    for (let i = 0; i < 5 && pair.connector.state === 'open'; i++) {
      pair.now += PING_MS
      pair.connector.tick(pair.now)
      pair.connector.takeOutput(Infinity)
    }
    expect(pair.ends.connector).toEqual([{ reason: 'silent' }])
    expect(responder.outcome).toMatchObject({ kind: 'cancelled' })
    expect(pair.connector.deadline).toBe(Infinity)
  })

  test('drains: what is open goes on, and then it closes at both ends', () => {
    const pair = new Pair().settle()
    const responder = pair.claim(1)
    pair.settle()
    pair.connector.drain()
    pair.settle()
    expect([pair.cloud.state, pair.cloud.grants]).toEqual(['draining', 0])
    responder.exchange!.respond({ status: 204, headers: [] }, true, 0)
    pair.settle()
    expect(pair.ends).toEqual({
      cloud: [{ reason: 'drained' }],
      connector: [{ reason: 'drained' }],
    })
  })

  test.each(['cloud', 'connector'] as const)(
    'that %s drains before it is open is over, and both ends are told',
    (end) => {
      const pair = new Pair()
      pair[end].drain()
      pair.settle()
      expect([pair.cloud.state, pair.connector.state]).toEqual(['closed', 'closed'])
      expect(pair.ends).toEqual({
        cloud: [{ reason: 'drained' }],
        connector: [{ reason: 'drained' }],
      })
    },
  )

  test('loses every exchange with its transport', () => {
    const pair = new Pair().settle()
    const responder = pair.claim(1)
    pair.settle()
    pair.cloud.lost()
    pair.connector.lost()
    expect(pair.requesters[0]!.outcome).toMatchObject({ error: { reason: 'connector-lost' } })
    expect(responder.outcome).toMatchObject({ kind: 'cancelled' })
  })

  test.each<[string, Uint8Array[], string]>([
    [
      'a second HELLO',
      [encodeFrame(FrameType.HELLO, 0, 0, encodeHello(HELLO))],
      'UNEXPECTED_EVENT',
    ],
    [
      'an OFFER from a connector',
      [encodeFrame(FrameType.OFFER, 0, 0, encodeOffer(offer(1)))],
      'UNKNOWN_NUMBER',
    ],
    [
      'a number that was never opened',
      [encodeFrame(FrameType.STOP, 0, 7, new Uint8Array(4))],
      'UNKNOWN_NUMBER',
    ],
    ['a type that is none', [new Uint8Array([0, 0, 0, 0x7f, 0, 0, 0, 0, 0])], 'UNKNOWN_FRAME'],
    [
      'DATA that is too large',
      [new Uint8Array([0xff, 0, 0, FrameType.DATA, 0, 0, 0, 0, 1])],
      'FRAME_TOO_LARGE',
    ],
  ])('%s ends it', (_name, frames, reason) => {
    const pair = told(...frames)
    expect(pair.ends.cloud).toMatchObject([{ reason: 'violation', cause: { reason } }])
  })

  test('a number used again ends it', () => {
    const pair = new Pair().settle()
    pair.claim(1)
    const [claim] = pair.connector.takeOutput(Infinity)
    pair.cloud.receive(claim!, 0)
    pair.cloud.receive(claim!, 0)
    expect(pair.ends.cloud).toMatchObject([{ cause: { reason: 'NUMBER_NOT_INCREASING' } }])
  })

  test('a violation inside an exchange ends that exchange alone', () => {
    const pair = new Pair().settle()
    const [bad, good] = [pair.claim(1), pair.claim(2)]
    pair.settle()
    pair.cloud.receive(encodeFrame(FrameType.DATA, 0, 1, new Uint8Array(3)), 0)
    pair.settle()
    expect(pair.requesters[0]!.outcome).toMatchObject({ error: { reason: 'connector-violation' } })
    expect(bad.outcome).toMatchObject({ kind: 'cancelled', code: 3 })
    expect([good.outcome, pair.cloud.state]).toEqual([undefined, 'open'])
  })

  describe('legal races, each with its witness', () => {
    test('a grant that crossed with DRAIN', () => {
      const pair = new Pair().settle()
      const responder = pair.claim(1)
      pair.settle()
      pair.cloud.offer(offer(2))
      pair.cloud.drain()
      pair.connector.grant(1)
      pair.settle()
      expect([pair.cloud.state, responder.outcome]).toEqual(['draining', undefined])
    })

    test('frames behind the one that closed the link', () => {
      const drain = encodeFrame(FrameType.DRAIN, 0, 0)
      const ping = encodeFrame(FrameType.PING, 0, 0, new Uint8Array(8))
      const pair = told(drain, ping, drain)
      expect(pair.ends.cloud).toEqual([{ reason: 'drained' }])
    })

    test('frames of an exchange that was reset here', () => {
      const pair = new Pair().settle()
      const responder = pair.claim(1)
      pair.settle()
      pair.requesters[0]!.exchange!.cancel()
      responder.exchange!.respond({ status: 200, headers: [] }, false, 0)
      responder.exchange!.send(new Uint8Array(10), 0)
      pair.settle()
      expect(pair.cloud.state).toBe('open')
      expect(responder.outcome).toMatchObject({ kind: 'cancelled' })
    })
  })
})
