/**
 * One end of a real link, brought to where a vector's frame is legal, or is not; and what it makes
 * of the frame.
 *
 * @module
 */
import {
  AcceptedLink,
  DATA_BYTES,
  DialledLink,
  encodeClaim,
  encodeFrame,
  encodeHello,
  encodeResponseHead,
  encodeWelcome,
  Exchange,
  FrameReader,
  FrameType,
  PeerViolation,
  type ExchangeHandler,
  type ExchangeOutcome,
  type ExchangeWire,
  type Hello,
  type LinkEnd,
  type LinkEndpoint,
  type Welcome,
} from '../src/protocol/internal.ts'
import type { Situation, SituationState } from './generate/vector.ts'

const ID = '00112233445566778899aabbccddeeff'
/** The exchange that vectors speak of. */
export const NUMBER = 5
const HELLO: Hello = {
  versions: [1],
  run: 'run-1',
  index: 0,
  epoch: 1,
  offers: 10,
  granted: 10,
  maxDataBytes: DATA_BYTES,
  features: ['link', 'upgrade'],
}
/** Without a window: credit of any size adds up to what a vector says. */
const WELCOME: Welcome = {
  version: 1,
  instance: 'cloud-1',
  windowBytes: 0,
  maxDataBytes: DATA_BYTES,
  pingMs: 15_000,
  leaseMs: 0,
  features: ['link', 'upgrade'],
}
/** What a body may bring at once. */
const WINDOW_BYTES = 1024

/** What an end was told, in the words of the vectors. */
export interface Told {
  readonly frame: keyof typeof FrameType
  readonly payload?: unknown
  readonly end?: boolean
}

/** One end, and what it hears. */
export class VectorWorld {
  readonly told: Told[] = []
  readonly link: LinkEndpoint
  end: LinkEnd | undefined
  outcome: ExchangeOutcome | undefined
  #exchange: Exchange | undefined
  readonly #at: 'connector' | 'cloud'
  readonly #isUpgrade: boolean

  constructor({ at, in: state }: Situation) {
    this.#at = at
    this.#isUpgrade = state === 'upgrade-asked'
    this.link = at === 'cloud' ? this.#accepted() : this.#dialled()
    for (const step of STEPS.slice(0, stepsTo(state))) this.#go(step)
    this.said()
    this.told.length = 0
  }

  /** Octets of the peer, and nothing behind them. */
  receive(octets: Uint8Array): void {
    this.link.receive(octets, 0)
  }

  /** What it may send of its body. */
  get credit(): number {
    return this.#exchange?.save().outgoing.credit ?? 0
  }

  /** Frames that this end has to say. */
  said(): { type: number; flags: number; number: number; payload: Uint8Array }[] {
    const frames: { type: number; flags: number; number: number; payload: Uint8Array }[] = []
    const reader = new FrameReader({
      frame: (type, flags, number, payload) =>
        void frames.push({ type, flags, number, payload: payload.slice() }),
      data: () => undefined,
    })
    for (const chunk of this.link.takeOutput(Infinity)) reader.push(chunk)
    return frames
  }

  /** Why the link, or the exchange, ended. */
  get violation(): { of: 'link' | 'exchange'; reason: string } | undefined {
    if (this.end?.cause instanceof PeerViolation)
      return { of: 'link', reason: this.end.cause.reason }
    const { outcome } = this
    const cause = outcome?.kind === 'failed' ? outcome.error.cause : undefined
    return cause instanceof PeerViolation ? { of: 'exchange', reason: cause.reason } : undefined
  }

  // ── the way there ─────────────────────────────────────────────────────────────────────────

