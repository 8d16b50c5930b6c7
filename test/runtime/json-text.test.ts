import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ConfigurationInvalid } from '../../src/protocol/wire/errors.ts'
import { parseJson } from '../../src/runtime/json-text.ts'

const isJson = (text: string) => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

test('what is JSON to the runtime is JSON here, and nothing else is', () => {
  const json = fc.json({ maxDepth: 4 })
  const broken = fc
    .tuple(
      json,
      fc.nat(),
      fc.constantFrom(
        '',
        ',',
        '"',
        '\\',
        '}',
        ']',
        ':',
        '0',
        '-',
        '.',
        'e',
        ' ',
        '\t',
        '\u0000',
        '\u00a0',
        'n',
      ),
    )
    .map(([text, at, sign]) => {
      const i = at % (text.length + 1)
      return text.slice(0, i) + sign + text.slice(i + 1)
    })
  const property = fc.property(fc.oneof(json, broken, fc.string()), (text) => {
    let read: { readonly value: unknown } | undefined
    try {
      read = { value: parseJson(text, 'file') }
    } catch (error) {
      const [mistake] = (error as ConfigurationInvalid).mistakes
      // Written twice is JSON, but not what anybody means.
      if (isJson(text)) expect(mistake!.detail).toMatch(/^is written twice/)
      else expect(mistake).toMatchObject({ file: 'file', line: expect.any(Number) })
    }
    if (read !== undefined) expect(read.value).toEqual(JSON.parse(text))
  })
  fc.assert(property, { numRuns: 1_000, examples: [['{"a":false,"a":null}']] })
})

test('a byte order mark is passed over, and a deep nest is refused before it ends the process', () => {
  expect(parseJson('\ufeff{"a":1}')).toEqual({ a: 1 })
  expect(() => parseJson('['.repeat(100_000))).toThrow(/^1:66: is nested deeper than 64$/)
})
