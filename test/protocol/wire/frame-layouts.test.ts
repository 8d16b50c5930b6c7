import { describe, expect, test } from 'vitest'
import {
  DECLINE_REASONS,
  decode,
  encode,
  encodeFrame,
  FRAME_HEADERS,
  FrameReader,
  FrameType,
  MAX_OFFERS,
  PeerViolation,
} from '../../../src/protocol/internal.ts'
import * as control from '../../../src/protocol/wire/control-frames.ts'
import {
  FRAME_LAYOUTS,
  type Element,
  type ElementType,
  type MapKey,
} from '../../../src/protocol/wire/frame-layouts.ts'
import * as greetings from '../../../src/protocol/wire/greetings.ts'
import * as heads from '../../../src/protocol/wire/heads.ts'

type Name = keyof typeof FrameType

const ID = new Uint8Array(16).fill(7)
/** For every frame that is an array: its two functions, and elements that it may carry. */
const ARRAYS: Partial<
  Record<
    Name,
    readonly [
      encode: (value: never) => Uint8Array,
      decode: (payload: Uint8Array) => unknown,
      elements: readonly unknown[],
    ]
  >
> = {
  HELLO: [
    greetings.encodeHello,
    greetings.decodeHello,
    [[1], 'run', 0, 1, MAX_OFFERS, 0, 16_384, ['link'], 5, 3],
  ],
  WELCOME: [
    greetings.encodeWelcome,
    greetings.decodeWelcome,
    [1, 'cloud', 65_536, 16_384, 15_000, 0, ['link']],
  ],
  OFFER: [
    heads.encodeOffer,
    heads.decodeOffer,
    [
      ...[ID, 1, 'app', '3', 'GET', '/', ['a', 'b'], { subject: 's', issuer: 'i' }, false],
      ...[undefined, 5_000, 'cloud', 85_000, ID, 1],
    ],
  ],
  CLAIM: [heads.encodeClaim, heads.decodeClaim, [ID, 1, 0]],
  DECLINE: [heads.encodeDecline, heads.decodeDecline, [ID, 1, 'draining']],
  RESPONSE: [heads.encodeResponseHead, heads.decodeResponse, [200, ['a', 'b']]],
  INFORMATIONAL: [heads.encodeResponseHead, heads.decodeInformational, [103, ['a', 'b']]],
  TRAILERS: [heads.encodeTrailers, heads.decodeTrailers, [['a', 'b']]],
  CONFIGURATION: [control.encodeConfiguration, control.decodeConfiguration, ['8']],
}

const MALFORMED = 'MALFORMED_FRAME'
const FORBIDDEN = 'FORBIDDEN_OCTET'
type Bad = readonly [value: unknown, reason: string]

/** Values that an element of this type takes, at its bounds. */
function goods(type: ElementType): readonly unknown[] {
  switch (type.is) {
    case 'count':
      return [type.from, type.to]
    case 'text':
      return ['x'.repeat(Math.max(1, type.from)), 'x'.repeat(type.to ?? 4_000)]
    case 'octets':
      return [new Uint8Array(type.bytes).fill(0xab)]
    case 'list':
      return [[], goods(type.of)]
    case 'token':
      return ['PROPFIND', '!#$%&*+-.^_`|~09az']
    case 'target':
      return ['*', '/a?b=c']
    case 'field-value':
      return ['websocket', 'a\té']
    case 'headers':
      return [[], ['A', ''], Array.from({ length: 2 * (type.to ?? 1_200) }, () => 'a')]
    case 'final-status':
      return [101, 200, 999]
    case 'interim-status':
      return [100, 102, 199]
    case 'decline-reason':
      return Object.keys(DECLINE_REASONS)
    case 'claims': {
      const full = { ['n'.repeat(256)]: 'x'.repeat(type.bytes - 256) }
      const many = Array.from({ length: type.most }, (_, i) => [`claim-${i}`, ['a', '']])
      return [{}, full, Object.fromEntries(many), { a: 'é', b: -1.5, c: false, d: [] }]
    }
    case 'body':
      return [true, 0, Number.MAX_SAFE_INTEGER]
    case 'map':
      return [Object.fromEntries(type.keys.map(({ name, type }) => [name, goods(type).at(-1)]))]
  }
}

