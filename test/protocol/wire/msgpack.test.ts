import fc from 'fast-check'
import { Packr, unpack } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import { pack as packByHand, packedBound } from './writer-by-hand.ts'
import { PeerViolation } from '../../../src/protocol/wire/errors.ts'
import { decode, encode } from '../../../src/protocol/wire/msgpack.ts'

const LIMITS = { maxBytes: 1024 * 1024, maxDepth: 4, reason: 'MALFORMED_MESSAGE' } as const
const octets = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const read = (hex: string) => decode(octets(hex), LIMITS)

const keys = fc
  .string({ maxLength: 40 })
  .filter((key) => !['__proto__', 'constructor', 'prototype'].includes(key))

/** What the wire may carry, within the limits above. */
const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'value' },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger().map((n) => n + 0),
    fc.double({ noNaN: true, min: -(2 ** 52), max: 2 ** 52 }).map((n) => n + 0),
    fc.string({ unit: 'binary', maxLength: 80 }).filter((s) => !/\p{Surrogate}/u.test(s)),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 20, depthIdentifier: 'value' }),
    fc.dictionary(keys, tie('value'), {
      maxKeys: 20,
      depthIdentifier: 'value',
      noNullPrototype: true,
    }),
  ),
}))
/** nil is undefined to us. */
const withoutNull = (value: unknown): unknown => {
  if (value === null) return undefined
  if (Array.isArray(value)) return value.map(withoutNull)
  if (typeof value !== 'object' || value instanceof Uint8Array) return value
  return Object.fromEntries(Object.entries(value as object).map(([k, v]) => [k, withoutNull(v)]))
}

describe('what is encoded', () => {
  test.each([
    ['a map in its shortest form', { a: 1 }, '81a16101'],
    ['undefined left out of a map', { a: 1, b: undefined }, '81a16101'],
    ['undefined as nil in an array', [undefined, null], '92c0c0'],
    ['octets as bin', new Uint8Array([1, 2, 3]), 'c403010203'],
    ['a Buffer as bin', Buffer.from([1]), 'c40101'],
    ['a moment in milliseconds as a float', 1_700_000_000_000, 'cb4278bcfe56800000'],
    ['text as UTF-8', 'é', 'a2c3a9'],
  ])('%s', (_, value, hex) => expect(hexOf(encode(value))).toBe(hex))

  test('the octets are those of a writer that shares no code with it', () => {
    fc.assert(
      fc.property(values['value'], (value) => {
        const room = new Uint8Array(packedBound(value))
        const end = packByHand(value, room, 0)
        expect(hexOf(encode(value))).toBe(hexOf(room.subarray(0, end)))
      }),
    )
  })

  test('a value that is written leaves alone what was written before', () => {
    const first = encode(['a', 1])
    const before = hexOf(first)
    for (let i = 0; i < 2_000; i++) encode(['another', i])
    expect(hexOf(first)).toBe(before)
  })

  test('half a surrogate pair becomes U+FFFD', () => {
    expect(hexOf(encode('a\ud800b'))).toBe('a561efbfbd62')
  })

  test.each([NaN, Infinity, 1n, Symbol('x'), () => 1])('%s is refused', (value) => {
    expect(() => encode([value])).toThrow(expect.objectContaining({ code: 'ERR_API_MISUSE' }))
  })

  test('owns its memory', () => {
    const bytes = encode('abc')
    expect(bytes.buffer.byteLength).toBe(bytes.length)
    expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype)
  })
})

describe('what is decoded', () => {
  test.each([
    ['nil', 'c0', undefined],
    ['nil as the value of a field', '81a161c0', { a: undefined }],
    ['booleans', '92c2c3', [false, true]],
    ['small integers', '93007fff', [0, 127, -1]],
    [
      'unsigned integers',
      '94 ccff cdffff ceffffffff cf001fffffffffffff',
      [255, 65535, 4294967295, 2 ** 53 - 1],
    ],
    [
      'signed integers',
      '94 d080 d18000 d280000000 d3ffe0000000000001',
      [-128, -32768, -(2 ** 31), -(2 ** 53 - 1)],
    ],
    ['an integer that is longer than it must be', 'cd0005', 5],
    ['floats', '92 ca3fc00000 cb3ff8000000000000', [1.5, 1.5]],
    ['text of every width', 'a4f09f9880', '😀'],
    ['text with lengths of 1, 2 and 4 octets', '93 d90161 da000161 db0000000161', ['a', 'a', 'a']],
    [
      'octets with lengths of 1, 2 and 4 octets',
      '93 c40107 c5000107 c60000000107',
      [7, 7, 7].map((n) => new Uint8Array([n])),
    ],
    ['arrays with lengths of 2 and 4 octets', '92 dc000101 dd0000000102', [[1], [2]]],
    [
      'maps with lengths of 2 and 4 octets',
      '92 de0001a16101 df00000001d9016102',
      [{ a: 1 }, { a: 2 }],
    ],
    ['the deepest that is allowed', '91919190', [[[[]]]]],
  ])('%s', (_, hex, value) => expect(read(hex)).toStrictEqual(value))

  test('octets are a copy, whatever they were part of', () => {
    const source = Buffer.from('c40107', 'hex')
    const value = decode(source, LIMITS) as Uint8Array
    source[2] = 9
    expect(value).toStrictEqual(new Uint8Array([7]))
  })
})