  #go(step: Step): void {
    const isCloud = this.#at === 'cloud'
    switch (step) {
      case 'greet': {
        const [type, payload] = isCloud
          ? ([FrameType.HELLO, encodeHello(HELLO)] as const)
          : ([FrameType.WELCOME, encodeWelcome(WELCOME)] as const)
        return this.receive(encodeFrame(type, 0, 0, payload))
      }
      case 'claim':
        return isCloud
          ? this.receive(
              encodeFrame(
                FrameType.CLAIM,
                0,
                NUMBER,
                encodeClaim({ id: ID, attempt: 1, credit: 0 }),
              ),
            )
          : this.#claim()
      case 'confirm':
        return isCloud ? undefined : this.receive(encodeFrame(FrameType.CONFIRM, 0, NUMBER))
      case 'respond': {
        const head = { status: 200, headers: [] }
        if (!isCloud) return this.#exchange!.respond(head, false, 0)
        return this.receive(encodeFrame(FrameType.RESPONSE, 0, NUMBER, encodeResponseHead(head)))
      }
    }
  }

  /** Numbers increase from 1: those before are over. */
  #claim(): void {
    const link = this.link as DialledLink
    for (let number = 1; number <= NUMBER; number++) {
      const exchange = link.claim(
        { id: ID, attempt: 1, credit: 0 },
        {
          open: (wire) => this.#open(wire, 'responder'),
          confirmed: () => void this.told.push({ frame: 'CONFIRM' }),
        },
      )
      if (number < NUMBER) exchange!.abort(1)
    }
    this.outcome = undefined
  }

  #open(wire: ExchangeWire, role: 'requester' | 'responder'): Exchange {
    const handler: ExchangeHandler = {
      informational: (head) => this.told.push({ frame: 'INFORMATIONAL', payload: head }),
      responded: (head, end) => this.told.push({ frame: 'RESPONSE', payload: head, end }),
      data: (bytes) => this.told.push({ frame: 'DATA', payload: bytes.slice() }),
      ended: (trailers) =>
        this.told.push(trailers ? { frame: 'TRAILERS', payload: trailers } : { frame: 'DATA' }),
      writable: () => undefined,
      stopped: (code) => this.told.push({ frame: 'STOP', payload: { code } }),
      closed: (outcome) => (this.outcome = outcome),
    }
    this.#exchange = new Exchange(wire, handler, {
      role,
      now: 0,
      requestBody: !this.#isUpgrade,
      sendCreditBytes: 0,
      receiveWindowBytes: WINDOW_BYTES,
      ...(this.#isUpgrade && { upgradeWindowBytes: WINDOW_BYTES }),
    })
    return this.#exchange
  }

  #accepted(): AcceptedLink {
    return new AcceptedLink(
      {
        wake: () => undefined,
        hello: (hello) => {
          this.told.push({ frame: 'HELLO', payload: hello })
          return WELCOME
        },
        claim: (claim, wire) => {
          this.told.push({ frame: 'CLAIM', payload: claim })
          return { exchange: this.#open(wire, 'requester'), confirm: true }
        },
        decline: (decline) => this.told.push({ frame: 'DECLINE', payload: decline }),
        granted: () => undefined,
        closed: (end) => (this.end = end),
      },
      5_000,
      0,
    )
  }

  #dialled(): DialledLink {
    return new DialledLink(
      {
        wake: () => undefined,
        welcome: (welcome) => this.told.push({ frame: 'WELCOME', payload: welcome }),
        offer: (offer) => this.told.push({ frame: 'OFFER', payload: offer }),
        hint: (version) => this.told.push({ frame: 'CONFIGURATION', payload: { version } }),
        draining: () => undefined,
        closed: (end) => (this.end = end),
      },
      HELLO,
      5_000,
      0,
    )
  }
}

type Step = 'greet' | 'claim' | 'confirm' | 'respond'
const STEPS: readonly Step[] = ['greet', 'claim', 'confirm', 'respond']

/** How many of the steps lead to a state. */
function stepsTo(state: SituationState): number {
  switch (state) {
    case 'opening':
      return 0
    case 'open':
      return 1
    case 'claimed':
    case 'upgrade-asked':
      return 2
    case 'confirmed':
      return 3
    case 'responding':
      return 4
  }
}
