/**
 * A link, as its two ends have it in common: one long-lived connection that a connector opened,
 * carrying offers and whole exchanges.
 *
 * The connector says HELLO, the cloud WELCOME or no. Then offers go one way within the grants of
 * the other, each exchange has a number, and either side may drain: no new offers or claims, what
 * is open goes on until nothing is.
 *
 * @see spec/PROTOCOL.md, "Links"
 * @module
 */
/** `closed` and `refused` are final. */
export type LinkState = 'opening' | 'open' | 'draining' | 'closed' | 'refused'

/**
 * What either end's application and transport do; `idle` is derived: draining, and no exchange is
 * open.
 */
export type LinkLocalEvent = 'drain' | 'idle' | 'close' | 'lost'

/**
 * What either end's peer may say: a frame of an exchange, a ping, that it drains, and what is not
 * known and may be skipped.
 */
export type LinkPeerEvent = 'exchange' | 'ping' | 'goodbye' | 'unknown'

/** Why a link ended; `cause` is what was thrown, if anything was. */
export interface LinkEnd {
  readonly reason: 'lost' | 'silent' | 'drained' | 'closed' | 'refused' | 'violation'
  readonly cause?: unknown
}
