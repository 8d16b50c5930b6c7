import fc from 'fast-check'
import { expect, test } from 'vitest'
import { idPrefixOf, requestNumberOf } from '../../../src/protocol/wire/request-number.ts'

const digits = (count: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${count}}$`))

test('a number and what an exchange’s id begins with are the same 80 bits', () => {
  fc.assert(
    fc.property(digits(20), digits(12), (prefix, rest) => {
      const number = requestNumberOf(prefix + rest)
      expect(number).toMatch(/^(?:[0-9a-hjkmnp-tv-z]{4}-){3}[0-9a-hjkmnp-tv-z]{4}$/)
      expect(idPrefixOf(number)).toBe(prefix)
    }),
  )
  expect(requestNumberOf('0000100020fffff000000123456789ab')).toBe('0001-0010-zzzz-0000')
})

test('anything else is no number', () => {
  for (const text of [
    '',
    'request-1',
    '0001-0001-zzzz-000',
    '0001-0001-zzzz-000u',
    'O001-0001-zzzz-0000',
  ])
    expect(idPrefixOf(text)).toBeUndefined()
})
