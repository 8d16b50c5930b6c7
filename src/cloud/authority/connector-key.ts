/**
 * The one kind of key a connector may have: ECDSA P-256.
 *
 * @module
 */
import { hexadecimal } from '../../protocol/wire/octets.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'

export const ECDSA_P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/**
 * SubjectPublicKeyInfo of a P-256 key up to its point: id-ecPublicKey, prime256v1, a bit string,
 * "uncompressed". RFC 5480 §2
 */
const P256_PREFIX = '3059301306072a8648ce3d020106082a8648ce3d03010703420004'
const P256_BYTES = 91

/**
 * Whether this SubjectPublicKeyInfo (DER) says ECDSA P-256 in its only customary encoding; the
 * point is not checked.
 */
export function isP256(publicKey: Uint8Array): boolean {
  return (
    publicKey.length === P256_BYTES &&
    hexadecimal(publicKey.subarray(0, P256_PREFIX.length / 2)) === P256_PREFIX
  )
}

/** SHA-256 of a SubjectPublicKeyInfo, lower-case hexadecimal: the name of a key. */
export async function keyIdOf(crypto: CryptoProvider, publicKey: Uint8Array): Promise<string> {
  return hexadecimal(
    new Uint8Array(await crypto.subtle.digest('SHA-256', publicKey as BufferSource)),
  )
}
