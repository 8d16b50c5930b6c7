import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LatestTexts } from '../../src/runtime/latest-texts.ts'

const texts = fc.string({ minLength: 0, maxLength: 40 })

test('what is found was set last for that very text, or nothing is', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(texts, fc.nat()), { maxLength: 200 }), texts, (all, other) => {
      const latest = new LatestTexts<number>()
      const model = new Map<string, number>()
      for (const [text, value] of all) {
        latest.set(text, value)
        model.set(text, value)
        expect(latest.get(text)).toBe(text.length < 20 ? undefined : value)
      }
      for (const text of [...model.keys(), other])
        expect([undefined, model.get(text)]).toContain(latest.get(text))
      latest.clear()
      for (const text of model.keys()) expect(latest.get(text)).toBeUndefined()
    }),
  )
})

test('of two that lie in one place the later one is kept', () => {
  const latest = new LatestTexts<string>()
  const [first, second] = ['a', 'b'].map((begin) => begin + 'x'.repeat(40)) as [string, string]
  latest.set(first, 'first')
  latest.set(second, 'second')
  expect([latest.get(first), latest.get(second)]).toEqual([undefined, 'second'])
})
