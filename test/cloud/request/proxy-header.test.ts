import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_TOLD, readProxyHeader } from '../../../src/cloud/request/proxy-header.ts'

const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n'
const octets = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0))

/** A header of version 2. */
function binary(command: number, kind: number, told: readonly number[], length = told.length) {
  return Uint8Array.from([
    ...octets(SIGNATURE),
    ...[command, kind, length >> 8, length & 255],
    ...told,
  ])
}

const FOUR = [192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 1, 187]
const SIX = [
  ...[0x20, 1, 0xd, 0xb8, ...Array<number>(11).fill(0), 1],
  ...[0x20, 1, 0xd, 0xb8, ...Array<number>(11).fill(0), 2],
  ...[0xdc, 0x04, 1, 187],
]
const client = (address: string, port = 56_324) => ({ of: 'client', address, port })

const WHOLE: readonly (readonly [name: string, header: Uint8Array, source: object])[] = [
  ['IPv4 by text', octets('PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n'), client('192.0.2.1')],
  [
    'IPv6 by text',
    octets('PROXY TCP6 2001:db8::1 2001:DB8:0::2 56324 443\r\n'),
    client('2001:db8::1'),
  ],
  ['port 0 by text', octets('PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n'), client('1.2.3.4', 0)],
  ['the longest line', octets(`PROXY UNKNOWN ${'f'.repeat(91)}\r\n`), { of: 'nobody' }],
  ['nobody by text', octets('PROXY UNKNOWN\r\n'), { of: 'nobody' }],
  ['IPv4', binary(0x21, 0x11, FOUR), client('192.0.2.1')],
  ['IPv6', binary(0x21, 0x21, SIX), client('2001:db8::1')],
  [
    'IPv4 within IPv6',
    binary(0x21, 0x21, [...Array<number>(10).fill(0), 255, 255, 192, 0, 2, 9, ...SIX.slice(16)]),
    client('192.0.2.9'),
  ],
  ['more that is told', binary(0x21, 0x11, [...FOUR, 4, 0, 2, 1, 2]), client('192.0.2.1')],
  [
    'as much as may be told',
    binary(0x21, 0x11, [...FOUR, ...Array<number>(MAX_TOLD - FOUR.length).fill(7)]),
    client('192.0.2.1'),
  ],
  ['nobody', binary(0x21, 0x00, []), { of: 'nobody' }],
  ['a socket of a machine', binary(0x21, 0x31, Array<number>(216).fill(1)), { of: 'nobody' }],
  ['a check', binary(0x20, 0x00, []), { of: 'proxy' }],
  ['a check that tells addresses', binary(0x20, 0x11, FOUR), { of: 'proxy' }],
]

describe.each(WHOLE)('%s', (_, header, source) => {
  test('is read, however it comes, and nothing behind it', () => {
    for (let length = 0; length < header.length; length++)
      expect(readProxyHeader(header.subarray(0, length))).toEqual({ is: 'part' })
    const whole = { is: 'whole', octets: header.length, source }
    expect(readProxyHeader(header)).toEqual(whole)
    expect(readProxyHeader(Uint8Array.from([...header, 0x50, 0x0d, 0x0a]))).toEqual(whole)
  })
})

test.each([
  ['a request', 'GET / HTTP/1.1\r\n'],
  ['a handshake of TLS', '\x16\x03\x01\x02'],
  ['other letters', 'proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n'],
  ['a blank more', 'PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n'],
  ['a blank at the end', 'PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n'],
  ['another family', 'PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n'],
  ['the other family’s addresses', 'PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n'],
  ['IPv6 as IPv4', 'PROXY TCP4 ::1 ::2 1 2\r\n'],
  ['zeros before a number', 'PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n'],
  ['zeros before a port', 'PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n'],
  ['a port beyond the last', 'PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n'],
  ['half an address', 'PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n'],
  ['a host', 'PROXY TCP4 a.example 5.6.7.8 1 2\r\n'],
  ['too few parts', 'PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n'],
  ['another end of the line', 'PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r\n'],
  ['an end without return', `PROXY UNKNOWN\n${' '.repeat(100)}`],
  ['nobody, in letters of no text', 'PROXY UNKNOWN \x7f\r\n'],
  ['a line of 108 octets', `PROXY UNKNOWN ${'f'.repeat(92)}\r\n`],
  ['a line without end', `PROXY UNKNOWN ${'f'.repeat(93)}`],
  ['another signature', `${SIGNATURE.slice(0, 11)}\r`],
])('%s is refused', (_, text) => {
  expect(readProxyHeader(octets(text))).toMatchObject({ is: 'refused' })
})

test.each([
  ['version 1 in binary', binary(0x11, 0x11, FOUR)],
  ['an unknown command', binary(0x22, 0x11, FOUR)],
  ['datagrams', binary(0x21, 0x12, FOUR)],
  ['an unknown family', binary(0x21, 0x41, SIX)],
  ['no addresses', binary(0x21, 0x11, [])],
  ['addresses cut short', binary(0x21, 0x21, SIX.slice(1))],
  ['a socket’s name cut short', binary(0x21, 0x31, Array<number>(215).fill(1))],
  ['more than may be told', binary(0x21, 0x11, FOUR, MAX_TOLD + 1)],
])('%s is refused', (_, header) => {
  expect(readProxyHeader(header)).toMatchObject({ is: 'refused' })
})

const anything = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  // What nearly is one.
  fc
    .tuple(fc.constantFrom(...WHOLE.map(([, header]) => header)), fc.nat(), fc.nat(255))
    .map(([header, at, octet]) =>
      Uint8Array.from(header).fill(octet, at % header.length, (at % header.length) + 1),
    ),
  fc
    .tuple(
      fc.constantFrom('PROXY ', 'PROXY TCP4 ', 'PROXY UNKNOWN', SIGNATURE),
      fc.uint8Array({ maxLength: 300 }),
    )
    .map(([begin, rest]) => Uint8Array.from([...octets(begin), ...rest])),
)

test('whatever comes, and in whatever pieces, is decided once and for all', () => {
  fc.assert(
    fc.property(anything, (all) => {
      let decided: ReturnType<typeof readProxyHeader> | undefined
      for (let length = 0; length <= all.length; length++) {
        const header = readProxyHeader(all.subarray(0, length))
        if (decided !== undefined) expect(header).toEqual(decided)
        else if (header.is !== 'part') decided = header
        // It is not read on for ever.
        if (header.is === 'part') expect(length).toBeLessThan(16 + MAX_TOLD)
        if (header.is === 'whole') expect(header.octets).toBeLessThanOrEqual(length)
      }
    }),
    { numRuns: 2_000 },
  )
})

test('every client that a proxy names is read as it was named', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.ipV4(), fc.nat(65_535), fc.nat(65_535), (from, to, port, toPort) => {
      const source = client(from, port)
      const line = octets(`PROXY TCP4 ${from} ${to} ${port} ${toPort}\r\n`)
      expect(readProxyHeader(line)).toMatchObject({ is: 'whole', source })
      const told = [...from.split('.'), ...to.split('.')].map(Number)
      const ports = [port, toPort].flatMap((number) => [number >> 8, number & 255])
      expect(readProxyHeader(binary(0x21, 0x11, [...told, ...ports]))).toMatchObject({
        ...{ is: 'whole', source },
      })
    }),
  )
})
