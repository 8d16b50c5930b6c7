/**
 * The plain binding, connector side, exchange by exchange.
 *
 * A replayable offer is claimed by its answer: `POST …/response`, opened at once with CLAIM as its
 * first frame. Everything else is claimed by pulling its body: `POST …/body`, whose 200 is the
 * CONFIRM.
 *
 * @see spec/PROTOCOL.md, "The plain binding"
 * @module
 */
import type { ClientRequest, IncomingMessage } from 'node:http'
import {
  ApiMisuse,
  deliverFrame,
  encodeClaim,
  Exchange,
  FrameType,
  isReplayable,
  ResetCode,
  type DeclineReason,
  type ExchangeWire,
  type HeaderList,
  type NotSentCause,
  type Offer,
  type ResponseHead,
  type TimeLimits,
} from '../../protocol/index.ts'
import {
  EXCHANGE_TOKEN_HEADER,
  ExchangeReader,
  ExchangeWriter,
  PLAIN_CREDIT_BYTES,
  PLAIN_WINDOW_BYTES,
} from '../../runtime/node/frame-stream.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { Carrier, ClaimedJob, ClaimTerms } from '../worker.ts'

/** What a carrier needs of its link. */
export interface PlainCalls {
  readonly clocks: Clocks
  readonly limits: TimeLimits
  /** Opens a POST to the origin instance, with the connector's certificate. */
  post(path: string, headers?: Record<string, string>): ClientRequest
  /** Watches an exchange's deadline. */
  watch(exchange: Exchange): void
  declined(offer: Offer, reason: DeclineReason): void
  /** A slot is free. */
  released(): void
}

/** Carries one offer. */
export class PlainCarrier implements Carrier, ExchangeWire {
  readonly #calls: PlainCalls
  readonly #offer: Offer
  readonly #isAwaited: boolean
  #job: ClaimedJob | undefined
  #exchange: Exchange | undefined
  #bodyCall: ClientRequest | undefined
  #reader: ExchangeReader | undefined
  #token: string | undefined
  #responseCall: ClientRequest | undefined
  #writer: ExchangeWriter | undefined

  /** @param isAwaited it is confirmed before it starts, replayable or not */
  constructor(calls: PlainCalls, offer: Offer, isAwaited = false) {
    this.#calls = calls
    this.#offer = offer
    this.#isAwaited = isAwaited
  }

  decline(reason: DeclineReason): void {
    this.#calls.declined(this.#offer, reason)
  }

  claim(job: ClaimedJob, { responseHeadMs }: ClaimTerms): Exchange {
    const { body, upgrade } = this.#offer
    this.#job = job
    this.#exchange = new Exchange(this, job, {
      role: 'responder',
      now: this.#now(),
      requestBody: body.kind !== 'none',
      sendCreditBytes: PLAIN_CREDIT_BYTES,
      receiveWindowBytes: PLAIN_WINDOW_BYTES,
      limits: this.#calls.limits,
      responseHeadMs,
      ...(upgrade !== undefined && { upgradeWindowBytes: PLAIN_WINDOW_BYTES }),
    })
    this.#calls.watch(this.#exchange)
    if (isReplayable(this.#offer) && !this.#isAwaited) this.#claimByAnswer()
    else this.#claimByPull()
    return this.#exchange
  }

  release(): void {
    this.#calls.released()
  }

  // ── what the exchange says ────────────────────────────────────────────────────────────────

  informational(head: ResponseHead): void {
    this.#answer().informational(head)
  }

  respond(head: ResponseHead, end: boolean): void {
    this.#answer().response(head, end)
  }

  data(bytes: Uint8Array, end: boolean): void {
    this.#answer().data(bytes, end)
  }

  trailers(fields: HeaderList): void {
    this.#answer().trailers(fields)
  }

  credit(): void {
    this.#reader?.credit()
  }

  stop(code: ResetCode): void {
    this.#answer().code(FrameType.STOP, code)
  }

  reset(code: ResetCode, cause?: NotSentCause): void {
    this.#answer().code(FrameType.RESET, code, cause)
  }

  closed(): void {
    if (this.#exchange!.state === 'cancelled') this.#cut()
    else this.#writer?.end()
  }

  // ── the two calls ─────────────────────────────────────────────────────────────────────────

  #claimByAnswer(): void {
    const { id, attempt } = this.#offer
    this.#answer().frame(FrameType.CLAIM, encodeClaim({ id, attempt, credit: 0 }))
  }

  #claimByPull(): void {
    const { id, attempt } = this.#offer
    const call = this.#calls.post(`/exchanges/${id}/body?attempt=${attempt}`)
    this.#bodyCall = call
    call.on('response', (response) => this.#pulled(response))
    call.on('error', () => this.#failed())
    call.end()
  }

  #pulled(response: IncomingMessage): void {
    const exchange = this.#exchange!
    const token = response.headers[EXCHANGE_TOKEN_HEADER]
    if (response.statusCode !== 200 || typeof token !== 'string') return this.#refused(response)
    this.#token = token
    this.#reader = new ExchangeReader(
      response,
      () => exchange,
      {
        frame: (type, flags, _number, payload) => {
          deliverFrame(exchange, type, flags, payload, this.#now())
        },
        data: (_number, bytes, end) => exchange.receivedData(bytes, end, this.#now()),
      },
      (error) => exchange.violated(error),
    )
    // An error is a lost call as well; the close says it.
    response.on('error', () => undefined)
    response.on('close', () => {
      if (!response.complete) exchange.lost()
    })
    this.#job!.confirmed()
  }

  /** The answering call, opened when first needed. */
  #answer(): ExchangeWriter {
    if (this.#writer !== undefined) return this.#writer
    const exchange = this.#exchange
    if (exchange === undefined) throw new ApiMisuse('claim the offer first')
    const call = this.#calls.post(
      `/exchanges/${this.#offer.id}/response`,
      this.#token === undefined ? {} : { [EXCHANGE_TOKEN_HEADER]: this.#token },
    )
    this.#responseCall = call
    call.on('error', () => this.#failed())
    call.on('response', (response) => {
      if (response.statusCode === 204) response.resume()
      else this.#refused(response)
    })
    this.#writer = new ExchangeWriter(call, (bytes) => {
      exchange.granted(bytes, this.#now())
    })
    return this.#writer
  }

  /** 409, 410: another has it, or nobody wants it any more. Anything else is a call that failed. */
  #refused(response: IncomingMessage): void {
    response.on('error', () => undefined).resume()
    const { statusCode } = response
    if (statusCode === 409 || statusCode === 410) this.#exchange!.receivedReset(ResetCode.GONE)
    else this.#failed()
  }

  /**
   * A call broke. If it was to be the claim it may never have arrived: another connector can have
   * the offer, unless it is claimed.
   */
  #failed(): void {
    const exchange = this.#exchange!
    if (exchange.isClosed) return
    if (exchange.isUnanswered && this.#token === undefined) this.decline('overloaded')
    exchange.lost()
  }

  #cut(): void {
    this.#bodyCall?.destroy()
    this.#responseCall?.destroy()
  }

  #now(): number {
    return this.#calls.clocks.now()
  }
}
