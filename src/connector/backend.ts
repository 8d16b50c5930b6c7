/**
 * The connector's port to private applications: one HTTP request out, its answer back, pushed and
 * paced.
 *
 * @module
 */
import type {
  ApplicationDetails,
  BodyKind,
  HeaderList,
  ResetCode,
  ResponseHead,
} from '../protocol/index.ts'

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
   * It could not be reached (`UNREACHABLE`), broke off (`APPLICATION_ABORTED`) or spoke no HTTP
   * (`APPLICATION_MALFORMED`). Nothing follows.
   */
  failed(code: ResetCode, cause: unknown): void
}

/** A request under way. */
export interface BackendCall {
  /** Sends body bytes; `false`: wait for `drained`. */
  write(bytes: Uint8Array): boolean
  end(trailers?: HeaderList): void
  pause(): void
  resume(): void
  /** Breaks it off; nothing follows. */
  abort(): void
}

export interface Backend {
  /** Starts a request. Events come later, never from inside this call. */
  call(request: BackendRequest, events: BackendEvents): BackendCall
  /** Ends idle connections. */
  close(): Promise<void>
}