/** Values just beyond, and of other types. */
function bads(type: ElementType): readonly Bad[] {
  const malformed = (...values: readonly unknown[]): Bad[] => values.map((v) => [v, MALFORMED])
  switch (type.is) {
    case 'count':
      return malformed(type.from - 1, ...(type.to < 2 ** 53 - 1 ? [type.to + 1] : []), 1.5, 'x')
    case 'text':
      return malformed(
        ...(type.from === 0 ? [] : ['']),
        ...(type.to === undefined ? [] : ['x'.repeat(type.to + 1)]),
        ...[7, new Uint8Array(1)],
      )
    case 'octets':
      return malformed(new Uint8Array(type.bytes - 1), new Uint8Array(type.bytes + 1), 'x')
    case 'list':
      return malformed(7, 'x', ...bads(type.of).map(([value]) => [value]))
    case 'token':
      return [...malformed(7), ['', FORBIDDEN], ['a b', FORBIDDEN], ['a\r', FORBIDDEN]]
    case 'target':
      return [...malformed(7), ['', FORBIDDEN], ['/ ', FORBIDDEN], ['/é', FORBIDDEN]]
    case 'field-value':
      return [...malformed(7), ['', FORBIDDEN], ['a\n', FORBIDDEN], ['\u0100', FORBIDDEN]]
    case 'headers': {
      const tooMany = type.to === undefined ? [] : [Array(2 * type.to + 2).fill('a')]
      return [
        ...malformed('x', ['a'], ['a', 7], [['a', 'b']], ...tooMany),
        [['a b', ''], FORBIDDEN],
        [['a', '\0'], FORBIDDEN],
      ]
    }
    case 'final-status':
      return malformed(100, 102, 199, 1_000, 99, 'x')
    case 'interim-status':
      return malformed(99, 101, 200, 'x')
    case 'decline-reason':
      return malformed(7, '', 'x'.repeat(1_025))
    case 'claims': {
      const many = Array.from({ length: type.most + 1 }, (_, i) => [`claim-${i}`, true])
      return malformed(
        ...[7, 'x', [], { '': 'a' }, { ['n'.repeat(257)]: 'a' }, { a: 'x'.repeat(type.bytes) }],
        ...[{ a: { b: 'c' } }, { a: [1] }, { a: [['b']] }],
        ...[{ a: new Uint8Array(1) }, Object.fromEntries(many)],
        { a: Array.from({ length: type.bytes }, () => '') },
      )
    }
    case 'body':
      return malformed(-1, 1.5, 'x', [])
    case 'map':
      return malformed('x', [], ...type.keys.flatMap((key) => badMaps(type.keys, key)))
  }
}

/** Maps that are wrong in one key. */
function badMaps(keys: readonly MapKey[], wrong: MapKey): readonly unknown[] {
  const map = Object.fromEntries(keys.map(({ name, type }) => [name, goods(type)[0]]))
  const without = { ...map, [wrong.name]: undefined }
  return [
    ...bads(wrong.type).map(([value]) => ({ ...map, [wrong.name]: value })),
    ...(wrong.isOptional ? [] : [without]),
  ]
}

const arrays = Object.entries(FRAME_LAYOUTS).flatMap(([name, layout]) =>
  layout.form === 'array' ? [{ name: name as Name, elements: layout.elements }] : [],
)

test('every array has its functions here, and nothing else has', () =>
  expect(arrays.map(({ name }) => name)).toEqual(Object.keys(ARRAYS)))

