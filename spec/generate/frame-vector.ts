/**
 * How the vectors of one frame type are made: its header, its payload, and what every frame type refuses.
 *
 * @module
 */
import {
  FrameFlag,
  FrameReader,
  FrameType,
  MAX_CONTROL_BYTES,
  MAX_HEAD_BYTES,
  PeerViolation,
  encodeFrame,
} from '../../src/protocol/index.ts'
import {
  fromHex,
  toHex,
  toJson,
  type InvalidVector,
  type ValidVector,
  type VectorCodec,
  type VectorFile,
} from './vector.ts'

export type Entry = readonly [fileName: string, codec: VectorCodec, file: VectorFile]

type Name = keyof typeof FrameType
type Flag = keyof typeof FrameFlag

/** What the value of a frame's vector says. */
interface FrameValue {
  readonly number: number
  readonly flags: readonly Flag[]
  /** Absent where the type says all; octets for DATA and PING. */
  readonly payload?: unknown
}

/** What differs from type to type: values by what they show, or raw payloads where they are invalid. */
interface Cases {
  readonly valid?: Readonly<Record<string, unknown>>
  readonly flagged?: Readonly<Record<string, { flags: readonly Flag[]; payload: unknown }>>
  /** Payloads that our encoder would write differently. */
  readonly alternative?: Readonly<Record<string, readonly [payload: Uint8Array, value: unknown]>>
  /** Refused as `MALFORMED_FRAME`. */
  readonly invalid?: Readonly<Record<string, Uint8Array>>
  /** Refused as `FORBIDDEN_OCTET`. */
  readonly forbidden?: Readonly<Record<string, Uint8Array>>
  /** Whole frames. */
  readonly whole?: Readonly<Record<string, readonly [hex: string, reason: string]>>
}

export function entry<T>(
  name: Name,
  description: string,
  encodePayload: (value: T) => Uint8Array,
  decodePayload: (payload: Uint8Array) => unknown,
  cases: Cases,
): Entry {
  const type = FrameType[name]
  const number = ON_THE_LINK.has(name) ? 0 : 5
  const codec: VectorCodec = {
    encode(value) {
      const { flags, payload, number } = value as FrameValue
      return encodeFrame(type, octetOf(flags), number, encodePayload(payload as T))
    },
    decode: (octets) => readOne(type, octets, decodePayload),
  }
  const valid = (title: string, value: FrameValue): ValidVector => ({
    name: title,
    value: toJson(value),
    hex: toHex(codec.encode(value)),
  })
  const invalid = (reason: string, payloads: Readonly<Record<string, Uint8Array>> = {}) =>
    Object.entries(payloads).map(([title, payload]) => ({
      name: title,
      hex: toHex(encodeFrame(type, 0, number, payload)),
      reason,
    }))
  const file: VectorFile = {
    name,
    description,
    valid: [
      ...pairs(cases.valid).map(([title, payload]) => valid(title, { number, flags: [], payload })),
      ...pairs(cases.flagged).map(([title, value]) => valid(title, { number, ...value })),
      ...pairs(cases.alternative).map(([title, [payload, value]]) => ({
        name: title,
        value: toJson({ number, flags: [], payload: value }),
        hex: toHex(encodeFrame(type, 0, number, payload)),
        alternative: true as const,
      })),
    ],
    invalid: [
      ...invalid('MALFORMED_FRAME', cases.invalid),
      ...invalid('FORBIDDEN_OCTET', cases.forbidden),
      ...pairs(cases.whole).map(([title, [hex, reason]]) => ({
        name: title,
        hex: hex.replaceAll(' ', ''),
        reason,
      })),
      ...everyFrameRefuses(name, number),
    ],
  }
  return [`frame-${name.toLowerCase()}.json`, codec, withUnknownFlag(file, type)]
}

/** The payload of a frame that says all by its type. */
export function none(): Uint8Array {
  return new Uint8Array(0)
}

/** A payload that is octets, both ways. */
export function octets(payload: Uint8Array): Uint8Array {
  return payload
}

