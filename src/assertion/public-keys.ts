/**
 * Public keys, from what is published to what verifies.
 *
 * @module
 */
import { importJWK } from 'jose'
import type { AssertionKeySet, AssertionPublicKey } from './assertion-claims.ts'

/** More are not looked at: the service publishes three at the most. */
const MAX_KEYS = 64

/**
 * The key of that name among those that can be used; undefined: there is none. Of several with one
 * name the first.
 */
export class PublicKeys {
  readonly #keys = new Map<string, AssertionPublicKey>()
  /** By name: what was used before. */
  readonly #imported = new Map<string, Promise<CryptoKey | undefined>>()

  constructor({ keys }: AssertionKeySet) {
    for (const key of keys.slice(0, MAX_KEYS))
      if (isUsable(key) && !this.#keys.has(key.kid)) this.#keys.set(key.kid, key)
  }

  get size(): number {
    return this.#keys.size
  }

  find(kid: string): Promise<CryptoKey | undefined> | undefined {
    const key = this.#keys.get(kid)
    if (key === undefined) return undefined
    let imported = this.#imported.get(kid)
    if (imported === undefined) this.#imported.set(kid, (imported = importPublicKey(key)))
    return imported
  }
}

/** Undefined: it is no point of the curve. */
export async function importPublicKey(key: AssertionPublicKey): Promise<CryptoKey | undefined> {
  // Nothing else of it: what is private, or says what it may be used for, changes nothing.
  const { x, y } = key
  try {
    return (await importJWK({ kty: 'EC', crv: 'P-256', x: x!, y: y! }, 'ES256')) as CryptoKey
  } catch {
    return undefined
  }
}

function isUsable(key: unknown): key is AssertionPublicKey & { readonly kid: string } {
  if (typeof key !== 'object' || key === null) return false
  const { kid, kty, crv, x, y, alg, use } = key as Readonly<Record<string, unknown>>
  return (
    [kid, x, y].every((member) => typeof member === 'string' && member !== '') &&
    kty === 'EC' &&
    crv === 'P-256' &&
    (alg === undefined || alg === 'ES256') &&
    (use === undefined || use === 'sig')
  )
}

/** The set in a text that was fetched or read. Undefined: it is none. */
export function readKeySet(text: string): AssertionKeySet | undefined {
  try {
    const set = JSON.parse(text) as { readonly keys?: unknown } | null
    return Array.isArray(set?.keys) ? { keys: set.keys as AssertionPublicKey[] } : undefined
  } catch {
    return undefined
  }
}
