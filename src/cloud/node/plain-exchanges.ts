/**
 * The plain binding, cloud side, exchange by exchange: the HTTP of `POST …/body` and `POST
 * …/response`.
 *
 * @see spec/PROTOCOL.md, "The plain binding"
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  PLAIN_WINDOW_BYTES,
  PlainRequester,
  Refused,
  type Claim,
  type Exchange,
  type ExchangeId,
  type PeerViolation,
  type PlainRequesterPort,
} from '../../protocol/internal.ts'
import {
  CallInput,
  CallOutput,
  EXCHANGE_TOKEN_HEADER,
  TurnEnd,
  type Flushed,
} from '../../runtime/node/frame-stream.ts'
import type { Origin } from '../offers/origin.ts'
import type { Claimer } from '../offers/submission.ts'
import { sendRefusal } from './connector-replies.ts'

/** One call for an exchange. */
export interface ExchangeCall {
  readonly claimer: Claimer
  readonly id: ExchangeId
  /** The largest DATA payload that it was agreed on, either way. */
  readonly maxDataBytes: number
}

/** Exchanges that connectors have claimed by calls of the plain binding. */
export class PlainExchanges {
  readonly origin: Origin
  readonly turnEnd = new TurnEnd()
  readonly #makeToken: () => string
  readonly #open = new Set<ExchangeCalls>()
  readonly #byToken = new Map<string, ExchangeCalls>()

  /** @param makeToken makes an unguessable token */
  constructor(origin: Origin, makeToken: () => string) {
    this.origin = origin
    this.#makeToken = makeToken
  }

  /** Exchanges that have a call open. */
  get size(): number {
    return this.#open.size
  }

  /** Whose calls these are; some of them more than once. */
  *claimers(): Iterable<Claimer> {
    for (const { call } of this.#open) yield call.claimer
  }

  /** `POST /exchanges/{id}/body`: claims the exchange and streams the request body back. */
  pull(call: ExchangeCall, attempt: number, response: ServerResponse): void {
    const token = this.#makeToken()
    const calls = this.#add(call, token)
    if (calls.pull(attempt, response, token)) return
    this.forget(calls)
    response.removeHeader(EXCHANGE_TOKEN_HEADER)
    sendRefusal(response, gone())
  }

  /**
   * `POST /exchanges/{id}/response`: the answer, with the token of the pull; or the claim and the
   * answer in one.
   */
  respond(call: ExchangeCall, request: IncomingMessage, response: ServerResponse): void {
    const token = request.headers[EXCHANGE_TOKEN_HEADER]
    if (token === undefined) return this.#add(call).answer(request, response)
    const calls = typeof token === 'string' ? this.#byToken.get(token) : undefined
    if (calls?.awaitsAnswer(call) === true) return calls.answer(request, response)
    sendRefusal(response, gone())
  }

  /** Ends every call of a connector, at once: its certificate no longer stands. */
  cut(connectorId: string): void {
    for (const calls of this.#open) if (calls.call.claimer.connectorId === connectorId) calls.lost()
  }

  /** Looks at the deadlines of calls; every now and then. */
  tick(now: number): void {
    for (const calls of this.#open) calls.tick(now)
  }

  forget(calls: ExchangeCalls): void {
    this.#open.delete(calls)
    if (calls.token !== undefined) this.#byToken.delete(calls.token)
  }

  #add(call: ExchangeCall, token?: string): ExchangeCalls {
    const calls = new ExchangeCalls(this, call, token)
    this.#open.add(calls)
    if (token !== undefined) this.#byToken.set(token, calls)
    return calls
  }
}

function gone(): Refused {
  return new Refused('not-found', 'no such exchange, or another connector has it')
}

/** The calls of one exchange: at most two. */
class ExchangeCalls implements PlainRequesterPort, Flushed {
  readonly call: ExchangeCall
  readonly token: string | undefined
  readonly #owner: PlainExchanges
  readonly #machine: PlainRequester
  #body: ServerResponse | undefined
  #output: CallOutput | undefined
  #bodyEnds = false
  #answer: ServerResponse | undefined
  #input: CallInput | undefined

  constructor(owner: PlainExchanges, call: ExchangeCall, token: string | undefined) {
    this.#owner = owner
    this.call = call
    this.token = token
    this.#machine = new PlainRequester(this, call.id, call.maxDataBytes, () =>
      owner.origin.isReplayable(call.claimer, call.id),
    )
  }

  awaitsAnswer({ claimer, id }: ExchangeCall): boolean {
    const isOurs = claimer.connectorId === this.call.claimer.connectorId && id === this.call.id
    return isOurs && this.#machine.awaitsAnswer
  }

  /** `false`: gone, and `response` is still unanswered. */
  pull(attempt: number, response: ServerResponse, token: string): boolean {
    this.#body = response
    this.#output = new CallOutput(response, this.#machine, () => this.#now())
    response.setHeader(EXCHANGE_TOKEN_HEADER, token)
    response.setHeader('cache-control', 'no-store')
    if (!this.#machine.pull(attempt, this.#now())) return false
    this.#watch(response)
    // The head is CONFIRM: it leaves even where there is nothing to follow yet.
    this.wake()
    return true
  }

  /** Takes the answer; without a pull before, its first frame is the claim. */
  answer(request: IncomingMessage, response: ServerResponse): void {
    this.#answer = response
    this.#machine.answer(this.#owner.origin.limits.claimMs, this.#now())
    this.#input = new CallInput(request, this.#machine, () => this.#now())
    this.#watch(response)
  }

  tick(now: number): void {
    const { deadline } = this.#machine
    if (deadline !== undefined && now >= deadline) this.#machine.expire()
  }

  lost(): void {
    this.#machine.lost()
  }

  flush(): void {
    const body = this.#body!
    if (body.destroyed) return
    if (!body.headersSent && !this.#bodyEnds && !this.#machine.hasOutput) body.flushHeaders()
    else this.#output!.flush(this.#bodyEnds)
  }

  // ── what the exchange says ────────────────────────────────────────────────────────────────

  claim(claim: Claim): Exchange | undefined {
    const { origin } = this.#owner
    const carriage = { windowBytes: PLAIN_WINDOW_BYTES }
    return origin.claim(this.call.claimer, claim, this.#machine, carriage)?.exchange
  }

  refuse(reason: 'gone' | PeerViolation): void {
    const response = this.#answer!
    response.req.removeAllListeners('data').resume()
    const refused =
      reason === 'gone'
        ? gone()
        : new Refused('request-malformed', reason.message, { cause: reason })
    sendRefusal(response, refused)
  }

  wake(): void {
    if (this.#body !== undefined) this.#owner.turnEnd.wake(this)
  }

  resume(): void {
    this.#input?.resume()
  }

  endBody(): void {
    this.#bodyEnds = true
    this.wake()
  }

  finish(): void {
    this.endBody()
    const answer = this.#answer
    if (answer?.headersSent === false && !answer.destroyed) answer.writeHead(204).end()
  }

  cut(): void {
    this.#body?.destroy()
    this.#answer?.destroy()
  }

  over(): void {
    this.#owner.forget(this)
  }

  #watch(response: ServerResponse): void {
    response.on('close', () => {
      if (!response.writableFinished) this.lost()
    })
  }

  #now(): number {
    return this.#owner.origin.clocks.now()
  }
}
