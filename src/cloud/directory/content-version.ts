const OFFSET = 0xcbf29ce484222325n
const PRIME = 0x100000001b3n

/**
 * A short name for the content of a JSON-able value: equal content, whatever the order of its keys,
 * has an equal version.
 *
 * FNV-1a, 64 bits, as 16 hexadecimal digits. It tells changes apart and protects nothing.
 */
export function contentVersion(value: unknown): string {
  let hash = OFFSET
  for (const octet of new TextEncoder().encode(JSON.stringify(value, sortedKeys)))
    hash = BigInt.asUintN(64, (hash ^ BigInt(octet)) * PRIME)
  return hash.toString(16).padStart(16, '0')
}

function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
