import type { CryptoProvider } from '../ports.ts'

/** Octets of one id: 72 random bits, twelve characters of the base64url alphabet. */
const OCTETS = 9
const CHARACTERS = 12
const AT_ONCE = 455

/** Ids of requests, for users to quote and logs to find; unguessable, drawn from the generator 4 KiB at a time. */
export class RequestIds {
  readonly #crypto: CryptoProvider
  #drawn = ''
  #next = 0

  constructor(crypto: CryptoProvider) {
    this.#crypto = crypto
  }

  next(): string {
    if (this.#next === this.#drawn.length) this.#draw()
    const id = this.#drawn.slice(this.#next, this.#next + CHARACTERS)
    this.#next += CHARACTERS
    return id
  }

  #draw(): void {
    const octets = this.#crypto.getRandomValues(new Uint8Array(AT_ONCE * OCTETS))
    this.#drawn = btoa(String.fromCharCode(...octets))
      .replaceAll('+', '-')
      .replaceAll('/', '_')
    this.#next = 0
  }
}
