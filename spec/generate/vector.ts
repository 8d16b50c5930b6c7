/**
 * The shape of a test vector file.
 *
 * @module
 */

/** One file in spec/vectors: one message, or one frame type. */
export interface VectorFile {
  readonly name: string
  readonly description: string
  /** Frames alone: who may be sent them, and when. Everywhere else they are a violation. */
  readonly legal?: readonly Situation[]
  readonly valid: readonly ValidVector[]
  readonly invalid: readonly InvalidVector[]
}

/** Who receives a frame, and in which state. */
export interface Situation {
  readonly at: 'connector' | 'cloud'
  readonly in: SituationState
}

/**
 * - `opening`: the connector has said HELLO, the cloud has heard nothing.
 * - `open`: the greetings are exchanged; there is no exchange.
 * - `claimed`: exchange 5 is claimed, its request has a body, and nothing more was said of it.
 * - `confirmed`: the same, and the claim is confirmed.
 * - `responding`: the same, and the head of its answer was sent; a body follows.
 * - `upgrade-asked`: exchange 5 is claimed, and asks to switch protocols.
 */
export type SituationState =
  'opening' | 'open' | 'claimed' | 'confirmed' | 'responding' | 'upgrade-asked'

export interface ValidVector {
  readonly name: string
  /** Where it is legal, when that is not where the file says. */
  readonly legal?: readonly Situation[]
  /** JSON; octets are `{ "$bytes": "<hex>" }`, absent fields are left out. */
  readonly value: unknown
  readonly hex: string
  /** Another encoding of the value: every decoder accepts it, our encoder writes it differently. */
  readonly alternative?: true
}

export interface InvalidVector {
  readonly name: string
  readonly hex: string
  /** The reason of the PeerViolation. */
  readonly reason: string
}

/** How one file's values get to octets and back. `decode` throws PeerViolation. */
export interface VectorCodec {
  encode(value: unknown): Uint8Array
  decode(octets: Uint8Array): unknown
}

export function toHex(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex')
}

/** Spaces are for the reader. */
export function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
}

/** A value as the files hold it. */
export function toJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return { $bytes: toHex(value) }
  if (Array.isArray(value)) return value.map(toJson)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return Object.fromEntries(fields.map(([key, field]) => [key, toJson(field)]))
}

export function fromJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromJson)
  if (typeof value !== 'object' || value === null) return value
  if ('$bytes' in value) return fromHex(value.$bytes as string)
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, fromJson(field)]))
}
