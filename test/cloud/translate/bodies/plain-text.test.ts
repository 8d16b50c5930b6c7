import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_HELD_BYTES } from '../../../../src/cloud/translate/bodies/body-translator.ts'
import { PlainTextTranslator } from '../../../../src/cloud/translate/bodies/plain-text.ts'
import { outwardInText } from '../../../../src/cloud/translate/urls-in-text.ts'
import { everywhere, INSIDE, OUTSIDE, translated, URLS } from './bodies-world.ts'

const inText = (text: string) => outwardInText(text, URLS)
const translator = () => new PlainTextTranslator(inText)
const run = (text: string) => translated(translator(), text).toString()

const soup = fc
  .array(
    fc.constantFrom(
      ...[
        INSIDE,
        `${INSIDE}/x`,
        `"${INSIDE}"`,
        `http:\\/\\/inside.internal\\/y`,
        '"//inside.internal/z"',
      ],
      ...[
        'http:',
        '//',
        '/',
        '\\/',
        'inside.internal',
        ':80',
        ':81',
        '.',
        ',',
        ')',
        '<',
        '>',
        '"',
        "'",
      ],
      ...[
        ' ',
        '\n',
        '\\',
        'x',
        'é',
        '@',
        '\0',
        '{',
        '}',
        'xhttp://inside.internal/',
        '?',
        '#',
        ':',
      ],
    ),
    { maxLength: 24 },
  )
  .map((parts) => parts.join(''))

describe('text', () => {
  test('has the URLs translated that it would have as one', () => {
    fc.assert(
      fc.property(soup, (text) => {
        const octets = Buffer.from(text).toString('latin1')
        expect(translated(translator(), text).toString('latin1')).toBe(inText(octets))
      }),
      { numRuns: 1_000 },
    )
  })

  test('comes out the same however it is cut', () => {
    fc.assert(
      fc.property(soup, fc.array(fc.nat({ max: 100 }), { maxLength: 6 }), (text, cuts) => {
        const whole = run(text)
        const within = cuts.filter((cut) => cut <= Buffer.byteLength(text))
        expect(translated(translator(), text, within).toString()).toBe(whole)
        expect(translated(translator(), text, everywhere(text)).toString()).toBe(whole)
      }),
    )
  })

  test.each([
    [`{"a":"${INSIDE}/1"}`, `{"a":"${OUTSIDE}/1"}`],
    [`{"a":"http:\\/\\/inside.internal\\/1"}`, `{"a":"https:\\/\\/outside.example\\/1"}`],
    [`<link>${INSIDE}/1</link>`, `<link>${OUTSIDE}/1</link>`],
    [INSIDE, OUTSIDE],
  ])('%s', (text, expected) => {
    expect(run(text)).toBe(expected)
  })

  test.each([MAX_HELD_BYTES - 100, 2 * MAX_HELD_BYTES])(
    'a part of %d octets comes out the same however it is cut',
    (length) => {
      const text = `"${INSIDE}/${'x'.repeat(length)}" "${INSIDE}/y"`
      const whole = run(text)
      const first = length < MAX_HELD_BYTES ? OUTSIDE : INSIDE
      expect(whole.startsWith(`"${first}/`)).toBe(true)
      expect(whole.endsWith(`"${OUTSIDE}/y"`)).toBe(true)
      const cuts = Array.from({ length: 100 }, (_, i) => i * 1_000).filter(
        (cut) => cut < text.length,
      )
      expect(translated(translator(), text, cuts).toString()).toBe(whole)
    },
  )

  test('without a URL it passes by reference', () => {
    const bytes = Buffer.from('{"a": "http:/x //y", "b": [1, 2]} ')
    const said = translator().write(bytes)
    expect(said?.buffer).toBe(bytes.buffer)
  })
})
