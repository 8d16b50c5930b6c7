import { HEX } from '../../protocol/wire/octets.ts'
import type { ExchangeId } from '../../protocol/internal.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'

const OCTETS = 16
const AT_ONCE = 256
const DIGITS = 2 * OCTETS

/** Of a request that has none, because there were no random bits. */
export const NO_ID: ExchangeId = '0'.repeat(DIGITS)

/**
 * Ids of exchanges, 128 random bits each, drawn from the generator 4 KiB at a time. The number of a
 * request is the beginning of one, see request-number.ts.
 */
export class ExchangeIds {
  readonly #crypto: CryptoProvider
  #drawn = ''
  #next = 0

  constructor(crypto: CryptoProvider) {
    this.#crypto = crypto
  }

  next(): ExchangeId {
    if (this.#next === this.#drawn.length) this.#draw()
    const at = this.#next
    this.#next += DIGITS
    return this.#drawn.slice(at, this.#next)
  }

  /** One text for all: each id is a part of it. */
  #draw(): void {
    const octets = this.#crypto.getRandomValues(new Uint8Array(AT_ONCE * OCTETS))
    const digits = new Uint16Array(octets.length)
    for (let i = 0; i < octets.length; i++) digits[i] = PAIRS[octets[i]!]!
    this.#drawn = new TextDecoder().decode(digits)
    this.#next = 0
  }
}

/** The two digits of each octet, as they lie in memory. */
const PAIRS = new Uint16Array(Uint8Array.from(HEX.join(''), (digit) => digit.charCodeAt(0)).buffer)
