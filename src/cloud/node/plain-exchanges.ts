/**
 * The plain binding, cloud side, exchange by exchange: `POST …/body` pulls a request body, `POST
 * …/response` brings the answer.
 *
 * The first call for an exchange is its claim: `…/body` for a request that is not replayable, else
 * `…/response` with CLAIM as its first frame.
 *
 * @see spec/PROTOCOL.md, "The plain binding"
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  ApiMisuse,
  decodeClaim,
  deliverFrame,
  FrameType,
  PeerViolation,
  Refused,
  type Exchange,
  type ExchangeId,
  type ExchangeWire,
  type HeaderList,
} from '../../protocol/index.ts'
import {
  EXCHANGE_TOKEN_HEADER,
  ExchangeReader,
  ExchangeWriter,
  PLAIN_CREDIT_BYTES,
  PLAIN_WINDOW_BYTES,
} from '../../runtime/node/frame-stream.ts'
import type { Origin } from '../offers/origin.ts'
import type { Claimer } from '../offers/submission.ts'
import { sendRefusal } from './connector-replies.ts'

/** Exchanges that connectors have claimed by calls of the plain binding. */
export class PlainExchanges {
  readonly #origin: Origin
  readonly #makeToken: () => string
  readonly #open = new Set<PlainExchange>()
  readonly #byToken = new Map<string, PlainExchange>()

  /** @param makeToken makes an unguessable token */
  constructor(origin: Origin, makeToken: () => string) {
    this.#origin = origin
    this.#makeToken = makeToken
  }

  /** Exchanges that have a call open. */
  get size(): number {
    return this.#open.size
  }

  /** Whose calls these are; some of them more than once. */
  *claimers(): Iterable<Claimer> {
    for (const { claimer } of this.#open) yield claimer
  }

  /**
   * `POST /exchanges/{id}/body?attempt=N`: claims the exchange and streams the request body back.
   */
  pull(claimer: Claimer, id: ExchangeId, attempt: number, response: ServerResponse): void {
    const token = this.#makeToken()
    const exchange = this.#add(claimer, id, token)
    response.setHeader(EXCHANGE_TOKEN_HEADER, token)
    if (exchange.pull(attempt, response)) return
    this.#remove(exchange, token)
    response.removeHeader(EXCHANGE_TOKEN_HEADER)
    sendRefusal(response, gone())
  }

  /**
   * `POST /exchanges/{id}/response`: the answer, with the token of the pull; or the claim and the
   * answer in one.
   */
  respond(
    claimer: Claimer,
    id: ExchangeId,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const token = request.headers[EXCHANGE_TOKEN_HEADER]
    if (token === undefined) return this.#add(claimer, id).answer(request, response)
    const exchange = typeof token === 'string' ? this.#byToken.get(token) : undefined
    if (exchange?.isFor(claimer, id) === true && !exchange.isAnswering) {
      return exchange.answer(request, response)
    }
    sendRefusal(response, gone())
  }

  /** Ends every call of a connector, at once: its certificate no longer stands. */
  cut(connectorId: string): void {
    for (const exchange of this.#open) {
      if (exchange.claimer.connectorId === connectorId) exchange.lost()
    }
  }

  #add(claimer: Claimer, id: ExchangeId, token?: string): PlainExchange {
    const exchange = new PlainExchange(this.#origin, claimer, id, (over) => {
      this.#remove(over, token)
    })
    this.#open.add(exchange)
    if (token !== undefined) this.#byToken.set(token, exchange)
    return exchange
  }

  #remove(exchange: PlainExchange, token: string | undefined): void {
    this.#open.delete(exchange)
    if (token !== undefined) this.#byToken.delete(token)
  }
}

function gone(): Refused {
  return new Refused('not-found', 'no such exchange, or another connector has it')
}

function malformed(detail: string, cause?: unknown): Refused {
  return new Refused('request-malformed', detail, { cause })
}

/** One claimed exchange: at most two calls. */
class PlainExchange implements ExchangeWire {
  readonly claimer: Claimer
  readonly #origin: Origin
  readonly #id: ExchangeId
  readonly #forget: (exchange: PlainExchange) => void
  #exchange: Exchange | undefined
  #bodyCall: ServerResponse | undefined
  #writer: ExchangeWriter | undefined
  /** No body byte follows. */
  #isBodyOver = false
  #responseCall: ServerResponse | undefined
  #reader: ExchangeReader | undefined
  #isRefused = false

  constructor(
    origin: Origin,
    claimer: Claimer,
    id: ExchangeId,
    forget: (exchange: PlainExchange) => void,
  ) {
    this.#origin = origin
    this.claimer = claimer
    this.#id = id
    this.#forget = forget
  }

  get isAnswering(): boolean {
    return this.#responseCall !== undefined
  }

  isFor(claimer: Claimer, id: ExchangeId): boolean {
    return claimer.connectorId === this.claimer.connectorId && id === this.#id
  }