describe.each(arrays)('$name', ({ name, elements: declared }) => {
  const [encodeFrame, decodeFrame, elements] = ARRAYS[name]!
  const read = (changed: readonly unknown[]) => decodeFrame(encode(changed))
  /** The elements that our encoder writes for what was read. */
  const written = (changed: readonly unknown[]) =>
    decode(encodeFrame(read(changed) as never), {
      maxBytes: 1e6,
      maxDepth: 4,
      reason: MALFORMED,
    }) as unknown[]
  const refuses = (changed: readonly unknown[], reason: string) =>
    expect(() => read(changed)).toThrow(
      expect.objectContaining({ name: PeerViolation.name, reason }),
    )

  test('our encoder writes the elements that are declared, and no other', () => {
    expect(elements).toHaveLength(declared.length)
    expect(written(elements)).toEqual(elements)
  })

  test('elements behind those that are declared are ignored', () =>
    expect(read([...elements, 'later', { and: ['more'] }])).toEqual(read(elements)))

  describe.each(declared.map((element, at) => ({ ...element, at })))('$name', (element) => {
    const { at, type, otherwise } = element as Element & { at: number }

    test('carries what is declared, up to its bounds', () => {
      for (const value of goods(type)) {
        const changed = elements.with(at, value)
        expect(written(changed)).toEqual(changed)
      }
    })

    test('carries nothing else', () => {
      for (const [value, reason] of bads(type)) refuses(elements.with(at, value), reason)
    })

    test(otherwise === undefined ? 'must be there' : `is ${otherwise} when nil or absent`, () => {
      const nil = elements.with(at, undefined)
      const absent = elements.slice(0, at)
      if (otherwise === undefined) {
        refuses(nil, MALFORMED)
        refuses(absent, MALFORMED)
        return
      }
      const others = goods(type).map((value) => read(elements.with(at, value)))
      expect(others).toContainEqual(expect.not.objectContaining(read(nil) as object))
      const areAllOptional = declared.slice(at).every((later) => later.otherwise !== undefined)
      if (areAllOptional)
        expect(read(absent)).toEqual(read([...absent, ...declared.slice(at).map(() => undefined)]))
    })

    test('keys of a map that are not declared are ignored, optional ones may be left out', () => {
      const maps = type.is === 'map' ? [type.keys] : []
      for (const keys of maps) {
        const least = Object.fromEntries(
          keys.filter((key) => !key.isOptional).map(({ name, type }) => [name, goods(type)[0]]),
        )
        expect(written(elements.with(at, least))).toEqual(elements.with(at, least))
        expect(read(elements.with(at, { ...least, later: 1 }))).toEqual(
          read(elements.with(at, least)),
        )
      }
      expect(maps).toHaveLength(type.is === 'map' ? 1 : 0)
    })
  })
})

const OCTETS: Partial<Record<Name, (payload: Uint8Array) => unknown>> = {
  CREDIT: control.decodeCredit,
  STOP: control.decodeStop,
  RESET: control.decodeReset,
  PING: control.decodePing,
  CONFIRM: control.decodeEmpty,
  DRAIN: control.decodeEmpty,
}

describe.each(Object.entries(OCTETS))('%s', (name, decodeFrame) => {
  const layout = FRAME_LAYOUTS[name as Name]
  const fields = layout.form === 'octets' ? layout.fields : []
  const least = fields.filter((field) => !field.isOptional).reduce((n, { bytes }) => n + bytes, 0)
  const most = fields.reduce((n, { bytes }) => n + bytes, 0)

  test.each([0, 1, 3, 4, 5, 7, 8, 9, 12])('of %i octets', (length) => {
    // NOT_SENT, and a cause: a value for every field that has a meaning.
    const payload = new Uint8Array([0, 0, 0, 11, 0, 0, 0, 5, 1, 1, 1, 1]).subarray(0, length)
    if (length === least || length === most) expect(() => decodeFrame(payload)).not.toThrow()
    else expect(() => decodeFrame(payload)).toThrow(expect.objectContaining({ reason: MALFORMED }))
  })
})

test('every frame has a layout of one form that is read here, or is DATA', () => {
  const read = [...Object.keys(ARRAYS), ...Object.keys(OCTETS), 'DATA']
  expect(Object.keys(FRAME_LAYOUTS).sort()).toEqual(read.sort())
})

describe.each(Object.entries(FRAME_HEADERS))('the header of %s', (name, { mostBytes, flags }) => {
  const type = FrameType[name as Name]
  const seen: unknown[] = []
  const reader = () =>
    new FrameReader(
      {
        frame: (...frame) => void seen.push(frame.slice(0, 2)),
        data: (_number, _bytes, end) => void seen.push([FrameType.DATA, end ? 1 : 0]),
      },
      mostBytes,
    )

  test('allows the longest payload, and the flags that mean something', () => {
    seen.length = 0
    const whole = encodeFrame(type, 0xff, 1, new Uint8Array(mostBytes))
    reader().push(whole)
    expect(seen).toEqual([[type, flags]])
  })

  test('refuses an octet more before it comes', () => {
    const header = encodeFrame(type, 0, 1).with(0, (mostBytes + 1) >>> 16)
    header.set([((mostBytes + 1) >>> 8) & 0xff, (mostBytes + 1) & 0xff], 1)
    expect(() => reader().push(header)).toThrow(
      expect.objectContaining({ reason: 'FRAME_TOO_LARGE' }),
    )
  })
})
