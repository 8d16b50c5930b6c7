/** Any provider of the Web Crypto interface: the runtime's, `@peculiar/webcrypto`, an HSM's. */
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
