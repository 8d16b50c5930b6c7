import { HEX } from '../../protocol/wire/octets.ts'
import { idPrefixOf, type ExchangeId } from '../../protocol/internal.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'

const OCTETS = 16
const AT_ONCE = 64

/**
 * Ids of exchanges, 128 random bits each, drawn from the generator 1 KiB at a time. One whose
 * request has a number begins with it: then only the rest is drawn here.
 */
export class ExchangeIds {
  readonly #crypto: CryptoProvider
  readonly #octets = new Uint8Array(AT_ONCE * OCTETS)
  #next = this.#octets.length

  constructor(crypto: CryptoProvider) {
    this.#crypto = crypto
  }

  next(requestNumber = ''): ExchangeId {
    if (this.#next + OCTETS > this.#octets.length) {
      this.#crypto.getRandomValues(this.#octets)
      this.#next = 0
    }
    let id = idPrefixOf(requestNumber) ?? ''
    for (let left = OCTETS - id.length / 2; left > 0; left--) id += HEX[this.#octets[this.#next++]!]
    return id
  }
}
