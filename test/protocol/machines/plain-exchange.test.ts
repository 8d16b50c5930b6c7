/** Both ends of an exchange over the plain binding, joined by nothing but octets, in virtual time. */
import { describe, expect, test } from 'vitest'
import {
  CLAIM_HELD_MS,
  DATA_BYTES,
  encodeClaim,
  encodeFrame,
  Exchange,
  FrameReader,
  FrameType,
  PLAIN_CREDIT_BYTES,
  PLAIN_WINDOW_BYTES,
  PlainRequester,
  PlainResponder,
  ResetCode,
  type ExchangeHandler,
  type ExchangeOutcome,
  type PeerViolation,
} from '../../../src/protocol/internal.ts'

const ID = '0123456789abcdef0123456789abcdef'

/** An application, or a user, that takes what it gets. */
class End implements ExchangeHandler {
  readonly data = (bytes: Uint8Array): void => void (this.bytes += bytes.length)
  bytes = 0
  status: number | undefined
  hasEnded = false
  outcome: ExchangeOutcome | undefined
  responded({ status }: { status: number }): void {
    this.status = status
  }
  ended(): void {
    this.hasEnded = true
  }
  writable(): void {}
  stopped(): void {}
  closed(outcome: ExchangeOutcome): void {
    this.outcome = outcome
  }
}

class Pair {
  readonly told: string[] = []
  readonly user = new End()
  readonly application = new End()
  refusal: 'gone' | PeerViolation | undefined
  requested: Exchange | undefined
  readonly requester: PlainRequester
  readonly responder: PlainResponder
  readonly answering: Exchange

  constructor(options: { body?: boolean; isGone?: boolean; maxDataBytes?: number } = {}) {
    const { body = false, isGone = false, maxDataBytes = DATA_BYTES } = options
    const tell = (what: string) => () => void this.told.push(what)
    this.requester = new PlainRequester(
      {
        ...{ wake: () => undefined, resume: tell('resume'), cut: tell('cloud cuts') },
        ...{ endBody: tell('end of body'), finish: tell('finished'), over: tell('over') },
        refuse: (reason) => (this.refusal = reason),
        claim: ({ credit }) => {
          if (isGone) return undefined
          this.requested = new Exchange(this.requester, this.user, {
            ...{ role: 'requester', now: 0, requestBody: body, sendCreditBytes: credit },
            receiveWindowBytes: PLAIN_WINDOW_BYTES,
          })
          return this.requested
        },
      },
      ...([ID, maxDataBytes, () => !body] as const),
    )
    this.responder = new PlainResponder(
      {
        ...{ wake: () => undefined, resume: tell('resume'), cut: tell('connector cuts') },
        ...{ pull: tell('pull'), unclaimed: tell('unclaimed') },
      },
      maxDataBytes,
    )
    this.answering = new Exchange(this.responder, this.application, {
      ...{ role: 'responder', now: 0, requestBody: body, sendCreditBytes: PLAIN_CREDIT_BYTES },
      receiveWindowBytes: PLAIN_WINDOW_BYTES,
    })
    if (body) this.responder.claimByPull(this.answering)
    else this.responder.claimByAnswer(this.answering, ID, 1, 0)
  }

  pull(): void {
    this.requester.pull(1, 0)
    this.responder.confirmed()
  }

  /** What the connector has said reaches the cloud. */
  up(): void {
    for (const chunk of this.responder.takeOutput()) this.requester.receive(chunk, 0)
    this.responder.took(0)
  }

  /** What the cloud has said reaches the connector. */
  down(): void {
    for (const chunk of this.requester.takeOutput()) this.responder.receive(chunk, 0)
    this.requester.took(0)
  }
}

const OK = { status: 200, headers: [] }

