/**
 * A value in MessagePack, each part in the longest form that there is for it: what a peer writes that does not look for the shortest.
 */
export function longestForm(value: unknown): Buffer {
  if (value === undefined || value === null) return Buffer.from([0xc0])
  if (typeof value === 'boolean') return Buffer.from([value ? 0xc3 : 0xc2])
  if (typeof value === 'number') {
    const number = Buffer.alloc(9, 0xcf)
    number.writeBigUInt64BE(BigInt(value), 1)
    return number
  }
  if (typeof value === 'string') return sized(0xdb, Buffer.byteLength(value), Buffer.from(value))
  if (value instanceof Uint8Array) return sized(0xc6, value.length, value)
  if (Array.isArray(value)) return sized(0xdd, value.length, ...value.map(longestForm))
  const entries = Object.entries(value)
  return sized(0xdf, entries.length, ...entries.flat().map(longestForm))
}

function sized(first: number, size: number, ...content: readonly Uint8Array[]): Buffer {
  const head = Buffer.alloc(5, first)
  head.writeUInt32BE(size, 1)
  return Buffer.concat([head, ...content])
}
