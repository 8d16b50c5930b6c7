import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TranslatedTags } from '../../../../src/cloud/translate/bodies/entity-tags.ts'

const hex = fc.stringMatching(/^[0-9a-f]{8}$/)
const tag = fc
  .tuple(fc.boolean(), fc.stringMatching(/^[!#-~]{0,12}$/))
  .map(([isWeak, opaque]) => `${isWeak ? 'W/' : ''}"${opaque}"`)

test('a tag comes back as it was, weak or strong, alone or among others', () => {
  fc.assert(
    fc.property(hex, fc.array(tag, { minLength: 1, maxLength: 4 }), (version, tags) => {
      const translated = new TranslatedTags(version)
      const outward = tags.map((one) => translated.outward(one)!)
      for (const one of outward) expect(one).toMatch(/^W\/"[^"]*~[0-9a-f]{8}"$/)
      const known: string[] = []
      expect(translated.inward(outward.join(', '), (one) => known.push(one))).toBe(tags.join(', '))
      expect(known).toEqual(tags)
    }),
  )
})

test('a tag of another translation matches nothing', () => {
  fc.assert(
    fc.property(hex, hex, tag, (version, other, one) => {
      fc.pre(parseInt(version, 16) >>> 1 !== parseInt(other, 16) >>> 1)
      const theirs = new TranslatedTags(other).outward(one)!
      const translated = new TranslatedTags(version)
      expect(translated.inward(theirs, () => expect.fail('it is not ours'))).toBe(theirs)
      expect(translated.inward(theirs, () => undefined, 'dropped')).toBeUndefined()
    }),
  )
})

test.each(['*', '', 'x', '"un', '"a"b'])('%j is passed as it is, and never said', (value) => {
  const tags = new TranslatedTags('0123abcd')
  expect(tags.inward(value, () => undefined)).toBe(value)
  expect(tags.outward(value)).toBeUndefined()
})

test('others are left out where only what was translated may be found', () => {
  const tags = new TranslatedTags('0123abcd')
  const own = tags.outward('"a,b"')!
  expect(tags.inward(`"x", ${own}, W/"y"`, () => undefined, 'dropped')).toBe('"a,b"')
})
