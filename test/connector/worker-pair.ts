import { Worker, type Backend } from '../../src/connector/index.ts'
import {
  Exchange,
  TIME_LIMITS,
  type ApplicationDetails,
  type ExchangeHandler,
  type ExchangeOutcome,
  type ExchangeWire,
  type HeaderList,
  type Offer,
  type ResetCode,
  type ResponseHead,
} from '../../src/protocol/internal.ts'

const WINDOW = 64 * 1024
const now = (): number => performance.now()

/** Says to one end what the other end said, a little later, in order. */
function wireTo(peer: () => Exchange): ExchangeWire {
  const later = (say: (exchange: Exchange) => void): void => {
    queueMicrotask(() => say(peer()))
  }
  return {
    informational: (head) => later((to) => to.receivedInformational(head)),
    respond: (head, end) => later((to) => to.receivedResponse(head, end, now())),
    data: (bytes, end) => later((to) => to.receivedData(bytes, end, now())),
    trailers: (fields) => later((to) => to.receivedTrailers(fields, now())),
    credit: (bytes) => later((to) => to.receivedCredit(bytes, now())),
    stop: (code) => later((to) => to.receivedStop(code, now())),
    reset: (code, cause) => later((to) => to.receivedReset(code, cause)),
    closed: () => undefined,
  }
}

/** The cloud's end of one exchange, whose other end a worker serves. */
export class ServedExchange implements ExchangeHandler {
  /** The requester. */
  readonly exchange: Exchange
  readonly interim: ResponseHead[] = []
  head: ResponseHead | undefined
  body = ''
  isEnded = false
  trailers: HeaderList | undefined
  stop: ResetCode | undefined
  outcome: ExchangeOutcome | undefined
  /** How the worker's end closed. */
  served: ExchangeOutcome | undefined
  isReleased = false

  constructor(backend: Backend, application: ApplicationDetails, parts: Partial<Offer> = {}) {
    const offer: Offer = {
      id: '0'.repeat(32),
      attempt: 1,
      applicationId: application.id,
      applicationVersion: application.version,
      method: 'GET',
      target: '/',
      headers: [],
      user: undefined,
      body: { kind: 'none' },
      upgrade: undefined,
      remainingMs: 5_000,
      origin: 'cloud-1',
      ...parts,
    }
    const bounds = {
      now: now(),
      requestBody: offer.body.kind !== 'none',
      sendCreditBytes: offer.body.kind === 'none' ? 0 : WINDOW,
      receiveWindowBytes: WINDOW,
      limits: TIME_LIMITS,
      ...(offer.upgrade !== undefined && { upgradeWindowBytes: WINDOW }),
    }
    let responder: Exchange | undefined
    this.exchange = new Exchange(
      wireTo(() => responder!),
      this,
      { ...bounds, role: 'requester' },
    )
    const worker = new Worker({
      backend,
      clocks: { now, wallClock: () => Date.now() },
      applications: { details: () => application },
      failed: (_, outcome) => (this.served = outcome),
    })
    worker.offered(offer, {
      decline: (reason) => expectNever(reason),
      claim: (job) => {
        responder = new Exchange(
          wireTo(() => this.exchange),
          job,
          {
            ...bounds,
            role: 'responder',
            sendCreditBytes: WINDOW,
            receiveWindowBytes: bounds.sendCreditBytes,
          },
        )
        queueMicrotask(() => job.confirmed())
        return responder
      },
      release: () => (this.isReleased = true),
    })
  }

  informational(head: ResponseHead): void {
    this.interim.push(head)
  }

  responded(head: ResponseHead): void {
    this.head = head
  }

  data(bytes: Uint8Array): void {
    this.body += Buffer.from(bytes).toString('latin1')
    this.exchange.consumed(bytes.length, now())
  }

  ended(trailers: HeaderList | undefined): void {
    this.isEnded = true
    this.trailers = trailers
  }

  writable(): void {
    // these tests send less than a window
  }

  stopped(code: ResetCode): void {
    this.stop = code
  }

  closed(outcome: ExchangeOutcome): void {
    this.outcome = outcome
  }

  send(text: string): void {
    this.exchange.send(Buffer.from(text, 'latin1'), now())
  }

  end(trailers?: HeaderList): void {
    this.exchange.end(now(), trailers)
  }
}

function expectNever(reason: string): never {
  throw new Error(`declined: ${reason}`)
}
