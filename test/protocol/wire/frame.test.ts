import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ApiMisuse, PeerViolation } from '../../../src/protocol/wire/errors.ts'
import {
  FrameReader,
  encodeFrame,
  frameHeader,
  type FrameSink,
} from '../../../src/protocol/wire/frame.ts'
import { FrameFlag, FrameType } from '../../../src/protocol/wire/frame-types.ts'
import {
  DATA_BYTES,
  MAX_CONTROL_BYTES,
  MAX_DATA_BYTES,
  MAX_HEAD_BYTES,
} from '../../../src/protocol/wire/limits.ts'

const { END, ACK } = FrameFlag
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const octets = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'))

type Seen =
  | { type: FrameType; flags: number; number: number; payload: string }
  | { data: number; bytes: string; end: boolean }

/** Writes down what it is told; pieces of one DATA frame become one entry. */
class Witness implements FrameSink {
  readonly seen: Seen[] = []
  readonly pieces: Uint8Array[] = []
  #open = false

  frame(type: FrameType, flags: number, number: number, payload: Uint8Array): void {
    this.seen.push({ type, flags, number, payload: hexOf(payload) })
    this.#open = false
  }

  data(number: number, bytes: Uint8Array, end: boolean): void {
    this.pieces.push(bytes)
    const last = this.seen.at(-1)
    if (this.#open && last && 'data' in last && last.data === number && !last.end) {
      last.bytes += hexOf(bytes)
      last.end = end
    } else this.seen.push({ data: number, bytes: hexOf(bytes), end })
    this.#open = true
  }
}

function readAll(chunks: Iterable<Uint8Array>, maxDataBytes?: number): Witness {
  const witness = new Witness()
  const reader = new FrameReader(witness, maxDataBytes)
  for (const chunk of chunks) reader.push(chunk)
  reader.end()
  return witness
}

describe('on the wire', () => {
  test('a frame is length, type, flags, number and payload, big endian', () => {
    const frame = encodeFrame(FrameType.CREDIT, 0, 0x01020304, octets('00010000'))
    expect(hexOf(frame)).toBe('000004' + '07' + '00' + '01020304' + '00010000')
  })

  test('a header alone announces what follows it', () => {
    expect(hexOf(frameHeader(FrameType.DATA, END, 0xffffffff, 0x4000))).toBe(
      '004000 08 01 ffffffff'.replaceAll(' ', ''),
    )
  })

  test.each([
    ['DATA', FrameType.DATA, MAX_DATA_BYTES],
    ['OFFER', FrameType.OFFER, MAX_HEAD_BYTES],
    ['CREDIT', FrameType.CREDIT, MAX_CONTROL_BYTES],
  ])('a %s beyond its limit is our own bug', (_, type, most) => {
    expect(frameHeader(type, 0, 1, most)).toHaveLength(9)
    expect(() => frameHeader(type, 0, 1, most + 1)).toThrow(ApiMisuse)
    expect(() => encodeFrame(type, 0, 1, new Uint8Array(most + 1))).toThrow(ApiMisuse)
  })
})

describe('reading', () => {
  test('whole frames', () => {
    const wire = [
      encodeFrame(FrameType.PING, ACK, 0, octets('0102030405060708')),
      encodeFrame(FrameType.CONFIRM, 0, 5),
    ]
    expect(readAll(wire).seen).toEqual([
      { type: FrameType.PING, flags: ACK, number: 0, payload: '0102030405060708' },
      { type: FrameType.CONFIRM, flags: 0, number: 5, payload: '' },
    ])
  })

  test('the pieces of a DATA frame as they come, without a copy, END with the last', () => {
    const witness = new Witness()
    const calls: [number, string, boolean][] = []
    const reader = new FrameReader({
      frame: witness.frame.bind(witness),
      data: (number, bytes, end) => {
        calls.push([number, hexOf(bytes), end])
        witness.data(number, bytes, end)
      },
    })
    const wire = encodeFrame(FrameType.DATA, END, 3, octets('aabbcc'))
    const chunks = [wire.subarray(0, 10), wire.subarray(10)]
    for (const chunk of chunks) reader.push(chunk)
    expect(calls).toEqual([
      [3, 'aa', false],
      [3, 'bbcc', true],
    ])
    expect(witness.pieces.map((piece) => piece.buffer)).toEqual([wire.buffer, wire.buffer])
  })

  test.each([
    ['with END', END, true],
    ['without END', 0, false],
  ])('an empty DATA frame %s is one call', (_, flags, end) => {
    const witness = readAll([encodeFrame(FrameType.DATA, flags, 9)])
    expect(witness.seen).toEqual([{ data: 9, bytes: '', end }])
  })

  test('idle is between frames, and nowhere else', () => {
    const reader = new FrameReader(new Witness())
    const wire = encodeFrame(FrameType.RESPONSE, 0, 1, octets('9200'))
    expect(reader.idle).toBe(true)
    for (const octet of wire.subarray(0, -1)) {
      reader.push(new Uint8Array([octet]))
      expect(reader.idle).toBe(false)
    }
    reader.push(wire.subarray(-1))
    expect(reader.idle).toBe(true)
  })

  test.each([
    ['an unknown flag', 0xfe | ACK, FrameType.PING, ACK],
    ['END where it means nothing', END, FrameType.CREDIT, 0],
    ['ACK where it means nothing', ACK | END, FrameType.TRAILERS, END],
  ])('%s is ignored', (_, flags, type, meant) => {
    expect(readAll([encodeFrame(type, flags, 1)]).seen).toMatchObject([{ type, flags: meant }])
  })

  test('DATA up to the agreed size', () => {
    const wire = encodeFrame(FrameType.DATA, 0, 1, new Uint8Array(MAX_DATA_BYTES))
    expect(readAll([wire], MAX_DATA_BYTES).pieces[0]).toHaveLength(MAX_DATA_BYTES)
    expect(() => readAll([wire])).toThrow(violation('FRAME_TOO_LARGE'))
  })
})

