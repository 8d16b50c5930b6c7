/**
 * The port that signs assertions. It may be another process, or a machine that lets no key out:
 * whoever has the edge can then ask for assertions, and cannot make them.
 *
 * @module
 */
import type { AssertionKeySet } from '../../assertion/assertion-claims.ts'

/** Signs assertions. */
export interface AssertionSigner {
  /**
   * A compact JWS of these claims, `typ` `app-proxy-assertion+jwt`, `alg` ES256, with the name of
   * its key. Called for each attempt to deliver a request: what rejects fails that request.
   */
  sign(claims: Readonly<Record<string, unknown>>): Promise<string>
  /** The keys that applications verify with: those of now, of before, and of the next day. */
  publicKeys(): AssertionKeySet | Promise<AssertionKeySet>
}
