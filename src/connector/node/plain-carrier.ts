/**
 * The plain binding, connector side, exchange by exchange: the HTTP of `POST …/body` and `POST
 * …/response`.
 *
 * @see spec/PROTOCOL.md, "The plain binding"
 * @module
 */
import type { ClientRequest, IncomingMessage } from 'node:http'
import {
  Exchange,
  isReplayable,
  patienceFor,
  PLAIN_CREDIT_BYTES,
  PLAIN_WINDOW_BYTES,
  PlainResponder,
  type DeclineReason,
  type Offer,
  type PlainResponderPort,
  type TimeLimits,
} from '../../protocol/internal.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import {
  CallInput,
  CallOutput,
  EXCHANGE_TOKEN_HEADER,
  type Flushed,
} from '../../runtime/node/frame-stream.ts'
import type { Carrier, ClaimedJob, ClaimTerms } from '../worker.ts'
import type { WholeCall } from './cloud-connections.ts'

/** What a carrier needs of its link. */
export interface PlainCalls {
  readonly clocks: Clocks
  readonly limits: TimeLimits
  /** The largest DATA payload that was agreed on. */
  readonly maxDataBytes: number
  /** A POST to the origin instance whose body, or answer, is a stream. */
  stream(path: string, token?: string): ClientRequest
  /** One that is said whole. */
  post(path: string, body: Uint8Array, call: WholeCall, token?: string): void
  /** Flushes it at the end of this turn. */
  wake(it: Flushed): void
  /** Watches the deadlines of an exchange, and of the claim that is held back for its answer. */
  watch(exchange: Exchange): void
  hold(machine: PlainResponder, it: Flushed): void
  declined(offer: Offer, reason: DeclineReason): void
  /** A slot is free. */
  released(): void
}

/** Carries one offer. */
export class PlainCarrier implements Carrier, PlainResponderPort, Flushed, WholeCall {
  readonly #calls: PlainCalls
  readonly #offer: Offer
  readonly #isAwaited: boolean
  readonly #machine: PlainResponder
  #job: ClaimedJob | undefined
  #pull: ClientRequest | undefined
  #token: string | undefined
  #input: CallInput | undefined
  #answer: ClientRequest | undefined
  #output: CallOutput | undefined

  /** @param isAwaited it is confirmed before it starts, replayable or not */
  constructor(calls: PlainCalls, offer: Offer, isAwaited = false) {
    this.#calls = calls
    this.#offer = offer
    this.#isAwaited = isAwaited
    this.#machine = new PlainResponder(this, calls.maxDataBytes)
  }

  decline(reason: DeclineReason): void {
    this.#calls.declined(this.#offer, reason)
  }

  claim(job: ClaimedJob, { responseHeadMs, patience }: ClaimTerms): Exchange {
    const { id, attempt, body, upgrade } = this.#offer
    this.#job = job
    const exchange = new Exchange(this.#machine, job, {
      role: 'responder',
      now: this.#now(),
      requestBody: body.kind !== 'none',
      sendCreditBytes: PLAIN_CREDIT_BYTES,
      receiveWindowBytes: PLAIN_WINDOW_BYTES,
      limits: patienceFor(patience, this.#calls.limits),
      responseHeadMs,
      ...(upgrade !== undefined && { upgradeWindowBytes: PLAIN_WINDOW_BYTES }),
    })
    this.#calls.watch(exchange)
    if (isReplayable(this.#offer) && !this.#isAwaited) {
      this.#machine.claimByAnswer(exchange, id, attempt, this.#now())
      this.#calls.hold(this.#machine, this)
    } else this.#machine.claimByPull(exchange)
    return exchange
  }

  release(): void {
    this.#calls.released()
  }

  // ── what the exchange says ────────────────────────────────────────────────────────────────

  pull(): void {
    const { attempt } = this.#offer
    const call = this.#calls.stream(this.#path('body', `attempt=${attempt}&`))
    this.#pull = call
    call.on('response', (response) => this.#pulled(response))
    call.on('error', (error) => this.#machine.lost(error))
    call.end()
  }

  wake(): void {
    this.#calls.wake(this)
  }

  resume(): void {
    this.#input?.resume()
  }

  cut(): void {
    this.#pull?.destroy()
    this.#answer?.destroy()
  }

  unclaimed(): void {
    this.decline('overloaded')
  }

  flush(): void {
    const machine = this.#machine
    const way = machine.open(this.#now())
    if (way === 'whole') return this.#post()
    if (way === 'stream') this.#open()
    this.#output?.flush(machine.isComplete)
  }

  // ── the two calls ─────────────────────────────────────────────────────────────────────────

  #pulled(response: IncomingMessage): void {
    const machine = this.#machine
    // An error is a lost call as well; the close says it.
    response.on('error', () => undefined)
    const token = response.headers[EXCHANGE_TOKEN_HEADER]
    if (response.statusCode !== 200 || typeof token !== 'string') {
      response.resume()
      return this.answered(response.statusCode!)
    }
    this.#token = token
    if (!machine.confirmed()) return
    this.#input = new CallInput(response, machine, () => this.#now())
    response.on('close', () => {
      if (!response.complete) machine.lost()
    })
    this.#job!.confirmed()
  }

  #post(): void {
    const chunks = this.#machine.takeOutput()
    const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
    this.#calls.post(this.#path('response'), body, this, this.#token)
  }

  #open(): void {
    const call = this.#calls.stream(this.#path('response'), this.#token)
    this.#answer = call
    this.#output = new CallOutput(call, this.#machine, () => this.#now())
    call.on('error', (error) => this.failed(error))
    call.on('response', (response) => {
      response.on('error', () => undefined).resume()
      this.answered(response.statusCode!)
    })
  }

  /**
   * 409, 410: another has it, or nobody wants it any more. What is not 204 is a call that failed.
   */
  answered(status: number): void {
    if (status === 204) this.#machine.accepted()
    else if (status === 409 || status === 410) this.#machine.refused()
    else this.failed(new Error(`the cloud answered ${status}`))
  }

  failed(error: unknown): void {
    this.#machine.lost(error)
  }

  #path(call: 'body' | 'response', query = ''): string {
    return `/exchanges/${this.#offer.id}/${call}?${query}max-data=${this.#calls.maxDataBytes}`
  }

  #now(): number {
    return this.#calls.clocks.now()
  }
}
