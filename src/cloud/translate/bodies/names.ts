/**
 * Names told apart by their octets, without a string for each.
 *
 * @module
 */

import { ApiMisuse } from '../../../protocol/internal.ts'

/** Some names of lower-case ASCII. Asked in whatever letter case. */
export class NameTable {
  readonly #names = new Map<number, string>()

  constructor(names: Iterable<string>) {
    for (const name of names) {
      let hash = 0
      for (let i = 0; i < name.length; i++) hash = hashed(hash, name.charCodeAt(i))
      const other = this.#names.get(hash)
      if (other !== undefined && other !== name)
        throw new ApiMisuse(`${other} and ${name} cannot be told apart`)
      this.#names.set(hash, name)
    }
  }

  /** Whether the name may be one of these, by the {@link hashed} of its octets. */
  mayHave(hash: number): boolean {
    return this.#names.has(hash)
  }

  /** Which it is. */
  find(hash: number, bytes: Uint8Array, from: number, to: number): string | undefined {
    const name = this.#names.get(hash)
    if (name?.length !== to - from) return undefined
    for (let i = 0; i < name.length; i++)
      if (lowerCase(bytes[from + i]!) !== name.charCodeAt(i)) return undefined
    return name
  }
}

/** One octet more. */
export function hashed(hash: number, octet: number): number {
  return (Math.imul(hash, 31) + lowerCase(octet)) | 0
}

function lowerCase(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet
}
