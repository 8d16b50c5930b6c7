/**
 * What a translator has to say: octets by reference, and joined only where something changed.
 *
 * @module
 */

/** Pieces of a body, in order. Neighbours of one buffer are one piece again. */
export class OctetsOut {
  #pieces: Uint8Array[] = []
  #length = 0

  /** The octets `from` to `to` of a buffer. */
  add(bytes: Uint8Array, from = 0, to = bytes.length): void {
    if (from >= to) return
    this.#length += to - from
    const last = this.#pieces.at(-1)
    const start = bytes.byteOffset + from
    if (last?.buffer === bytes.buffer && last.byteOffset + last.length === start) {
      const length = last.length + to - from
      this.#pieces[this.#pieces.length - 1] = new Uint8Array(bytes.buffer, last.byteOffset, length)
    } else this.#pieces.push(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to))
  }

  /** ASCII. */
  addText(text: string): void {
    this.add(octetsOf(text))
  }

  /** Everything since the last call, as one; undefined: there is nothing. */
  take(): Uint8Array | undefined {
    const pieces = this.#pieces
    const length = this.#length
    if (length === 0) return undefined
    this.#pieces = []
    this.#length = 0
    if (pieces.length === 1) return pieces[0]
    const whole = new Uint8Array(length)
    let at = 0
    for (const piece of pieces) {
      whole.set(piece, at)
      at += piece.length
    }
    return whole
  }
}

/** Octets that wait for their end. They grow by doubling, so adding one costs the same always. */
export class HeldOctets {
  #buffer = new Uint8Array(0)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** They are valid until the next {@link add}. */
  get octets(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  add(bytes: Uint8Array, from: number, to: number): void {
    const length = this.#length + to - from
    if (length > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(256, length, 2 * this.#buffer.length))
      grown.set(this.octets)
      this.#buffer = grown
    }
    this.#buffer.set(bytes.subarray(from, to), this.#length)
    this.#length = length
  }

  /** They are given away, and their memory with them. */
  take(): Uint8Array {
    const { octets } = this
    this.#buffer = new Uint8Array(0)
    this.#length = 0
    return octets
  }
}

/** One character for each octet: what is not ASCII goes through unread and unchanged. */
export function latin1(bytes: Uint8Array, from: number, to: number): string {
  let text = ''
  for (let at = from; at < to; at += MAX_ARGUMENTS)
    text += String.fromCharCode(...bytes.subarray(at, Math.min(to, at + MAX_ARGUMENTS)))
  return text
}

/** The octets of a text that has one character for each. */
export function octetsOf(text: string): Uint8Array {
  const octets = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) octets[i] = text.charCodeAt(i)
  return octets
}

const MAX_ARGUMENTS = 4096
