/**
 * The two ends of a link, back to back in memory and in virtual time: nothing but our own code runs.
 *
 * @module
 */
import {
  AcceptedLink,
  DialledLink,
  Exchange,
  type AcceptedLinkHandler,
  type ExchangeHandler,
  type Hello,
  type Offer,
  type Welcome,
} from 'app-proxy/protocol'
import { HELLO, OFFER, RESPONSE } from './samples.ts'

const BODY = new Uint8Array(1024)
const ROOM_BYTES = 256 * 1024
/** Of virtual time, per exchange: 20 000 a second. */
const EXCHANGE_MS = 0.05

const WELCOME: Welcome = {
  version: 1,
  instance: 'cloud-1',
  windowBytes: 64 * 1024,
  maxDataBytes: HELLO.maxDataBytes,
  pingMs: 15_000,
  leaseMs: 0,
  features: ['link'],
}

/** Takes everything it is given. */
class End implements ExchangeHandler {
  exchange: Exchange | undefined
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  data(bytes: Uint8Array): void {
    this.exchange!.consumed(bytes.length, this.#now())
  }

  ended(): void {}
  writable(): void {}
  stopped(): void {}
  closed(): void {}
}

/** An open link without a transport. */
export function acceptedLink(
  claim: AcceptedLinkHandler['claim'] = () => undefined,
  now = 0,
): AcceptedLink {
  return new AcceptedLink(
    {
      wake: () => undefined,
      hello: () => WELCOME,
      claim,
      decline: () => undefined,
      granted: () => undefined,
      closed: () => undefined,
    },
    15_000,
    now,
  )
}

export function dialledLink(offered: (offer: Offer) => void, hello: Hello = HELLO): DialledLink {
  return new DialledLink(
    {
      wake: () => undefined,
      welcome: () => undefined,
      offer: offered,
      hint: () => undefined,
      draining: () => undefined,
      closed: ({ reason, cause }) => {
        throw new Error(`the link ended: ${reason}`, { cause })
      },
    },
    hello,
    15_000,
    0,
  )
}

export class LinkPair {
  #now = 0
  readonly #clock = () => this.#now
  readonly #cloud: AcceptedLink
  readonly #connector: DialledLink
  #held: Exchange | undefined

  /** @param offers exchanges at once */
  constructor(offers: number) {
    this.#cloud = acceptedLink((claim, wire, { windowBytes, maxWindowBytes, budget }) => {
      const end = new End(this.#clock)
      end.exchange = new Exchange(wire, end, {
        role: 'requester',
        now: this.#now,
        requestBody: claim.credit > 0,
        sendCreditBytes: claim.credit,
        receiveWindowBytes: windowBytes,
        maxWindowBytes,
        budget,
      })
      return { exchange: end.exchange, confirm: false }
    })
    const hello = { ...HELLO, offers, granted: offers }
    this.#connector = dialledLink((offer) => this.#answer(offer), hello)
    this.#settle()
  }

  get open(): number {
    return this.#cloud.open
  }

  /** OFFER, CLAIM, RESPONSE and 1 KiB of DATA, through both ends, until nothing of it is left. */
  exchange(): void {
    this.hold()
    this.#held!.send(BODY, this.#now)
    this.#held!.end(this.#now)
    this.#connector.grant(1)
    this.#settle()
  }

  /** The same, as far as the response's head: it stays open. */
  hold(): void {
    this.#now += EXCHANGE_MS
    if (this.#now >= this.#connector.deadline) this.#connector.tick(this.#now)
    if (this.#now >= this.#cloud.deadline) this.#cloud.tick(this.#now)
    this.#cloud.offer(OFFER)
    this.#settle()
  }

  #answer({ id, attempt }: Offer): void {
    const end = new End(this.#clock)
    const exchange = this.#connector.claim(
      { id, attempt, credit: 0 },
      {
        open: (wire, { windowBytes, budget }) =>
          new Exchange(wire, end, {
            role: 'responder',
            now: this.#now,
            requestBody: false,
            sendCreditBytes: windowBytes,
            receiveWindowBytes: 0,
            budget,
          }),
      },
    )
    if (exchange === undefined) throw new Error('the link takes no further exchange')
    end.exchange = exchange
    exchange.respond(RESPONSE, false, this.#now)
    this.#held = exchange
  }

  /** Delivers what was said, until both ends are silent. */
  #settle(): void {
    for (;;) {
      const up = this.#connector.takeOutput(ROOM_BYTES)
      for (const bytes of up) this.#cloud.receive(bytes, this.#now)
      const down = this.#cloud.takeOutput(ROOM_BYTES)
      for (const bytes of down) this.#connector.receive(bytes, this.#now)
      if (up.length + down.length === 0) return
    }
  }
}