describe('refused', () => {
  test.each([
    ['DATA', FrameType.DATA, DATA_BYTES],
    ['HELLO', FrameType.HELLO, MAX_HEAD_BYTES],
    ['OFFER', FrameType.OFFER, MAX_HEAD_BYTES],
    ['TRAILERS', FrameType.TRAILERS, MAX_HEAD_BYTES],
    ['CLAIM', FrameType.CLAIM, MAX_CONTROL_BYTES],
    ['CONFIGURATION', FrameType.CONFIGURATION, MAX_CONTROL_BYTES],
  ])('a %s that is too large, from its header alone', (_, type, most) => {
    const header = (length: number) =>
      new Uint8Array([length >> 16, length >> 8, length, type, 0, 0, 0, 0, 1])
    const reader = new FrameReader(new Witness())
    reader.push(header(most))
    expect(() => new FrameReader(new Witness()).push(header(most + 1))).toThrow(
      violation('FRAME_TOO_LARGE'),
    )
  })

  test.each(['00', '11', 'ff'])('type 0x%s', (type) => {
    expect(() => readAll([octets(`000000 ${type} 00 00000001`)])).toThrow(
      violation('UNKNOWN_FRAME'),
    )
  })

  test('an end in the middle of a frame, wherever', () => {
    const wire = encodeFrame(FrameType.DATA, END, 1, octets('aabb'))
    for (let cut = 1; cut < wire.length; cut++)
      expect(() => readAll([wire.subarray(0, cut)])).toThrow(violation('FRAME_TRUNCATED'))
  })

  test('anything after a refusal: the stream has lost its frames', () => {
    const reader = new FrameReader(new Witness())
    expect(() => reader.push(octets('000000 ff 00 00000001'))).toThrow(PeerViolation)
    expect(() => reader.push(encodeFrame(FrameType.DRAIN, 0, 0))).toThrow(ApiMisuse)
  })
})

describe('for every stream', () => {
  const frames = fc.array(
    fc.record({
      type: fc.constantFrom(...Object.values(FrameType)),
      flags: fc.nat(255),
      number: fc.nat(0xffffffff),
      payload: fc.uint8Array({ maxLength: 40 }),
    }),
    { maxLength: 12 },
  )
  const wireOf = (
    list: { type: FrameType; flags: number; number: number; payload: Uint8Array }[],
  ) => octets(list.map((f) => hexOf(encodeFrame(f.type, f.flags, f.number, f.payload))).join(''))
  const cuts = fc.array(fc.nat(), { maxLength: 30 })

  test('any split gives the same frames', () =>
    fc.assert(
      fc.property(frames, cuts, (list, at) => {
        const wire = wireOf(list)
        expect(readAll(split(wire, at)).seen).toEqual(readAll([wire]).seen)
        expect(readAll(split(wire, [...wire.keys()])).seen).toEqual(readAll([wire]).seen)
      }),
    ))

  test('what was written is read', () =>
    fc.assert(
      fc.property(frames, cuts, (list, at) => {
        const data = list.filter((f) => f.type === FrameType.DATA)
        const others = list.filter((f) => f.type !== FrameType.DATA)
        const { seen, pieces } = readAll(split(wireOf(list), at))
        expect(seen.filter((s) => 'type' in s)).toMatchObject(
          others.map(({ type, number, payload }) => ({ type, number, payload: hexOf(payload) })),
        )
        expect(pieces.map(hexOf).join('')).toBe(data.map((f) => hexOf(f.payload)).join(''))
      }),
    ))

  test('no octets do anything but be read or be refused, at the same place however they are cut', () =>
    fc.assert(
      fc.property(frames, fc.nat(), fc.nat(255), cuts, (list, where, octet, at) => {
        const wire = wireOf([
          ...list,
          { type: FrameType.DRAIN, flags: 0, number: 0, payload: new Uint8Array() },
        ])
        wire[where % wire.length] = octet
        const outcome = (chunks: Uint8Array[]) => {
          const witness = new Witness()
          const reader = new FrameReader(witness)
          try {
            for (const chunk of chunks) reader.push(chunk)
            reader.end()
            return { seen: witness.seen }
          } catch (error) {
            expect(error).toBeInstanceOf(PeerViolation)
            return { seen: witness.seen, reason: (error as PeerViolation).reason }
          }
        }
        expect(outcome(split(wire, at))).toEqual(outcome([wire]))
      }),
      { numRuns: 500 },
    ))
})

function split(wire: Uint8Array, at: readonly number[]): Uint8Array[] {
  const places = [...new Set(at.map((n) => n % (wire.length + 1)))].sort((a, b) => a - b)
  return [0, ...places].map((from, i) => wire.subarray(from, places[i] ?? wire.length))
}

function violation(reason: string) {
  return expect.objectContaining({ name: 'PeerViolation', reason })
}
