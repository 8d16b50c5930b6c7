import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { identityField } from '../../../src/cloud/directory/identity-headers.ts'
import type { TypedClaim } from '../../../src/protocol/internal.ts'
import {
  HEADER_ENCODINGS,
  type HeaderEncoding,
  type IdentityHeader,
} from '../../../src/cloud/rules/identity-claims.ts'
import { isFieldValue } from '../../../src/protocol/internal.ts'

const utf8 = (text: string) => Buffer.from(text, 'utf8').toString('latin1')

test.each<[readonly string[], string, IdentityHeader?]>([
  [['a,b'], 'a%2Cb'],
  [['a', 'b'], 'a,b'],
  [['a%2Cb'], 'a%252Cb'],
  [['one two', ' edge '], 'one two,%20edge%20'],
  [['a;b', 'c,d'], 'a%3Bb; c,d', { claim: 'groups', separator: '; ' }],
  [['a b', 'c'], 'a%20b c', { claim: 'groups', separator: ' ' }],
  [['line\r\nX-User: bob'], 'line%0D%0AX-User: bob'],
  [['Müller, Jörg', 'b'], utf8('Müller%2C Jörg,b')],
  [['Müller', '北京'], 'M%C3%BCller,%E5%8C%97%E4%BA%AC', { claim: 'groups', encoding: 'percent' }],
  [['Müller=1'], 'M=C3=BCller=3D1', { claim: 'groups', encoding: 'quoted-printable' }],
  [[], ''],
  [[], '[]', { claim: 'groups', list: 'json' }],
  [['a,b'], '["a,b"]', { claim: 'groups', list: 'json' }],
  [['a', 'b', ''], '["a","b",""]', { claim: 'groups', list: 'json' }],
  [
    ['ü', '"\r\n\u007f', '\ud800'],
    '["\\u00fc","\\"\\r\\n\\u007f","\\ud800"]',
    { claim: 'x', list: 'json' },
  ],
])('a list of %j is told as %s', (list, expected, header = 'groups') =>
  expect(identityField(list, header)).toBe(expected),
)

test.each<[string, string | undefined, IdentityHeader?]>([
  ['100 % Bob, Jr.', '100 % Bob, Jr.'],
  ['Åsa', utf8('Åsa')],
  ['Åsa 5%', '%C3%85sa 5%25', { claim: 'name', encoding: 'percent' }],
  // A reader of fields would take away what makes them different: nobody is told of.
  [' alice', undefined],
  ['alice ', undefined],
  ['al\nice', undefined],
  ['al\tice', undefined],
  [' al\nice', '%20al%0Aice', { claim: 'name', encoding: 'percent' }],
  ['al\ud800ice', undefined],
  ['al\ud800ice', undefined, { claim: 'name', encoding: 'rfc8187' }],
  ['Åsa (5%)', "UTF-8''%C3%85sa%20%285%25%29", { claim: 'name', encoding: 'rfc8187' }],
  ['Åsa=\n', '=C3=85sa=3D=0A', { claim: 'name', encoding: 'quoted-printable' }],
  ['Åsa ', 'w4VzYSA', { claim: 'name', encoding: 'base64url' }],
  ['a,b', 'a%2Cb', { claim: 'department', list: 'separated' }],
  ['a|b', 'a%7Cb', { claim: 'department', separator: '|' }],
  ['a,b', '["a,b"]', { claim: 'department', list: 'json' }],
  ['a|b', 'a|b', { claim: 'name', separator: '|' }],
])('a text %j is told as %j', (text, expected, header = 'name') =>
  expect(identityField(text, header)).toBe(expected),
)

test.each<[TypedClaim | undefined, string | undefined, IdentityHeader]>([
  [4711, '4711', 'employee'],
  [0, '0', 'employee'],
  [true, 'true', 'manager'],
  [false, 'false', 'manager'],
  [4711, '["4711"]', { claim: 'employee', list: 'json' }],
  [['one'], 'one', 'department'],
  // Where one is read, neither of two is the user's, and of none there is none.
  [['one', 'two'], undefined, 'department'],
  [[], undefined, 'department'],
  [undefined, undefined, 'department'],
  [undefined, undefined, { claim: 'department', list: 'json' }],
  [undefined, 'contoso', { value: 'contoso' }],
  ['alice', utf8('Zoë'), { value: 'Zoë' }],
])('a claim of %j is told as %j', (claim, expected, header) =>
  expect(identityField(claim, header)).toBe(expected),
)

describe('no two values read the same', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 6 }),
    fc.string({
      unit: fc.constantFrom('a', ',', ';', ' ', '%', '2', 'C', '\n', 'ü', '"'),
      minLength: 1,
      maxLength: 6,
    }),
  )
  const wellFormed = text.filter((one) => !/\p{Surrogate}/u.test(one))
  const header = fc.record(
    {
      claim: fc.constant('groups' as const),
      separator: fc.constantFrom(',', ';', '; ', ' ', '|', '::'),
      encoding: fc.constantFrom('utf-8' as const, 'percent' as const),
    },
    { requiredKeys: ['claim'] },
  )
  /** As a reader of header fields sees it. */
  const read = (value: string) => value.replace(/^[ \t]+|[ \t]+$/g, '')

  test('of lists', () => {
    const lists = fc.array(wellFormed, { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(lists, header, (list, how) => {
        const value = identityField(list, how)!
        expect(isFieldValue(value)).toBe(true)
        const { separator = ',' } = how
        const members = read(value)
          .split(separator)
          .map((member) => decodeURIComponent(Buffer.from(member, 'latin1').toString('utf8')))
        expect(members).toEqual(list)
      }),
      { numRuns: 500 },
    )
  })

  test('of lists as JSON', () => {
    fc.assert(
      fc.property(fc.array(text), (list) => {
        const value = identityField(list, { claim: 'groups', list: 'json' })!
        expect(value).toMatch(/^[\x20-\x7e]*$/)
        expect(JSON.parse(read(value))).toEqual(list)
      }),
    )
  })

  const decoded: Readonly<Record<HeaderEncoding, (told: string) => string>> = {
    'utf-8': (told) => told,
    percent: decodeURIComponent,
    'quoted-printable': (told) => decodeURIComponent(told.replace(/%/g, '%25').replace(/=/g, '%')),
    rfc8187: (told) => decodeURIComponent(/^UTF-8''(.*)$/.exec(told)![1]!),
    base64url: (told) => Buffer.from(told, 'base64url').toString('utf8'),
  }

  test('of texts', () => {
    fc.assert(
      fc.property(wellFormed, fc.constantFrom(...HEADER_ENCODINGS), (one, encoding) => {
        const value = identityField(one, { claim: 'name', encoding })
        if (value === undefined) {
          expect(encoding).toBe('utf-8')
          return
        }
        expect(isFieldValue(value)).toBe(true)
        if (encoding !== 'utf-8') expect(value).toMatch(/^[\x20-\x7e]*$/)
        expect(decoded[encoding](Buffer.from(read(value), 'latin1').toString('utf8'))).toBe(one)
      }),
      { numRuns: 500 },
    )
  })
})
