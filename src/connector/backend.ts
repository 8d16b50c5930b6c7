/**
 * The connector's port to private applications: one HTTP request out, its answer back, pushed and
 * paced.
 *
 * @see docs/backends.md
 * @module
 */
import type {
  ApplicationDetails,
  BodyKind,
  ExchangeId,
  HeaderList,
  NotSentCause,
  ResetCode,
  ResponseHead,
  UserClaims,
} from '../protocol/internal.ts'
import type { ApplicationTls } from './application-tls.ts'

/** One request to a private application. */
export interface BackendRequest {
  readonly application: ApplicationDetails
  readonly method: string
  /** Path and query, octet for octet. */
  readonly target: string
  /** Without hop-by-hop fields; `Host` is set. */
  readonly headers: HeaderList
  readonly body: BodyKind
  /**
   * The protocol the user wants to switch to: sent as `Upgrade`, with its `Connection`. Such a
   * request has no body.
   */
  readonly upgrade: string | undefined
  /** A safe request without body: a connection that died idle may be replaced, once. */
  readonly replayable: boolean
  /** The exchange that it belongs to, at both ends of the link. */
  readonly exchangeId: ExchangeId
  /** The number that the user is shown and that the audit and the connector's events name. */
  readonly requestNumber: string
  /** Who the user is; undefined: nobody signed in, or the application passes everybody through. */
  readonly user: UserClaims | undefined
  /**
   * Milliseconds until the answer comes too late. A connection that is not made by then is given
   * up, with {@link BackendEvents.notSent} and `TIMEOUT`.
   */
  readonly answerMs: number
  /**
   * How its connection is made, if not like every other. The application is verified then, whatever
   * `verifyCertificate` says, and the connection shared with no request that has another `tls`.
   */
  readonly tls?: ApplicationTls | undefined
  /**
   * Names the connections that are this user's alone, by 32 hexadecimal digits: the application
   * knows its user by the connection, so the request goes on one of these or on a new one, and on
   * these goes nothing else. Undefined, as nearly always: any connection that nobody is known by.
   */
  readonly affinity?: string | undefined
  /**
   * One of these connections must still be there: the user is known by it, or about to be. If none
   * is, nothing is sent, and the backend says {@link BackendEvents.notSent} with `PIN_LOST`.
   * Default false.
   */
  readonly isPinned?: boolean
}

/** What the application said. */
export interface BackendEvents {
  informational(head: ResponseHead): void
  responded(head: ResponseHead): void
  /**
   * The application switched protocols; the head is the 101 as it came. From here on `data`,
   * `ended`, {@link BackendCall.write} and {@link BackendCall.end} carry the tunnel, each direction
   * ending alone. Only if the request asked for it.
   */
  upgraded(head: ResponseHead): void
  /** Bytes of the answer; one more may follow a pause. */
  data(bytes: Uint8Array): void
  ended(trailers: HeaderList | undefined): void
  /** After a {@link BackendCall.write} that returned `false`: everything written was taken. */
  drained(): void
  /**
   * It broke off (`APPLICATION_ABORTED`), spoke no HTTP (`APPLICATION_MALFORMED`), or nobody knows
   * (`UNREACHABLE`). The application may have seen the request. Nothing follows.
   */
  failed(code: ResetCode, cause: unknown): void
  /**
   * No octet of the request was handed to any transport, and none will be: its name, connection,
   * TLS session or descriptor failed before the first write. Whatever its method, it may go to
   * another connector. `cause` says why, `error` is what was thrown. Only before any other event;
   * nothing follows. A backend that cannot tell says `failed`.
   */
  notSent(cause: NotSentCause, error: unknown): void
}

/** A request under way. */
export interface BackendCall {
  /**
   * Sends body bytes; `false`: wait for `drained`. It is `false` until the connection to the
   * application stands, so that the cloud, which is asked for more only as bytes are taken, still
   * holds all of a request that was not sent.
   */
  write(bytes: Uint8Array): boolean
  end(trailers?: HeaderList): void
  pause(): void
  resume(): void
  /** Breaks it off; nothing follows. */
  abort(): void
}

/**
 * Calls private applications.
 *
 * @see docs/backends.md
 */
export interface Backend {
  /**
   * What it can do that a connector must name to be offered applications that need it: `affinity`,
   * if it heeds {@link BackendRequest.affinity}. Default: nothing of the kind.
   *
   * @see spec/PROTOCOL.md, "Features"
   */
  readonly features?: readonly string[] | undefined
  /** Starts a request. Events come later, never from inside this call. */
  call(request: BackendRequest, events: BackendEvents): BackendCall
  /** Ends idle connections. */
  close(): Promise<void>
}
