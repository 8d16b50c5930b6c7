import { expect, test } from 'vitest'
import { ConfigurationInvalid } from '../../../src/protocol/internal.ts'
import fc from 'fast-check'
import {
  canonicalAddress,
  isInside,
  neighbourhood,
  parseAddress,
  parseNetwork,
} from '../../../src/cloud/rules/network.ts'

test.each([
  ['10.0.0.1', '10.0.0.1'],
  ['::1', '::1'],
  ['2001:DB8::0001', '2001:db8::1'],
  // mapped: the IPv4 address it is
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['::FFFF:a00:1', '10.0.0.1'],
  ['0:0:0:0:0:ffff:10.0.0.1', '10.0.0.1'],
  ['fe80::1%eth0', 'fe80::1'],
  // forms that parsers take, and read in different ways
  ['010.1.2.3', undefined],
  ['2130706433', undefined],
  ['0x7f.0.0.1', undefined],
  ['127.1', undefined],
  ['1.2.3.04', undefined],
  ['::10.0.0.1', undefined],
  ['::ffff:010.0.0.1', undefined],
  // no addresses
  ['256.1.1.1', undefined],
  ['1::2::3', undefined],
  ['12345::', undefined],
  [' 10.0.0.1', undefined],
  ['10.0.0.1 ', undefined],
  ['[::1]', undefined],
  ['10.0.0.1:80', undefined],
  ['localhost', undefined],
  ['', undefined],
  ['1'.repeat(100), undefined],
])('the address %j is %j', (text, expected) => expect(canonicalAddress(text)).toBe(expected))

test.each([
  ['10.0.0.0/8', '10.255.255.255', '11.0.0.0'],
  ['192.0.2.128/25', '192.0.2.128', '192.0.2.127'],
  ['192.0.2.7', '192.0.2.7', '192.0.2.6'],
  ['192.0.2.7/32', '::ffff:192.0.2.7', '192.0.2.8'],
  ['::ffff:10.0.0.0/104', '10.1.2.3', '11.0.0.0'],
  ['2001:db8::/32', '2001:db8:ffff::1', '2001:db9::'],
  ['::/0', 'fe80::1', '10.0.0.1'],
  ['0.0.0.0/0', '255.255.255.255', '::1'],
  ['::ffff:0:0/96', '10.0.0.1', '::1'],
  ['fe80::/10', 'fe80::1%eth0', 'fec0::1'],
])('the network %s holds %s, and not %s', (network, inside, outside) => {
  const networks = [parseNetwork(network)]
  expect(isInside(parseAddress(inside)!, networks)).toBe(true)
  expect(isInside(parseAddress(outside)!, networks)).toBe(false)
})

test.each([
  ...['10.0.0.1/8', '2001:db8::1/32', '::ffff:0:0/95', '10.0.0.0/33', '::/129'],
  ...['10.0.0.0/08', '10.0.0.0/', '10.0.0.0/-1', '10.0.0.0/255.0.0.0', '10.0.0/8', '10/8'],
  ...['010.0.0.0/8', 'fe80::%eth0/10', '*', '', '/8', '10.0.0.0/8/8', ' 10.0.0.0/8'],
])('%j is no network', (text) => expect(() => parseNetwork(text)).toThrow(ConfigurationInvalid))

test('a network holds exactly the addresses that share its first bits', () => {
  const number = fc.integer({ min: 0, max: 0xffff_ffff })
  const text = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.')
  fc.assert(
    fc.property(number, number, fc.integer({ min: 0, max: 32 }), (base, other, bits) => {
      const mask = bits === 0 ? 0 : (0xffff_ffff << (32 - bits)) >>> 0
      const first = (base & mask) >>> 0
      const network = parseNetwork(`${text(first)}/${bits}`)
      expect(isInside(parseAddress(text(other))!, [network])).toBe((other & mask) >>> 0 === first)
    }),
  )
})

test('an address has a neighbourhood', () => {
  expect(neighbourhood(parseAddress('192.0.2.77')!)).toBe('192.0.2.0/24')
  expect(neighbourhood(parseAddress('2001:db8:1:2::3')!)).toBe('2001:db8:1::/48')
})
