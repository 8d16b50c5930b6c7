/**
 * The challenge of PKCE.
 *
 * @see RFC 7636 section 4.2
 * @module
 */
import { base64url } from 'jose'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'

/** `S256` of a verifier. */
export async function codeChallengeOf(crypto: CryptoProvider, verifier: string): Promise<string> {
  const octets = new TextEncoder().encode(verifier)
  return base64url.encode(new Uint8Array(await crypto.subtle.digest('SHA-256', octets)))
}
