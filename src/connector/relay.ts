/**
 * Between an exchange and the call that serves it: bytes by reference, paced by credit one way and
 * by the application's reading the other; heads and trailers checked, because what a frame may not
 * carry would be our own violation.
 *
 * @module
 */
import {
  headersFault,
  headerValues,
  MAX_ANSWER_FIELDS,
  MAX_HEAD_BYTES,
  MAX_INTERIM,
  PacedRelay,
  RelayedAnswer,
  ResetCode,
  withoutHopByHop,
  type Exchange,
  type HeaderList,
  type NotSentCause,
  type Offer,
  type ResponseHead,
} from '../protocol/internal.ts'
import { TowardsApplication, TowardsCloud } from './relay-ends.ts'
import type { Backend, BackendCall, BackendEvents, BackendRequest } from './backend.ts'
import type { Clocks } from '../runtime/clocks.ts'
import type { ObservedExchange } from '../runtime/exchange-observer.ts'

/** Carries one request to an application and its answer back. */
export class Relay implements BackendEvents {
  readonly #offer: Offer
  readonly #exchange: Exchange
  readonly #clocks: Clocks
  readonly #call: BackendCall
  readonly #upwards: PacedRelay
  /** Undefined: there is no request body, and no tunnel can come of it. */
  readonly #downwards: PacedRelay | undefined
  readonly #answer = new RelayedAnswer()
  readonly #observed: ObservedExchange | undefined
  #interim = 0
  #cause: unknown

