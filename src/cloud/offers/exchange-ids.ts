import type { ExchangeId } from '../../protocol/index.ts'
import type { CryptoProvider } from '../ports.ts'

const OCTETS = 16
const AT_ONCE = 64
const HEX = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, '0'))

/** Ids of exchanges, 128 random bits each, drawn from the generator 1 KiB at a time. */
export class ExchangeIds {
  readonly #crypto: CryptoProvider
  readonly #octets = new Uint8Array(AT_ONCE * OCTETS)
  #next = this.#octets.length

  constructor(crypto: CryptoProvider) {
    this.#crypto = crypto
  }

  next(): ExchangeId {
    if (this.#next === this.#octets.length) {
      this.#crypto.getRandomValues(this.#octets)
      this.#next = 0
    }
    let id = ''
    for (const end = this.#next + OCTETS; this.#next < end; this.#next++) {
      id += HEX[this.#octets[this.#next]!]
    }
    return id
  }
}
