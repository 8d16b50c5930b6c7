/**
 * What all translators of bodies have in common.
 *
 * @module
 */

/** Which URLs lead to which: see published-urls. */
export interface UrlTranslation {
  /**
   * The external URL for what a page inside says.
   *
   * @param url as it is said, without blanks around it
   * @returns Undefined: it is none that is published, and stays octet for octet
   */
  outward(url: string): string | undefined
}

/** Translates one body, piece by piece. Any division into pieces gives the same octets. */
export interface BodyTranslator {
  /** The octets that can be said now: `bytes` itself where nothing in it changed. */
  write(bytes: Uint8Array): Uint8Array | undefined
  /** What was still held. */
  end(): Uint8Array | undefined
}

/**
 * What one value, one tag or one token may have, to be looked at. Larger ones (pictures as `data:`
 * URLs) go through untouched, and none of them is held.
 */
export const MAX_HELD_BYTES = 64 * 1024
