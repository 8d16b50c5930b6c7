/**
 * The edge as a function from `Request` to `Response`, for whatever serves the Fetch API.
 *
 * @module
 */
import { ApiMisuse, type ResponseHead } from '../../protocol/internal.ts'
import type { Edge, RequestLimits } from '../edge/edge.ts'
import { FetchUserExchange } from './fetch-user-exchange.ts'

/** What a `Request` does not say of itself. */
export interface FetchRequestInfo {
  /**
   * The IP address of the connection's other end, as your runtime tells it: Deno in
   * `info.remoteAddr.hostname`, Bun by `server.requestIP(request)?.address`. Named locations,
   * shares and the audit live by it. Behind a proxy it is the proxy's: see `trustedProxies`.
   */
  readonly remoteAddress: string
  /** Whether the user came by TLS. Default: whether the request's URL is https. */
  readonly secure?: boolean
  /** `1.0`, `1.1` or `2`. Default `1.1`. */
  readonly httpVersion?: string
}

/** A connection that has become a tunnel. */
export interface FetchTunnel {
  /** What the handler gives its runtime: the answer that switches protocols. */
  readonly response: Response
  /** The user's octets after it. */
  readonly readable: ReadableStream<Uint8Array>
  /** Where octets for the user go. */
  readonly writable: WritableStream<Uint8Array>
}

/** Options of {@link fetchHandler}. */
export interface FetchHandlerOptions extends RequestLimits {
  /**
   * Hands over the connection of a request that asks for another protocol, once the application has
   * agreed; `head` is its 101. What it throws ends the exchange with 500. Called for requests with
   * `Upgrade` alone. Default: the Fetch API knows no way, and a WebSocket is answered 501.
   */
  readonly upgrade?: (request: Request, head: ResponseHead) => FetchTunnel
}

/** Serves one request; see {@link fetchHandler}. */
export type FetchHandler = (request: Request, info: FetchRequestInfo) => Promise<Response>

/**
 * The handler to mount in a server that speaks `Request` and `Response`: Deno, Bun, workers, Hono
 * and others.
 *
 *     const published = fetchHandler(cloud.edge)
 *     Deno.serve((request, { remoteAddr }) =>
 *       published(request, { remoteAddress: remoteAddr.hostname }),
 *     )
 *
 * Bodies stream both ways. Of the request's, nothing is read before a connector asks for it; of the
 * answer's, no more than 64 KiB wait for who reads it. When `request.signal` aborts, or the body of
 * the answer is cancelled, the user has left. What the Fetch API cannot say is left out: interim
 * answers, trailers, how fields are spelled and ordered, bodies that it withholds (that of a GET),
 * and the octets of a target that it writes another way.
 *
 * The promise rejects for one reason.
 *
 * @throws ApiMisuse when the request's body was read before: put this before whatever reads bodies
 */
export function fetchHandler(
  edge: Pick<Edge, 'handle'>,
  options: FetchHandlerOptions = {},
): FetchHandler {
  const { upgrade, ...limits } = options
  return async (request, info) => {
    if (request.bodyUsed || request.body?.locked === true)
      throw new ApiMisuse('the body of this request was read before: a parser came first')
    const exchange = new FetchUserExchange(request, info, upgrade)
    edge.handle(exchange, limits)
    return exchange.response
  }
}
