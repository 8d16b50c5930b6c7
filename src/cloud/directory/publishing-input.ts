/**
 * How an application is published, as a person writes it.
 *
 * @see docs/publishing.md
 * @module
 */

/** What every application may have beside its addresses and how users sign in. */
export interface PublishingInput {
  /** It is being worked on: its users get a page that says so, and nothing reaches it. */
  readonly maintenance?: MaintenanceInput | undefined
}

/** An application is being worked on: new requests are answered with 503. */
export interface MaintenanceInput {
  /**
   * What users are told, in plain text; up to 500 characters. Whoever comes to the address reads
   * it. Default: that the application is being worked on.
   */
  readonly message?: string | undefined
  /**
   * When it is expected back: a time with its zone, such as `2026-12-01T06:00:00Z`. It is said on
   * the page and in `Retry-After`, and ends nothing by itself. Default: it is not said.
   */
  readonly until?: string | undefined
  /**
   * Whether what is open is broken off: answers under way, WebSockets, streams. Default: false, and
   * it goes on to its end.
   */
  readonly endsOpen?: boolean | undefined
}
