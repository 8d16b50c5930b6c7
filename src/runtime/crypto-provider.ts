/**
 * Any provider of the Web Crypto interface: the runtime's, `@peculiar/webcrypto`, an HSM's.
 *
 * It makes and checks keys, certificates and requests, and derives the keys of the ring. Tokens and
 * sealed cookies are the business of `jose` and `oauth4webapi`, which use the runtime's own.
 */
export type CryptoProvider = Pick<Crypto, 'subtle' | 'getRandomValues'>

/**
 * The runtime's own Web Crypto; `@peculiar/webcrypto`, loaded only then, where the runtime has
 * none.
 */
export async function defaultCryptoProvider(): Promise<CryptoProvider> {
  const { crypto } = globalThis as { crypto?: Crypto }
  if (crypto?.subtle !== undefined) return crypto
  return new (await import('@peculiar/webcrypto')).Crypto()
}
