/**
 * The frames, element by element, for PROTOCOL.md and for programs: `spec/layouts.json`.
 *
 * @module
 */
import {
  DECLINE_REASONS,
  encode,
  encodeClaim,
  encodeFrame,
  FEATURES,
  FRAME_HEADERS,
  FRAME_HEADER_BYTES,
  FrameFlag,
  FrameType,
  HELLO_QUERY,
  IGNORABLE_TYPES,
  fromHexadecimal,
  PROTOCOL_VERSION,
  ResetCode,
} from '../../src/protocol/internal.ts'
import {
  FRAME_LAYOUTS,
  type Element,
  type ElementType,
  type PayloadLayout,
} from '../../src/protocol/wire/frame-layouts.ts'
import { markdownTable } from './tables.ts'

type Name = keyof typeof FrameType

const NAMES = Object.keys(FrameType) as Name[]

/** What a second implementation reads instead of our code. */
export function layouts(): object {
  return {
    version: PROTOCOL_VERSION,
    headerBytes: FRAME_HEADER_BYTES,
    flags: FrameFlag,
    ignorableTypes: IGNORABLE_TYPES,
    frames: Object.fromEntries(
      NAMES.map((name) => {
        const { by, on, mostBytes } = FRAME_HEADERS[name]
        const header = { octet: FrameType[name], by, on, flags: flagsOf(name), mostBytes }
        return [name, { ...header, payload: FRAME_LAYOUTS[name] }]
      }),
    ),
    codes: ResetCode,
    declineReasons: Object.keys(DECLINE_REASONS),
    features: FEATURES,
    helloQuery: HELLO_QUERY,
  }
}

/** Every frame in a line: octet, header, and payload in short. */
export function frameTypes(): string {
  const rows = NAMES.map((name) => {
    const { by, on, mostBytes } = FRAME_HEADERS[name]
    return [
      ...[name, hex(FrameType[name]), by === 'both' ? 'either end' : by, numberOf(on)],
      ...[flagsOf(name).join(', '), String(mostBytes), shortly(FRAME_LAYOUTS[name])],
    ]
  })
  return markdownTable(['type', 'octet', 'sent by', 'number', 'flags', 'at most', 'payload'], rows)
}

/** A table for each frame that has more to say. */
export function frameLayouts(): string {
  return NAMES.flatMap((name) => {
    const layout = FRAME_LAYOUTS[name]
    const title = `#### ${name}`
    if (layout.form === 'array') return [`${title}\n\n${elementTable(layout.elements)}`]
    if (layout.form !== 'octets') return []
    const rows = layout.fields.map(({ name, bytes, meaning, isOptional }) => [
      ...[`\`${name}\``, `${bytes} octets${isOptional ? ', optional' : ''}`, meaning],
    ])
    return [`${title}\n\n${markdownTable(['octets', 'how many', ''], rows)}`]
  }).join('\n\n')
}

/** A CLAIM, each element with what it says. */
export function exampleFrame(): string {
  const claim = { id: '00112233445566778899aabbccddeeff', attempt: 1, credit: 65_536 }
  const id = fromHexadecimal(claim.id, 16, 'an exchange id')
  const frame = encodeFrame(FrameType.CLAIM, 0, 5, encodeClaim(claim))
  const payload = frame.subarray(FRAME_HEADER_BYTES)
  const lines: readonly (readonly [octets: Uint8Array, words: string])[] = [
    [frame.subarray(0, 3), `${payload.length} octets of payload`],
    [frame.subarray(3, 4), 'CLAIM'],
    [frame.subarray(4, 5), 'no flags'],
    [frame.subarray(5, FRAME_HEADER_BYTES), 'number 5'],
    [payload.subarray(0, 1), 'an array of three'],
    [encode(id), 'id: 16 octets'],
    [encode(claim.attempt), 'attempt: 1'],
    [encode(claim.credit), 'credit: 65 536 bytes of the request body'],
  ]
  const spaced = (octets: Uint8Array) =>
    Buffer.from(octets)
      .toString('hex')
      .replace(/..(?=.)/g, '$& ')
  const written = lines.map(([octets]) => spaced(octets))
  if (written.join(' ') !== spaced(frame)) throw new Error('the example is not the whole frame')
  const width = Math.max(...written.map(({ length }) => length))
  const rows = lines.map(([, words], at) => `${written[at]!.padEnd(width)}  ${words}`)
  return ['```text', ...rows, '```'].join('\n')
}