describe('what is refused', () => {
  test.each([
    ['nothing at all', ''],
    ['octets after the value', 'c0c0'],
    ['the octet that means nothing', 'c1'],
    ['extensions', 'd40000'],
    ['a timestamp', 'd6ff00000000'],
    ["msgpackr's records", 'd4724093a16101'],
    ['an extension with a length', 'c7010000'],
    ['a string cut short', 'a261'],
    ['a number cut short', 'cdff'],
    ['octets cut short', 'c40201'],
    ['a list longer than what follows', 'dd ffffffff 00'],
    ['a map longer than what follows', 'df 7fffffff a16101'],
    ['text longer than what follows', 'db ffffffff 61'],
    ['five lists in each other', '9191919190'],
    ['five maps in each other', '81a161 81a161 81a161 81a161 80'],
    ['a key that is a number', '810101'],
    ['a key that is nil', '81c001'],
    ['a key that is octets', '81c4016101'],
    ['a map without its key', '81'],
    ['a repeated key', '82a16101a16102'],
    ['a repeated key whose first value is nil', '82a161c0a16102'],
    ['__proto__', '81a95f5f70726f746f5f5f80'],
    ['constructor', '81ab636f6e7374727563746f7201'],
    ['prototype', '81a970726f746f7479706501'],
    ['a lone continuation octet', 'a180'],
    ['an overlong NUL', 'a2c080'],
    ['an overlong slash in three octets', 'a3e080af'],
    ['an overlong euro sign in four', 'a4f08282ac'],
    ['a surrogate', 'a3eda080'],
    ['a code point beyond U+10FFFF', 'a4f4908080'],
    ['a lead octet that never leads', 'a1ff'],
    ['a sequence cut short by the end of the text', '92a1c3a1a9'],
    ['a sequence cut short by ASCII', 'a3e28261'],
    ['an integer beyond 2^53', 'cf0020000000000000'],
    ['an integer below -2^53', 'd3ffe0000000000000'],
    ['NaN', 'cb7ff8000000000000'],
    ['infinity', 'ca7f800000'],
    ['a float beyond 2^53', 'cb4340000000000000'],
  ])('%s', (_, hex) => expect(() => read(hex)).toThrow(refusal('MALFORMED_MESSAGE')))

  test('more octets than the limit, before any is read', () => {
    const limits = { ...LIMITS, maxBytes: 2 }
    expect(decode(octets('cd0005').subarray(0, 1).fill(5), limits)).toBe(5)
    expect(() => decode(octets('cd0005'), limits)).toThrow(refusal('MALFORMED_MESSAGE'))
  })

  test('under the name the caller gives it', () => {
    const limits = { ...LIMITS, reason: 'MALFORMED_FRAME' } as const
    expect(() => decode(octets('c1'), limits)).toThrow(refusal('MALFORMED_FRAME'))
  })

  test('a megabyte of opened lists costs nothing', () => {
    const bomb = new Uint8Array(1024 * 1024).fill(0x91)
    expect(() => decode(bomb, LIMITS)).toThrow(refusal('MALFORMED_MESSAGE'))
  })
})

describe('for every value', () => {
  test('decode gives back what encode took', () =>
    fc.assert(
      fc.property(values.value, (value) => {
        expect(decode(encode(value), LIMITS)).toStrictEqual(withoutNull(value))
      }),
    ))

  test('decode agrees with msgpackr, however it chooses to encode', () => {
    const packings = [{}, { variableMapSize: true }, { useFloat32: 3 }] as const
    fc.assert(
      fc.property(values.value, fc.constantFrom(...packings), (value, packing) => {
        const packed = new Packr({ ...packing, useRecords: false }).pack(value)
        expect(plain(decode(packed, LIMITS))).toStrictEqual(plain(withoutNull(unpack(packed))))
      }),
    )
  })

  test('text is what TextDecoder says, or refused where it refuses', () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    const nearlyText = fc.array(
      fc.oneof(
        fc.string({ unit: 'binary' }).map((s) => [...new TextEncoder().encode(s)]),
        fc.array(
          fc.constantFrom(
            0x61,
            0x7f,
            0x80,
            0xbf,
            0xc0,
            0xc2,
            0xe0,
            0xed,
            0xa0,
            0xf0,
            0x90,
            0xf4,
            0x8f,
            0xff,
          ),
        ),
      ),
      { maxLength: 12 },
    )
    fc.assert(
      fc.property(nearlyText, (parts) => {
        const text = new Uint8Array(parts.flat())
        const packed = new Uint8Array([0xda, text.length >> 8, text.length & 0xff, ...text])
        expect(outcome(() => decode(packed, LIMITS))).toBe(outcome(() => strict.decode(text)))
      }),
      { numRuns: 2000 },
    )
  })
})

test('no input does anything but decode or be refused', () => {
  const mutated = fc
    .tuple(values.value, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }))
    .map(([value, changes]) => {
      const bytes = encode(value)
      for (const [at, octet] of changes) bytes[at % bytes.length] = octet
      return bytes
    })
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 64 })), (bytes) => {
      try {
        decode(bytes, LIMITS)
      } catch (error) {
        expect(error).toBeInstanceOf(PeerViolation)
      }
    }),
    { numRuns: 5000 },
  )
})

function refusal(reason: string) {
  return expect.objectContaining({ name: 'PeerViolation', reason })
}

/** msgpackr hands out Buffers. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, v) =>
      v instanceof Uint8Array
        ? { hex: hexOf(v) }
        : v?.type === 'Buffer'
          ? { hex: hexOf(v.data) }
          : v,
    ) ?? 'null',
  )
}

function outcome(run: () => unknown): unknown {
  try {
    return run()
  } catch {
    return 'refused'
  }
}
