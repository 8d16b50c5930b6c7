import type { CryptoProvider } from '../../runtime/crypto-provider.ts'

/**
 * Digits and letters that no hand and no voice takes for another: there is no I, L, O and U.
 *
 * @see Crockford's Base32
 */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
/** Characters of one id, in groups of four: 80 random bits. */
const CHARACTERS = 16
const AT_ONCE = 256

/**
 * Ids of requests, for users to quote and logs to find: `7k2m-x9pt-04rw-bn6e`. Unguessable, drawn
 * from the generator 4 KiB at a time.
 */
export class RequestIds {
  readonly #crypto: CryptoProvider
  #drawn = ''
  #next = 0

  constructor(crypto: CryptoProvider) {
    this.#crypto = crypto
  }

  next(): string {
    if (this.#next === this.#drawn.length) this.#draw()
    const at = this.#next
    this.#next += CHARACTERS
    const group = (i: number) => this.#drawn.slice(at + 4 * i, at + 4 * i + 4)
    return `${group(0)}-${group(1)}-${group(2)}-${group(3)}`
  }

  #draw(): void {
    let drawn = ''
    // One character of each octet: 256 is a multiple of 32, so none is likelier.
    for (const octet of this.#crypto.getRandomValues(new Uint8Array(AT_ONCE * CHARACTERS)))
      drawn += ALPHABET[octet & 31]
    this.#drawn = drawn
    this.#next = 0
  }
}