describe('a claim by the answer', () => {
  test('waits for its answer, and is one call with it', () => {
    const pair = new Pair()
    expect(pair.responder.open(CLAIM_HELD_MS - 1)).toBeUndefined()
    pair.answering.respond(OK, false, 0)
    pair.answering.send(new Uint8Array(1_000), 0)
    pair.answering.end(0)
    expect(pair.responder.open(1)).toBe('whole')
    pair.requester.answer(5_000, 1)
    pair.up()
    expect(pair.user).toMatchObject({ status: 200, bytes: 1_000, outcome: { kind: 'done' } })
    expect(pair.told).toEqual(['finished', 'over'])
    pair.responder.accepted()
    expect([pair.requester.state, pair.responder.state]).toEqual(['over', 'over'])
  })

  test('leaves alone when its answer takes longer', () => {
    const pair = new Pair()
    expect(pair.responder.deadline).toBe(CLAIM_HELD_MS)
    expect(pair.responder.open(CLAIM_HELD_MS)).toBe('stream')
    pair.requester.answer(5_000, 0)
    pair.up()
    expect([pair.requester.state, pair.responder.state]).toEqual(['answering', 'claimed'])
    expect(pair.requested!.isUnanswered).toBe(true)
  })

  test('leaves at once with the head of an answer that goes on', () => {
    const pair = new Pair()
    pair.answering.respond(OK, false, 0)
    expect(pair.responder.open(0)).toBe('stream')
  })

  test('of which nothing was sent is whole: CLAIM, then RESET', () => {
    const pair = new Pair()
    pair.answering.notSent(ResetCode.UNREACHABLE)
    expect(pair.responder.open(0)).toBe('whole')
    pair.requester.answer(5_000, 0)
    pair.up()
    expect(pair.user.outcome).toMatchObject({ kind: 'failed' })
    expect(pair.told).toEqual(['finished', 'over'])
  })

  test('of what is gone is refused, and what follows says nothing', () => {
    const pair = new Pair({ isGone: true })
    pair.answering.respond(OK, false, 0)
    pair.responder.open(0)
    pair.requester.answer(5_000, 0)
    pair.up()
    expect(pair.refusal).toBe('gone')
    pair.requester.receivedEnd(0)
    pair.responder.refused()
    expect(pair.application.outcome).toEqual({ kind: 'cancelled', code: ResetCode.GONE })
  })

  test('whose call breaks is declined, unless the answer has begun', () => {
    const early = new Pair()
    early.responder.open(CLAIM_HELD_MS)
    early.responder.lost()
    expect(early.told).toContain('unclaimed')
    const late = new Pair()
    late.answering.respond(OK, false, 0)
    late.responder.open(0)
    late.responder.lost()
    expect(late.told).toEqual(['connector cuts'])
  })

  test('that was said whole, and whose call breaks, is declined too', () => {
    const pair = new Pair()
    pair.answering.respond(OK, true, 0)
    expect(pair.responder.open(0)).toBe('whole')
    pair.responder.lost()
    expect(pair.told).toContain('unclaimed')
  })

  test('must come in time', () => {
    const pair = new Pair()
    pair.requester.answer(5_000, 10)
    expect(pair.requester.deadline).toBe(5_010)
    pair.requester.expire()
    expect(pair.refusal).toMatchObject({ code: 'ERR_PEER_VIOLATION' })
    expect(pair.requester.deadline).toBeUndefined()
  })

  test.each([
    ['another frame first', encodeFrame(FrameType.STOP, 0, 0, new Uint8Array([0x91, 0]))],
    ['DATA first', encodeFrame(FrameType.DATA, 0, 0, new Uint8Array(1))],
    [
      'the claim of another exchange',
      encodeFrame(
        FrameType.CLAIM,
        ...([0, 0] as const),
        encodeClaim({ id: ID.replace('0', '1'), attempt: 1, credit: 0 }),
      ),
    ],
  ])('with %s is refused', (_, octets) => {
    const pair = new Pair()
    pair.requester.answer(5_000, 0)
    pair.requester.receive(octets, 0)
    expect(pair.refusal).toBeDefined()
    expect(pair.requester.state).toBe('over')
  })

  test('of a request with a body is refused: it is pulled first', () => {
    const pair = new Pair({ body: true })
    pair.requester.answer(5_000, 0)
    pair.requester.receive(
      encodeFrame(FrameType.CLAIM, 0, 0, encodeClaim({ id: ID, attempt: 1, credit: 0 })),
      0,
    )
    expect(pair.refusal).toBe('gone')
  })
})

