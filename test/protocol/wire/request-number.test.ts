import fc from 'fast-check'
import { expect, test } from 'vitest'
import { requestNumberOf } from '../../../src/protocol/wire/request-number.ts'

const digits = (count: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${count}}$`))

test('a number and what an exchange’s id begins with are the same 80 bits', () => {
  fc.assert(
    fc.property(digits(20), digits(12), (prefix, rest) => {
      const number = requestNumberOf(prefix + rest)
      expect(number).toMatch(/^(?:[0-9a-hjkmnp-tv-z]{4}-){3}[0-9a-hjkmnp-tv-z]{4}$/)
      expect(bitsOf(number)).toBe(BigInt(`0x${prefix}`))
    }),
  )
  expect(requestNumberOf('0000100020fffff000000123456789ab')).toBe('0001-0010-zzzz-0000')
})

function bitsOf(number: string): bigint {
  let bits = 0n
  for (const character of number.replaceAll('-', ''))
    bits = bits * 32n + BigInt('0123456789abcdefghjkmnpqrstvwxyz'.indexOf(character))
  return bits
}
