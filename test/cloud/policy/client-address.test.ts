import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { clientAddress, ClientAddresses } from '../../../src/cloud/policy/client-address.ts'

const networks = ['10.0.0.0/8', '192.0.2.7', '2001:db8:ffff::/48']
const xff = (remote: string, ...values: string[]) =>
  clientAddress(
    remote,
    values.flatMap((value) => ['X-Forwarded-For', value]),
    { networks },
  )
const forwarded = (remote: string, ...values: string[]) =>
  clientAddress(
    remote,
    values.flatMap((value) => ['Forwarded', value]),
    { networks, header: 'forwarded' },
  )

describe('threats row 3: who sends a forwarding header decides whether it is believed', () => {
  test.each<[string, string, string[], string]>([
    ['no proxy: the peer', '203.0.113.9', [], '203.0.113.9'],
    ['no proxy: what it says is nothing', '203.0.113.9', ['10.0.0.1'], '203.0.113.9'],
    ['a proxy: its peer', '10.0.0.1', ['203.0.113.9'], '203.0.113.9'],
    ['a mapped proxy', '::ffff:10.0.0.1', ['203.0.113.9'], '203.0.113.9'],
    ['what the user put before is nothing', '10.0.0.1', ['127.0.0.1, 203.0.113.9'], '203.0.113.9'],
    ['in a field of its own neither', '10.0.0.1', ['127.0.0.1', '203.0.113.9'], '203.0.113.9'],
    ['a proxy before a proxy', '10.0.0.1', ['203.0.113.9, 192.0.2.7'], '203.0.113.9'],
    ['a user inside the networks', '10.0.0.1', ['10.3.4.5, 10.0.0.2'], '10.3.4.5'],
    ['a proxy that says nothing: not known', '10.0.0.1', [], 'unknown'],
    ['empty elements', '10.0.0.1', ['203.0.113.9, ,'], '203.0.113.9'],
    ['a port', '10.0.0.1', ['203.0.113.9:4711'], '203.0.113.9'],
    ['IPv6', '2001:db8:ffff::1', ['2001:DB8::7'], '2001:db8::7'],
    ['IPv6 in brackets with a port', '10.0.0.1', ['[2001:db8::7]:4711'], '2001:db8::7'],
    ['no address: not known', '10.0.0.1', ['203.0.113.9, unknown'], 'unknown'],
    ['an octal form: not known', '10.0.0.1', ['0313.0.113.9'], 'unknown'],
    ['a hidden name: not known', '10.0.0.1', ['_gateway'], 'unknown'],
    ['a bracketed IPv4 address: not known', '10.0.0.1', ['[203.0.113.9]'], 'unknown'],
    ['a peer without an address', '', ['203.0.113.9'], 'unknown'],
  ])('%s', (_, remote, values, expected) => expect(xff(remote, ...values)).toBe(expected))

  test.each<[string, string, string[], string]>([
    ['no proxy', '203.0.113.9', ['for=10.0.0.1'], '203.0.113.9'],
    ['a proxy', '10.0.0.1', ['for=203.0.113.9;proto=https;by=10.0.0.1'], '203.0.113.9'],
    [
      'letter case, space, quotes',
      '10.0.0.1',
      ['Proto=https; FOR="203.0.113.9:80"'],
      '203.0.113.9',
    ],
    ['IPv6', '10.0.0.1', ['for="[2001:db8::7]:4711"'], '2001:db8::7'],
    ['several', '10.0.0.1', ['for=127.0.0.1, for=203.0.113.9', 'for=192.0.2.7'], '203.0.113.9'],
    ['a comma in quotes', '10.0.0.1', ['for=203.0.113.9;host="a, for=127.0.0.1"'], '203.0.113.9'],
    [
      'an escape in quotes',
      '10.0.0.1',
      ['for=203.0.113.9;host="\\", for=127.0.0.1"'],
      '203.0.113.9',
    ],
    ['empty elements', '10.0.0.1', [', for=203.0.113.9 ,'], '203.0.113.9'],
    ['no for', '10.0.0.1', ['for=203.0.113.9, proto=https'], 'unknown'],
    ['unknown', '10.0.0.1', ['for=unknown'], 'unknown'],
    ['two for', '10.0.0.1', ['for=203.0.113.9;for=203.0.113.8'], 'unknown'],
    ['open quotes', '10.0.0.1', ['for=203.0.113.9, for="203.0.113.8'], 'unknown'],
    ['no pair', '10.0.0.1', ['203.0.113.9'], 'unknown'],
  ])('Forwarded: %s', (_, remote, values, expected) =>
    expect(forwarded(remote, ...values)).toBe(expected),
  )

  test('the header that the proxies do not write is not read', () => {
    const headers = ['Forwarded', 'for=127.0.0.1', 'X-Forwarded-For', '203.0.113.9']
    expect(clientAddress('10.0.0.1', headers, { networks })).toBe('203.0.113.9')
    expect(clientAddress('10.0.0.1', headers, { networks, header: 'forwarded' })).toBe('127.0.0.1')
  })

  test('without trusted proxies the peer is the user, in canonical form', () => {
    const addresses = new ClientAddresses()
    expect(addresses.of('::ffff:10.0.0.1', ['X-Forwarded-For', '127.0.0.1'])).toBe('10.0.0.1')
  })

  test('a user behind a proxy can put nothing in front that changes the answer', () => {
    const part = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.stringMatching(/^[ -~]{0,20}$/),
      fc.constantFrom('10.0.0.1', '192.0.2.7', 'unknown', ''),
    )
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        expect(xff('10.0.0.1', ...parts, '203.0.113.9, 192.0.2.7')).toBe('203.0.113.9')
      }),
    )
  })
})

test('a network that is none is the operator’s mistake', () =>
  expect(() => new ClientAddresses({ networks: ['10.0.0.0/8', '10.0.0.0/8x'] })).toThrow(
    'trustedProxies.networks[1]: must be a network',
  ))

test('many peers take bounded memory and stay told apart', () => {
  const addresses = new ClientAddresses({ networks })
  for (let i = 0; i < 5_000; i += 1)
    expect(addresses.of(`203.0.${i >> 8}.${i & 255}`, ['X-Forwarded-For', '127.0.0.1'])).toBe(
      `203.0.${i >> 8}.${i & 255}`,
    )
  expect(addresses.of('10.0.0.1', ['X-Forwarded-For', '203.0.113.9'])).toBe('203.0.113.9')
})
