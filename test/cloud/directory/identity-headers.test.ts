import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { identityField } from '../../../src/cloud/directory/identity-headers.ts'
import type { IdentityHeader } from '../../../src/cloud/rules/identity-claims.ts'
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
  [[], ''],
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
])('a text %j is told as %j', (text, expected, header = 'name') =>
  expect(identityField(text, header)).toBe(expected),
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

  test('of texts', () => {
    fc.assert(
      fc.property(wellFormed, fc.constantFrom('utf-8', 'percent'), (one, encoding) => {
        const value = identityField(one, { claim: 'name', encoding: encoding as 'percent' })
        if (value === undefined) return
        expect(isFieldValue(value)).toBe(true)
        const told = Buffer.from(read(value), 'latin1').toString('utf8')
        expect(encoding === 'percent' ? decodeURIComponent(told) : told).toBe(one)
      }),
    )
  })
})
