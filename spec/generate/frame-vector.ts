/**
 * How the vectors of one frame type are made: its header, its payload, and what every frame type refuses.
 *
 * @module
 */
import {
  FRAME_HEADERS,
  FrameFlag,
  FrameReader,
  FrameType,
  PeerViolation,
  encodeFrame,
} from '../../src/protocol/internal.ts'
import { FRAME_LAYOUTS } from '../../src/protocol/wire/frame-layouts.ts'
import {
  fromHex,
  toHex,
  toJson,
  type InvalidVector,
  type Situation,
  type SituationState,
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
  /** By title: where a vector is legal, when that is not where all others are. */
  readonly legal?: Readonly<Record<string, readonly Situation[]>>
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
  const number = FRAME_HEADERS[name].on === 'link' ? 0 : 5
  const codec: VectorCodec = {
    encode(value) {
      const { flags, payload, number } = value as FrameValue
      return encodeFrame(type, octetOf(flags), number, encodePayload(payload as T))
    },
    decode: (octets) => readOne(type, octets, decodePayload),
  }
  const valid = (title: string, value: FrameValue): ValidVector => ({
    name: title,
    ...(cases.legal?.[title] !== undefined && { legal: cases.legal[title] }),
    value: toJson(value),
    hex: toHex(codec.encode(value)),
  })
  const invalid = (reason: string, payloads: Readonly<Record<string, Uint8Array>> = {}) =>
    Object.entries(payloads).map(([title, payload]) => ({
      name: title,
      hex: toHex(encodeFrame(type, neededFlags(name), number, payload)),
      reason,
    }))
  const file: VectorFile = {
    name,
    description,
    legal: LEGAL[name],
    valid: [
      ...pairs(cases.valid).map(([title, payload]) => valid(title, { number, flags: [], payload })),
      ...pairs(cases.flagged).map(([title, value]) => valid(title, { number, ...value })),
      ...pairs(cases.alternative).map(([title, [payload, value]]) => ({
        name: title,
        ...(cases.legal?.[title] !== undefined && { legal: cases.legal[title] }),
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

/** Flags without which a frame of this type says nothing. */
function neededFlags(name: Name): number {
  return name === 'TRAILERS' ? FrameFlag.END : 0
}

const [CLOUD, CONNECTOR] = ['cloud', 'connector'] as const
const BOTH = [CLOUD, CONNECTOR] as const
const at = (ends: readonly ('cloud' | 'connector')[], ...states: readonly SituationState[]) =>
  ends.flatMap((end) => states.map((state): Situation => ({ at: end, in: state })))

const EXCHANGE = ['claimed', 'confirmed', 'responding'] as const
const LINK = ['open', ...EXCHANGE] as const

/**
 * Where each frame is legal, of the situations that vectors know. The cloud confirms a claim as it
 * comes: to it, `claimed` and `confirmed` are one.
 */
const LEGAL: Readonly<Record<Name, readonly Situation[]>> = {
  HELLO: at([CLOUD], 'opening'),
  WELCOME: at([CONNECTOR], 'opening'),
  OFFER: at([CONNECTOR], ...LINK),
  CLAIM: at([CLOUD], 'open'),
  CONFIRM: at([CONNECTOR], 'claimed'),
  DECLINE: at([CLOUD], ...LINK),
  CREDIT: at(BOTH, ...EXCHANGE),
  DATA: [...at([CLOUD], 'responding'), ...at([CONNECTOR], 'confirmed', 'responding')],
  RESPONSE: at([CLOUD], 'claimed', 'confirmed'),
  INFORMATIONAL: at([CLOUD], 'claimed', 'confirmed'),
  TRAILERS: [...at([CLOUD], 'responding'), ...at([CONNECTOR], 'confirmed', 'responding')],
  STOP: [...at([CLOUD], ...EXCHANGE), ...at([CONNECTOR], 'responding')],
  RESET: at(BOTH, ...EXCHANGE),
  PING: at(BOTH, ...LINK),
  DRAIN: at(BOTH, 'opening', ...LINK),
  CONFIGURATION: at([CONNECTOR], ...LINK),
}

const isHead = (name: Name) => FRAME_LAYOUTS[name].form === 'array'

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
      if (seen === FrameType.TRAILERS && (flags & FrameFlag.END) === 0)
        throw new PeerViolation('MALFORMED_FRAME', 'TRAILERS without END')
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
  const most = FRAME_HEADERS[name].mostBytes
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0')
  const header = (length: number, octet: number) =>
    `${hex(length, 6)}${hex(octet, 2)}00${hex(number, 8)}`
  const tooLarge = { name: 'too large', hex: header(most + 1, type), reason: 'FRAME_TOO_LARGE' }
  const head = (title: string, payload: string) => ({
    name: title,
    hex: toHex(encodeFrame(type, neededFlags(name), number, fromHex(payload))),
    reason: 'MALFORMED_FRAME',
  })
  return [
    ...(name === 'DATA' ? [] : [tooLarge]),
    { name: 'a header cut short', hex: header(0, type).slice(0, -2), reason: 'FRAME_TRUNCATED' },
    { name: 'a payload cut short', hex: `${header(2, type)}00`, reason: 'FRAME_TRUNCATED' },
    { name: 'an unknown type', hex: header(0, 0x11), reason: 'UNKNOWN_FRAME' },
    ...(isHead(name)
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