  /** Claims by pulling the body; `false`: gone, and `response` is still unanswered. */
  pull(attempt: number, response: ServerResponse): boolean {
    this.#bodyCall = response
    this.#writer = new ExchangeWriter(response, (bytes) => {
      this.#exchange?.granted(bytes, this.#now())
    })
    response.setHeader('cache-control', 'no-store')
    if (!this.#claim(attempt, PLAIN_CREDIT_BYTES)) return false
    response.flushHeaders()
    response.on('error', nothing).on('close', () => {
      if (!response.writableFinished) this.lost()
    })
    if (this.#exchange!.writable === 0) this.#endBody()
    return true
  }

  /** Takes the answer; without a pull before, its first frame is the claim. */
  answer(request: IncomingMessage, response: ServerResponse): void {
    this.#responseCall = response
    this.#reader = new ExchangeReader(
      request,
      () => this.#exchange,
      {
        frame: (type, flags, _number, payload) => this.#received(type, flags, payload),
        data: (_number, bytes, end) => this.#receivedData(bytes, end),
      },
      (error) => this.#violated(error),
    )
    request.on('error', nothing).on('end', () => {
      if (this.#exchange === undefined) this.#refuse(malformed('there is no CLAIM'))
      // The answer broke off without END: a lost transport is an abort, never an end.
      else if (!isAnswered(this.#exchange)) this.lost()
    })
    response.on('error', nothing).on('close', () => {
      if (!response.writableFinished) this.lost()
    })
    if (this.#isBodyOver) this.#endBody()
    if (this.#exchange === undefined) this.#awaitClaim(response)
  }

  /** A call that never says what it is for must not stay for ever. */
  #awaitClaim(response: ServerResponse): void {
    const timer = setTimeout(() => {
      if (this.#exchange === undefined && !this.#isRefused)
        this.#refuse(malformed('there is no CLAIM'))
    }, this.#origin.limits.claimMs)
    timer.unref()
    response.once('close', () => clearTimeout(timer))
  }

  /**
   * A call of it is lost, or must be: breaks both, and with them the exchange, whether or not one
   * is open now.
   */
  lost(): void {
    this.#cut()
    this.#exchange?.lost()
  }

  // ── what the connector says ───────────────────────────────────────────────────────────────

  #received(type: FrameType, flags: number, payload: Uint8Array): void {
    if (this.#isRefused) return
    if (this.#exchange === undefined) return this.#receivedClaim(type, payload)
    deliverFrame(this.#exchange, type, flags, payload, this.#now())
    if (type === FrameType.STOP) this.#endBody()
  }

  #receivedData(bytes: Uint8Array, end: boolean): void {
    if (this.#isRefused) return
    if (this.#exchange === undefined) {
      throw new PeerViolation('UNEXPECTED_EVENT', 'DATA before CLAIM')
    }
    this.#exchange.receivedData(bytes, end, this.#now())
  }

  #receivedClaim(type: FrameType, payload: Uint8Array): void {
    if (type !== FrameType.CLAIM) {
      throw new PeerViolation('UNEXPECTED_EVENT', 'the first frame is CLAIM')
    }
    const claim = decodeClaim(payload)
    // Only a replayable request may be claimed by its answer: everything else is pulled first.
    const replayable = this.#origin.isReplayable(this.claimer, this.#id)
    if (claim.id !== this.#id || !replayable || !this.#claim(claim.attempt, 0)) {
      this.#refuse(gone())
    }
  }

  #violated(error: PeerViolation): void {
    if (this.#exchange !== undefined) this.#exchange.violated(error)
    else this.#refuse(malformed(error.message, error))
  }

  /** Once: frames that follow, and the end in the middle of one, say nothing more. */
  #refuse(refused: Refused): void {
    if (this.#isRefused) return
    this.#isRefused = true
    this.#forget(this)
    const response = this.#responseCall!
    response.req.removeAllListeners('data').resume()
    sendRefusal(response, refused)
  }

  // ── what the exchange says; a requester sends no heads ────────────────────────────────────

  informational(): void {
    throw new ApiMisuse('a requester sends no heads')
  }

  respond(): void {
    throw new ApiMisuse('a requester sends no heads')
  }

  data(bytes: Uint8Array, end: boolean): void {
    this.#writer!.data(bytes, end)
    if (end) this.#endBody()
  }

  trailers(fields: HeaderList): void {
    this.#writer!.trailers(fields)
    this.#endBody()
  }

  credit(): void {
    this.#reader?.credit()
  }

  stop(): void {
    // The rest of the answer is read and discarded.
  }

  reset(): void {
    this.#cut()
  }

  closed(): void {
    this.#forget(this)
    this.#endBody()
    const response = this.#responseCall
    if (response?.headersSent === false) response.writeHead(204).end()
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  #claim(attempt: number, credit: number): boolean {
    const claim = { id: this.#id, attempt, credit }
    const carriage = { windowBytes: PLAIN_WINDOW_BYTES }
    this.#exchange = this.#origin.claim(this.claimer, claim, this, carriage)?.exchange
    return this.#exchange !== undefined
  }

  #cut(): void {
    this.#forget(this)
    this.#bodyCall?.destroy()
    this.#responseCall?.destroy()
  }

  /**
   * No body byte follows. Until the answer's call is there, this one stays open all the same:
   * nothing else would tell the connector that the user has left, or the cloud that the connector
   * has.
   */
  #endBody(): void {
    this.#isBodyOver = true
    if (this.#responseCall === undefined && this.#exchange?.isClosed !== true) return
    if (this.#bodyCall?.writableEnded === false) this.#writer!.end()
  }

  #now(): number {
    return this.#origin.clocks.now()
  }
}

function isAnswered(exchange: Exchange): boolean {
  return exchange.state === 'answered' || exchange.isClosed
}

function nothing(): void {
  // the close event says it
}
