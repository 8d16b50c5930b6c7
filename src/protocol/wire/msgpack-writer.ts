/**
 * MessagePack on its way out: the one door to msgpackr, which writes control messages and whatever
 * else is a value of any form. Heads of link frames, of which every request has three, are written
 * element by element: head-writer.ts. Reading stays ours: msgpack.ts.
 *
 * @see spec/PROTOCOL.md, "Encoding"
 * @module
 */
import { Packr, RESET_BUFFER_MODE } from 'msgpackr/pack'
import { ApiMisuse } from './errors.ts'

/** Plain MessagePack: no records, no extensions; `undefined` is left out of a map. */
const OPTIONS: ConstructorParameters<typeof Packr>[0] & { skipValues: unknown[] } = {
  useRecords: false,
  variableMapSize: true,
  encodeUndefinedAsNil: true,
  skipValues: [undefined],
}
const PACKR = new Packr(OPTIONS)

/**
 * Writes what is certainly plain: finite numbers, text that UTF-8 can carry, octets, lists, maps.
 * The result is to be copied before anything else is written: its memory is used again.
 */
export function packToCopy(value: unknown): Uint8Array {
  return PACKR.encode(value, RESET_BUFFER_MODE)
}

/**
 * The same value, in what the wire can carry: half a surrogate pair becomes U+FFFD.
 *
 * @throws ApiMisuse for what it cannot
 */
export function plain(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
      return wellFormed(value)
    case 'number':
      if (!Number.isFinite(value)) throw new ApiMisuse(`${value} cannot be encoded`)
      return value
    case 'boolean':
    case 'undefined':
      return value
    case 'object':
      return value === null || value instanceof Uint8Array ? value : plainContainer(value)
    default:
      throw new ApiMisuse(`a ${typeof value} cannot be encoded`)
  }
}

function plainContainer(value: object): unknown {
  if (Array.isArray(value)) return value.map(plain)
  return Object.fromEntries(
    Object.entries(value).map(([key, field]) => [wellFormed(key), plain(field)]),
  )
}

/** Half a surrogate pair, which no UTF-8 can carry, becomes U+FFFD, as everywhere on the Web. */
function wellFormed(text: string): string {
  return text.toWellFormed()
}