/** Frames about the link as a whole, on number 0. */
const ON_THE_LINK: ReadonlySet<Name> = new Set([
  ...(['HELLO', 'WELCOME', 'OFFER', 'DECLINE', 'PING', 'DRAIN', 'CONFIGURATION'] as const),
])

const HEADS: ReadonlySet<Name> = new Set([
  ...(['HELLO', 'WELCOME', 'OFFER', 'RESPONSE', 'INFORMATIONAL', 'TRAILERS'] as const),
])

/** The octets are exactly one frame of that type, or a PeerViolation says why not. */
function readOne(
  type: FrameType,
  wire: Uint8Array,
  decodePayload: (payload: Uint8Array) => unknown,
): FrameValue {
  const found: FrameValue[] = []
  const reader = new FrameReader({
    frame(seen, flags, number, payload) {
      if (seen !== type) throw new Error(`type ${seen} in the vectors of type ${type}`)
      found.push({ number, flags: namesOf(flags), payload: decodePayload(payload) })
    },
    data(number, bytes, end) {
      found.push({ number, flags: end ? ['END'] : [], payload: bytes })
    },
  })
  reader.push(wire)
  reader.end()
  if (found.length !== 1) throw new PeerViolation('FRAME_TRUNCATED', 'not one frame')
  return found[0]!
}

function everyFrameRefuses(name: Name, number: number): InvalidVector[] {
  const type = FrameType[name]
  const most = HEADS.has(name) ? MAX_HEAD_BYTES : MAX_CONTROL_BYTES
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0')
  const header = (length: number, octet: number) =>
    `${hex(length, 6)}${hex(octet, 2)}00${hex(number, 8)}`
  const tooLarge = { name: 'too large', hex: header(most + 1, type), reason: 'FRAME_TOO_LARGE' }
  const head = (title: string, payload: string) => ({
    name: title,
    hex: toHex(encodeFrame(type, 0, number, fromHex(payload))),
    reason: 'MALFORMED_FRAME',
  })
  return [
    ...(name === 'DATA' ? [] : [tooLarge]),
    { name: 'a header cut short', hex: header(0, type).slice(0, -2), reason: 'FRAME_TRUNCATED' },
    { name: 'a payload cut short', hex: `${header(2, type)}00`, reason: 'FRAME_TRUNCATED' },
    { name: 'an unknown type', hex: header(0, 0x11), reason: 'UNKNOWN_FRAME' },
    ...(HEADS.has(name)
      ? [
          head('no payload', ''),
          head('octets after the array', '90c0'),
          head('a map', '80'),
          head('an extension type', '91d40001'),
          head('text that is not UTF-8', '91a2c0af'),
          head('a length beyond the end', 'dd7fffffff'),
          head('five levels', '9191919190'),
          head('a key twice', '9182a16101a16102'),
        ]
      : []),
  ]
}

/** The first vector again, with a flag that has no meaning yet. */
function withUnknownFlag(file: VectorFile, type: FrameType): VectorFile {
  const first = file.valid[0]!
  const wire = fromHex(first.hex)
  const again = encodeFrame(type, wire[4]! | 0x80, numberOf(wire), wire.subarray(9))
  const ignored = {
    ...first,
    name: 'a flag without a meaning',
    hex: toHex(again),
    alternative: true,
  }
  return { ...file, valid: [...file.valid, ignored as ValidVector] }
}

function numberOf(wire: Uint8Array): number {
  return new DataView(wire.buffer).getUint32(5)
}

function octetOf(flags: readonly Flag[]): number {
  return flags.reduce((octet, flag) => octet | FrameFlag[flag], 0)
}

function namesOf(octet: number): Flag[] {
  return (Object.keys(FrameFlag) as Flag[]).filter((flag) => (octet & FrameFlag[flag]) !== 0)
}

function pairs<T>(record: Readonly<Record<string, T>> = {}): [string, T][] {
  return Object.entries(record)
}