/** Why an offer is declined. */
export function declineReasons(): string {
  const rows = Object.entries(DECLINE_REASONS).map(([reason, why]) => [`\`${reason}\``, why])
  return markdownTable(['reason', ''], rows)
}

/** The names of HELLO and WELCOME. */
export function features(): string {
  const rows = Object.entries(FEATURES).map(([name, { by, meaning }]) => [
    ...[`\`${name}\``, by === 'both' ? 'both' : by, meaning],
  ])
  return markdownTable(['feature', 'named by', 'meaning'], rows)
}

/** HELLO, where it is a query. */
export function helloQueryKeys(): string {
  const form = {
    number: 'a number',
    numbers: 'numbers, joined by commas',
    text: 'text',
    list: 'texts, joined by commas',
  }
  const rows = Object.entries(HELLO_QUERY).map(([element, rule]) => [
    ...[`\`${rule.key}\``, `\`${element}\``, form[rule.form]],
    'isOptional' in rule ? 'optional' : '',
  ])
  return markdownTable(['key', 'element of HELLO', 'value', ''], rows)
}

function elementTable(elements: readonly Element[]): string {
  const rows = elements.map(({ name, type, meaning, otherwise }, at) => [
    ...[String(at), `\`${name}\``, words(type), otherwise ?? '', meaning],
  ])
  return markdownTable(['', 'element', 'type', 'nil or absent', ''], rows)
}

/** A type in words. */
function words(type: ElementType): string {
  switch (type.is) {
    case 'count':
      return type.to === Number.MAX_SAFE_INTEGER
        ? `integer, at least ${type.from}`
        : `integer, ${type.from}–${type.to}`
    case 'text':
      if (type.to !== undefined) return `text of ${type.from} to ${type.to} characters`
      return type.from === 0 ? 'text' : 'text, not empty'
    case 'octets':
      return `${type.bytes} octets (bin)`
    case 'list':
      return `array of ${words(type.of)}`
    case 'token':
      return 'token'
    case 'target':
      return 'octet string, visible ASCII'
    case 'field-value':
      return 'octet string, a field value, not empty'
    case 'headers':
      return type.to === undefined ? 'headers' : `headers, at most ${type.to} fields`
    case 'final-status':
      return 'integer, 101 or 200–999'
    case 'interim-status':
      return 'integer, 100–199 but not 101'
    case 'decline-reason':
      return 'text of 1 to 1024 characters'
    case 'claims':
      return `map of at most ${type.most} claims, ${type.bytes} octets together: name to text, number, boolean or array of text`
    case 'body':
      return 'false, true, or an integer, at least 0'
    case 'map': {
      const keys = type.keys.map(({ name, type, isOptional }) => {
        return `\`${name}\`: ${words(type)}${isOptional ? ', optional' : ''}`
      })
      return `map: ${keys.join('; ')}`
    }
  }
}

function shortly(layout: PayloadLayout): string {
  switch (layout.form) {
    case 'array': {
      const names = layout.elements.map(({ name, otherwise }) => {
        return otherwise === undefined ? name : `${name}?`
      })
      return `\`[${names.join(', ')}]\``
    }
    case 'octets':
      return layout.fields
        .map(({ name, bytes, isOptional }) => `${name}${isOptional ? '?' : ''} (${bytes})`)
        .join(', ')
    case 'body':
      return 'octets of the body'
    case 'nothing':
      return 'nothing'
  }
}

function flagsOf(name: Name): string[] {
  return Object.entries(FrameFlag)
    .filter(([, flag]) => (FRAME_HEADERS[name].flags & flag) !== 0)
    .map(([flag]) => flag)
}

function numberOf(on: 'link' | 'exchange' | 'either'): string {
  return { link: '0', exchange: 'the exchange’s', either: '0, or the exchange’s' }[on]
}

const hex = (octet: number) => `0x${octet.toString(16).padStart(2, '0')}`
