import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  bindsConnection,
  SCHEME_FIELDS,
  SESSION_FIELDS,
} from '../../../src/protocol/http/connection-bound.ts'

const SCHEMES = ['NTLM', 'Negotiate', 'Nego2', 'NegoExts', 'Kerberos', 'SPNEGO', 'CredSSP']
const OTHERS = [
  'Basic',
  'Bearer',
  'Digest',
  'DPoP',
  'HOBA',
  'Mutual',
  'SCRAM-SHA-256',
  'PrivateToken',
]

/** The text with each letter in either case. */
const inAnyCase = (text: fc.Arbitrary<string>) =>
  fc
    .tuple(text, fc.infiniteStream(fc.boolean()))
    .map(([letters, flips]) =>
      [...letters]
        .map((letter) => (flips.next().value ? letter.toUpperCase() : letter.toLowerCase()))
        .join(''),
    )
const base64 = fc.stringMatching(/^[A-Za-z0-9+/]{0,40}={0,2}$/)
const blanks = fc.constantFrom('', ' ', '\t', '  ', '\xa0')
/** Challenges that are harmless: no scheme name of the kind stands in them. */
const harmless = fc
  .tuple(
    fc.constantFrom(...OTHERS),
    fc.constantFrom('', ' realm="a, b"', ' dG9rZW4=', ' qop="auth"'),
  )
  .map((parts) => parts.join(''))
const bound = fc
  .tuple(inAnyCase(fc.constantFrom(...SCHEMES)), fc.constantFrom('', ' ', '\t'), base64)
  .map((parts) => parts.join(''))
const name = (names: readonly string[]) =>
  fc
    .tuple(inAnyCase(fc.constantFrom(...names)), fc.constantFrom('-', '_', '.'))
    .map(([text, mark]) => text.replaceAll('-', mark))
const ordinary = fc.constantFrom(
  ...[
    ['Accept', 'application/ntlm'],
    ['Cookie', 'scheme=Negotiate'],
    ['X-Authorization-Kind', 'NTLM'],
    ['Accept-Ranges', 'bytes'],
  ],
)
const around = fc.array(ordinary, { maxLength: 4 })

test('a scheme that is bound to the connection is seen in any spelling, anywhere in a list', () => {
  const value = fc
    .tuple(
      fc.array(harmless, { maxLength: 2 }),
      blanks,
      bound,
      fc.array(harmless, { maxLength: 2 }),
    )
    .map(([before, blank, scheme, after]) => [...before, blank + scheme, ...after].join(','))
  fc.assert(
    fc.property(around, name(SCHEME_FIELDS), value, around, (before, field, text, after) => {
      expect(bindsConnection([...before.flat(), field, text, ...after.flat()])).toBe(true)
    }),
  )
})

test('a field about connection-bound sessions is enough, whatever it says', () => {
  fc.assert(
    fc.property(around, name(SESSION_FIELDS), fc.string(), (before, field, text) => {
      expect(bindsConnection([...before.flat(), field, text])).toBe(true)
    }),
  )
})

test('any other scheme leaves the connection shared, in one field or several', () => {
  const field = fc.tuple(name(SCHEME_FIELDS), fc.array(harmless, { maxLength: 3 }))
  fc.assert(
    fc.property(around, fc.array(field), (before, fields) => {
      const list = fields.flatMap(([of, values]) => [of, values.join(', ')])
      expect(bindsConnection([...before.flat(), ...list])).toBe(false)
    }),
  )
  expect(bindsConnection([])).toBe(false)
})
