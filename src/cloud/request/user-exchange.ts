/**
 * The edge's port: one user's request, as any HTTP server can present it.
 *
 * `node:http` implements it fully (see node/user-exchange.ts). Nothing here is a WHATWG Request,
 * Response or stream: head lists are raw ordered pairs, bytes pass by reference, and nothing is
 * read before {@link UserExchange.startBody}.
 *
 * @module
 */
import type { Failure } from '../pages/answer.ts'
import type { HeaderList, ResponseHead } from '../../protocol/internal.ts'

/** The head of a user's request. */
export interface UserRequestHead {
  readonly method: string
  /** The request target, octet for octet. */
  readonly target: string
  readonly headers: HeaderList
  /** The `Host` field, or `:authority`. */
  readonly authority: string
  /** The certificate that its connection was shown is for other hosts. Default false. */
  readonly isMisdirected?: boolean
  /** Whether the user came by TLS. */
  readonly secure: boolean
  /** `1.0`, `1.1` or `2`. */
  readonly httpVersion: string
  /** The peer's IP address. */
  readonly remoteAddress: string
  /**
   * The `Upgrade` field, if the request has no body and the transport can hand its connection over.
   * Undefined: answer it as an ordinary request.
   */
  readonly upgrade: string | undefined
}

/** What a user's connection tells the edge. */
export interface UserEvents {
  /**
   * Bytes of the request body; only between start or resume and pause. One more may follow a pause.
   */
  data(bytes: Uint8Array): void
  /** The request body is complete. */
  ended(trailers: HeaderList | undefined): void
  /** After a {@link UserExchange.write} that returned `false`: everything written was taken. */
  drained(): void
  /** The user went away, or the response was handed over whole; nothing follows. */
  gone(complete: boolean): void
}

/** Why an answer that was begun is not complete. */
export type BrokenOff = Pick<Failure, 'code' | 'status' | 'detail' | 'requestId'>

/** A connection that one user has to this service, such as a `net.Socket`. */
export interface UserConnection {
  /** Tells when it is over. */
  once(event: 'close', listener: () => void): unknown
}

/** One user request and the means to answer it. */
export interface UserExchange {
  readonly head: UserRequestHead
  /**
   * The connection that it came on: the same object for all requests on it. Applications that know
   * their users by their connections need it. Undefined: it is not known, or it carries several
   * requests at once, as in HTTP/2.
   */
  readonly connection?: UserConnection | undefined
  /** Names who is told. Once, before anything else. */
  listen(events: UserEvents): void
  /**
   * Begins to take the request body, and answers `Expect: 100-continue`; after {@link
   * UserExchange.upgrade}, to take the tunnel's octets.
   */
  startBody(): void
  pauseBody(): void
  resumeBody(): void
  /** Sends an interim answer, if this transport can send that one. */
  inform(head: ResponseHead): void
  /** Sends the final head. `close`: the connection serves no further request. */
  respond(head: ResponseHead, close: boolean): void
  /**
   * Sends a 101 whose list names the protocol in `Upgrade`; the transport adds `Connection`. From
   * here on `data`, `write` and their pauses carry the tunnel's octets; `ended` and {@link
   * UserExchange.end} each close one direction.
   */
  upgrade(head: ResponseHead): void
  /** Sends body bytes; `false`: wait for `drained`. */
  write(bytes: Uint8Array): boolean
  end(trailers?: HeaderList): void
  /**
   * Instead of an answer: whoever asks must come by HTTP/1.1 (`HTTP_1_1_REQUIRED`). `false`: they
   * did, or cannot be told so, and want an answer.
   */
  requireHttp1?(): boolean
  /**
   * Breaks the connection (or the HTTP/2 stream), so that nobody takes the answer for complete.
   *
   * @param why for a transport whose reader can be told at an answer's end, as one of gRPC can
   */
  abort(why?: BrokenOff): void
}
