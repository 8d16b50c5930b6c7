import {
  Dispatcher,
  type AttemptOutcome,
  type DispatchLink,
  type DispatchOptions,
  type DispatchRequest,
  type ExchangeId,
  type FailureReason,
} from '../../../src/protocol/internal.ts'

/** What was offered to whom, or refused and why. */
export type Decided =
  | {
      readonly to: string
      readonly id: ExchangeId
      readonly link: number
      readonly claimMs: number
      readonly at: number
    }
  | { readonly refused: FailureReason; readonly id: ExchangeId; readonly at: number }

/** A dispatcher in virtual time, and everything it decided. */
export class DispatchWorld {
  now = 0
  dispatcher: Dispatcher
  readonly decided: Decided[] = []
  readonly #connectors = new Map<number, string>()
  #ids = 0
  #links = 0

  constructor(options?: DispatchOptions) {
    this.dispatcher = new Dispatcher(options)
  }

  attach(connector: string, offers = 200, more: Partial<DispatchLink> = {}): number {
    const link = ++this.#links
    this.#connectors.set(link, connector)
    const features: string[] = []
    this.dispatcher.attach(
      { ...{ link, group: 'g', connector, features, offers, granted: offers }, ...more },
      this.now,
    )
    this.#take()
    return link
  }

  detach(link: number): void {
    this.dispatcher.detach(link, this.now)
    this.#take()
  }

  grant(link: number, offers = 1): void {
    this.dispatcher.granted(link, offers, this.now)
    this.#take()
  }

  /** A GET of one user of the application `wiki`, unless something else is said. */
  ask(more: Partial<DispatchRequest> = {}, waitMs = 5_000): ExchangeId {
    const id = (more.id ?? String(++this.#ids)) as ExchangeId
    this.dispatcher.submit(
      {
        ...{ group: 'g', application: 'wiki', user: 'ann', isReplayable: true, needs: [] },
        ...more,
        id,
      },
      this.now + waitMs,
      this.now,
    )
    this.#take()
    return id
  }

  say(id: ExchangeId, ...outcomes: AttemptOutcome[]): void {
    for (const outcome of outcomes) {
      this.dispatcher.outcome(id, outcome, this.now)
      this.#take()
    }
  }

  /** An attempt failed, and the request wants another one; `connector`: who it was at another instance. */
  again(id: ExchangeId, outcome: AttemptOutcome, waitMs = 5_000, connector?: string): void {
    this.dispatcher.outcome(id, outcome, this.now, connector)
    this.#take()
    this.dispatcher.resubmit(id, this.now + waitMs, this.now)
    this.#take()
  }

  /** Time passes, tick by tick. */
  pass(ms: number): void {
    const until = this.now + ms
    while (this.now < until) {
      this.now = Math.min(until, Math.max(this.now, this.dispatcher.deadline))
      this.dispatcher.tick(this.now)
      this.#take()
    }
  }

  /** To whom a request was offered, attempt by attempt, or why it was refused. */
  of(id: ExchangeId): string[] {
    return this.decided
      .filter((one) => one.id === id)
      .map((one) => ('to' in one ? one.to : one.refused))
  }

  /** Offers made to a connector. */
  to(connector: string): number {
    return this.decided.filter((one) => 'to' in one && one.to === connector).length
  }

  #take(): void {
    for (const decision of this.dispatcher.decisions()) {
      const { id } = decision
      if (decision.type === 'offer') {
        const { link, claimMs } = decision
        this.decided.push({ to: this.#connectors.get(link)!, id, link, claimMs, at: this.now })
      } else this.decided.push({ refused: decision.reason, id, at: this.now })
    }
  }
}