  /** @throws whatever the backend throws for a request that it cannot make */
  constructor(
    offer: Offer,
    exchange: Exchange,
    clocks: Clocks,
    backend: Backend,
    request: BackendRequest,
    observed?: ObservedExchange,
  ) {
    this.#observed = observed
    this.#offer = offer
    this.#exchange = exchange
    this.#clocks = clocks
    this.#call = backend.call(request, this)
    this.#upwards = new PacedRelay(new TowardsCloud(exchange, this.#call, clocks), 'credit')
    if (offer.body.kind === 'none' && offer.upgrade === undefined) return
    const output = new TowardsApplication(exchange, this.#call, clocks)
    this.#downwards = new PacedRelay(output, 'queue')
    this.#downwards.start()
  }

  /** Why the application failed, for logs. */
  get cause(): unknown {
    return this.#cause
  }

  // ── what the cloud says ───────────────────────────────────────────────────────────────────

  write(bytes: Uint8Array): void {
    this.#downwards?.data(bytes)
  }

  end(trailers: HeaderList | undefined): void {
    this.#downwards?.end(trailers)
  }

  writable(): void {
    this.#upwards.ready()
    this.#readNoFurther()
  }

  /** Nobody wants the answer: so nobody reads the request either. */
  stopped(): void {
    this.abort()
    this.#exchange.stop(this.#now())
  }

  abort(): void {
    this.#answer.leave()
    this.#upwards.close()
    this.#downwards?.close()
    this.#call.abort()
  }

  // ── what the application says ─────────────────────────────────────────────────────────────

  informational({ status, headers }: ResponseHead): void {
    // Nothing paces them, so the requester counts; those beyond are nobody's loss.
    if (status < 100 || this.#interim === MAX_INTERIM) return
    this.#interim += 1
    const kept = withoutHopByHop(headers)
    const fault = headFault(kept)
    if (fault !== undefined) return this.#malformed(fault)
    this.#exchange.inform({ status, headers: kept })
  }

  responded({ status, headers }: ResponseHead): void {
    const kept = status === 426 ? withProtocols(headers) : withoutHopByHop(headers)
    const fault = status < 200 || status > 999 ? `status ${status}` : headFault(kept)
    if (fault !== undefined) return this.#malformed(fault)
    // No body follows such a head (RFC 9112 §6.3).
    const isBodiless = this.#offer.method === 'HEAD' || status === 204 || status === 304
    this.#observed?.head()
    this.#answer.respond(undefined)
    if (isBodiless) this.#upwards.stop()
    else this.#upwards.start()
    this.#exchange.respond({ status, headers: kept }, isBodiless, this.#now())
  }

  upgraded({ status, headers }: ResponseHead): void {
    const protocols = headerValues(headers, 'upgrade')
    // Hop by hop as it is, the user must learn what this connection speaks from here on.
    const kept = withProtocols(headers)
    const fault = isWished(this.#offer.upgrade, protocols)
      ? headFault(kept)
      : 'a protocol nobody asked for'
    if (fault !== undefined) return this.#malformed(fault)
    this.#observed?.head()
    this.#answer.switch()
    this.#upwards.start()
    this.#exchange.upgrade({ status, headers: kept }, this.#now())
  }

  data(bytes: Uint8Array): void {
    if (this.#upwards.state === 'open') this.#observed?.body()
    this.#upwards.data(bytes)
  }

  ended(trailers: HeaderList | undefined): void {
    const kept = trailers === undefined ? undefined : withoutHopByHop(trailers)
    const fault = kept === undefined ? undefined : headFault(kept)
    if (fault !== undefined) return this.#malformed(fault)
    this.#upwards.end(kept)
    this.#readNoFurther()
  }

  drained(): void {
    this.#downwards?.ready()
  }

  failed(code: ResetCode, cause: unknown): void {
    this.#cause = cause
    // The answer is whole; only what it does not depend on broke.
    if (this.#upwards.state === 'ended') this.#exchange.stop(this.#now())
    else this.#exchange.abort(code)
  }

  notSent(cause: NotSentCause, error: unknown): void {
    this.#cause = error
    // Of a backend that has taken more than the cloud keeps, the beginning is no longer at hand.
    if (this.#exchange.mayBeNotSent) this.#exchange.notSent(cause)
    else this.#exchange.abort(cause)
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  #malformed(fault: string): void {
    this.#cause = new Error(`the application's answer has ${fault}`)
    this.#call.abort()
    this.#exchange.abort(ResetCode.APPLICATION_MALFORMED)
  }

  /**
   * Once it has answered, nobody reads what of the request is still to come. A tunnel's directions
   * end each alone.
   */
  #readNoFurther(): void {
    if (this.#upwards.state === 'ended' && !this.#answer.isTunnel) this.#exchange.stop(this.#now())
  }

  #now(): number {
    return this.#clocks.now()
  }
}

/** A 101 and a 426 name protocols of the user's connection. */
function withProtocols(headers: HeaderList): HeaderList {
  const protocols = headerValues(headers, 'upgrade')
  return [...withoutHopByHop(headers), ...protocols.flatMap((value) => ['Upgrade', value])]
}

/** Whether the application switched to nothing but what was asked for (RFC 9110 §7.8). */
function isWished(wish: string | undefined, protocols: readonly string[]): boolean {
  const wished = protocolsOf(wish ?? '')
  const chosen = protocols.flatMap(protocolsOf)
  return chosen.length > 0 && chosen.every((protocol) => wished.includes(protocol))
}

function protocolsOf(list: string): string[] {
  return list.split(',').map((protocol) => protocol.trim().toLowerCase())
}

/** What keeps a header list out of a frame; never quotes a value. */
function headFault(headers: HeaderList): string | undefined {
  if (headers.length > 2 * MAX_ANSWER_FIELDS) return `more than ${MAX_ANSWER_FIELDS} header fields`
  const fault = headersFault(headers)
  if (fault !== undefined) return fault
  return fitsFrame(headers) ? undefined : 'more header fields than a frame holds'
}

function fitsFrame(headers: HeaderList): boolean {
  let octets = 16
  for (let i = 0; i < headers.length; i++) octets += headers[i]!.length + 3
  if (octets * 2 <= MAX_HEAD_BYTES) return true
  // An octet above 7F takes two.
  for (const text of headers)
    for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) octets++
  return octets <= MAX_HEAD_BYTES
}