describe('a claim by a pull', () => {
  test('brings the body, which stays open behind its end until the answer is called', () => {
    const pair = new Pair({ body: true })
    expect(pair.told).toEqual(['pull'])
    pair.pull()
    pair.requested!.send(new Uint8Array(100), 0)
    pair.requested!.end(0)
    pair.down()
    expect(pair.application).toMatchObject({ bytes: 100, hasEnded: true })
    expect([pair.requester.state, pair.told]).toEqual(['waiting', ['pull']])
    pair.answering.respond(OK, true, 0)
    expect(pair.responder.open(0)).toBe('whole')
    pair.requester.answer(5_000, 0)
    expect(pair.told).toEqual(['pull', 'end of body'])
    pair.up()
    expect(pair.user.outcome).toEqual({ kind: 'done' })
  })

  test('ends the body at once where the answer is called already', () => {
    const pair = new Pair({ body: true })
    pair.pull()
    pair.answering.respond(OK, false, 0)
    pair.responder.open(0)
    pair.requester.answer(5_000, 0)
    expect(pair.requester.state).toBe('exchanging')
    pair.requested!.end(0)
    expect(pair.requester.state).toBe('answering')
    expect(pair.told).toContain('end of body')
  })

  test('the end of the body counts although the cloud has all of the answer', () => {
    const pair = new Pair({ body: true })
    pair.pull()
    pair.answering.respond(OK, true, 0)
    pair.responder.open(0)
    pair.requester.answer(5_000, 0)
    pair.up()
    pair.requested!.end(0)
    pair.responder.accepted()
    pair.down()
    expect(pair.application.outcome).toEqual({ kind: 'done' })
  })

  test('NOT_SENT is the only frame of its call', () => {
    const pair = new Pair({ body: true })
    pair.pull()
    pair.answering.notSent(ResetCode.UNREACHABLE)
    expect(pair.responder.open(0)).toBe('whole')
    const types: number[] = []
    const reader = new FrameReader({ frame: (type) => types.push(type), data: () => undefined })
    for (const chunk of pair.responder.takeOutput()) reader.push(chunk)
    expect(types).toEqual([FrameType.RESET])
  })

  test('that is not confirmed ends with its call alone', () => {
    const pair = new Pair({ body: true })
    pair.answering.expire()
    expect(pair.told).toEqual(['pull', 'connector cuts'])
    expect(pair.responder.open(0)).toBeUndefined()
    const lost = new Pair({ body: true })
    lost.responder.lost()
    expect(lost.told).toContain('unclaimed')
    expect(lost.application.outcome).toMatchObject({ kind: 'cancelled' })
  })

  test('that is gone leaves its call to be refused', () => {
    const pair = new Pair({ body: true, isGone: true })
    expect(pair.requester.pull(1, 0)).toBe(false)
    expect(pair.requester.state).toBe('over')
  })

  test('takes one answer, and none before it', () => {
    const pair = new Pair({ body: true })
    expect(pair.requester.awaitsAnswer).toBe(false)
    pair.pull()
    expect(pair.requester.awaitsAnswer).toBe(true)
    pair.requester.answer(5_000, 0)
    expect(pair.requester.awaitsAnswer).toBe(false)
  })
})

test('an answer that breaks off without END is a loss, and a user who leaves cuts the calls', () => {
  const broken = new Pair()
  broken.answering.respond(OK, false, 0)
  broken.responder.open(0)
  broken.requester.answer(5_000, 0)
  broken.up()
  broken.requester.receivedEnd(0)
  expect(broken.user.outcome).toMatchObject({ kind: 'failed' })
  expect(broken.told).toEqual(['over', 'cloud cuts'])
  const left = new Pair()
  left.responder.open(CLAIM_HELD_MS)
  left.requester.answer(5_000, 0)
  left.up()
  left.requested!.cancel()
  expect(left.told[0]).toBe('cloud cuts')
  left.responder.lost()
  expect(left.application.outcome).toMatchObject({ kind: 'cancelled' })
})

describe('DATA', () => {
  test('leaves in frames of the agreed size, and only the last one ends the body', () => {
    const pair = new Pair()
    pair.answering.respond(OK, false, 0)
    pair.answering.send(new Uint8Array(100_000), 0)
    pair.answering.end(0)
    const frames: [number, boolean][] = []
    const reader = new FrameReader(
      { frame: () => undefined, data: (_number, bytes, end) => frames.push([bytes.length, end]) },
      DATA_BYTES,
    )
    for (const chunk of pair.responder.takeOutput()) reader.push(chunk)
    expect(frames.reduce((sum, [bytes]) => sum + bytes, 0)).toBe(100_000)
    expect(frames.filter(([, end]) => end)).toHaveLength(1)
    expect(frames.at(-1)![1]).toBe(true)
  })

  test.each([
    [DATA_BYTES, DATA_BYTES + 1],
    [60_000, 60_001],
  ])('of more than the %i octets agreed on is a violation', (maxDataBytes, bytes) => {
    const pair = new Pair({ maxDataBytes })
    pair.answering.respond(OK, false, 0)
    pair.responder.open(0)
    pair.requester.answer(5_000, 0)
    pair.up()
    pair.requester.receive(encodeFrame(FrameType.DATA, 0, 0, new Uint8Array(maxDataBytes)), 0)
    expect(pair.user.outcome).toBeUndefined()
    pair.requester.receive(encodeFrame(FrameType.DATA, 0, 0, new Uint8Array(bytes)), 0)
    expect(pair.user.outcome).toMatchObject({ kind: 'failed' })
    expect(pair.told).toContain('cloud cuts')
  })

  test('is not read on while there is no room', () => {
    const pair = new Pair()
    pair.answering.respond(OK, false, 0)
    pair.responder.open(0)
    pair.requester.answer(5_000, 0)
    pair.up()
    let sent = 0
    while (!pair.requester.isFull) {
      sent += pair.answering.send(new Uint8Array(DATA_BYTES), 0)
      pair.up()
    }
    expect(sent).toBeLessThanOrEqual(PLAIN_WINDOW_BYTES)
    pair.requested!.consumed(sent, 0)
    expect(pair.told).toContain('resume')
    expect(pair.requester.isFull).toBe(false)
  })
})
