/**
 * The test vectors: for every message and every frame, octets that a second implementation must read, and octets that it
 * must refuse.
 *
 * @module
 */
import { FRAME_VECTORS } from './frame-vectors.ts'
import { MESSAGE_VECTORS } from './message-vectors.ts'
import type { VectorCodec, VectorFile } from './vector.ts'

/** The content of spec/vectors, by file name. */
export function vectors(): Map<string, VectorFile> {
  return new Map(ALL.map(([name, , file]) => [name, file]))
}

/** How to encode and decode what is in them, by file name. */
export function vectorCodecs(): Map<string, VectorCodec> {
  return new Map(ALL.map(([name, codec]) => [name, codec]))
}

const ALL: readonly (readonly [string, VectorCodec, VectorFile])[] = [
  ...MESSAGE_VECTORS,
  ...FRAME_VECTORS,
]
