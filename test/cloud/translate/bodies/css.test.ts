import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cssTranslator, everywhere, INSIDE, OUTSIDE, translated } from './bodies-world.ts'

const run = (css: string) => translated(cssTranslator(), css).toString()

/** What is on the left becomes what is on the right. */
const CHANGED: readonly (readonly [string, string])[] = [
  [`a{b:url(${INSIDE}/x)}`, `a{b:url(${OUTSIDE}/x)}`],
  [`a{b:URL( ${INSIDE}/x\n)}`, `a{b:URL( ${OUTSIDE}/x\n)}`],
  [`a{b:url("${INSIDE}/x")}`, `a{b:url("${OUTSIDE}/x")}`],
  [`a{b:url('//inside.internal/x' )}`, `a{b:url('${OUTSIDE}/x' )}`],
  [`a{b:url(${INSIDE}/x\\)y)}`, `a{b:url(${OUTSIDE}/x\\)y)}`],
  [`a{b:url(http\\3a\\2f /inside.internal/x)}`, `a{b:url(${OUTSIDE}/x)}`],
  [`a{b:url("http:\\\n//inside.internal/é")}`, `a{b:url("${OUTSIDE}/é")}`],
  [`@import "${INSIDE}/a.css" screen;`, `@import "${OUTSIDE}/a.css" screen;`],
  [`@IMPORT/**/'${INSIDE}/a.css';`, `@IMPORT/**/'${OUTSIDE}/a.css';`],
  [`@import url(${INSIDE}/a) layer(x);`, `@import url(${OUTSIDE}/a) layer(x);`],
  [
    `a{b:image-set("${INSIDE}/1" 1x, url(${INSIDE}/2) 2x)}`,
    `a{b:image-set("${OUTSIDE}/1" 1x, url(${OUTSIDE}/2) 2x)}`,
  ],
  [`a{b:-webkit-image-set("${INSIDE}/1" 1x)}`, `a{b:-webkit-image-set("${OUTSIDE}/1" 1x)}`],
  [`a{b:src("${INSIDE}/1")}`, `a{b:src("${OUTSIDE}/1")}`],
  [`@font-face{src:url(${INSIDE}/f)format("x")}`, `@font-face{src:url(${OUTSIDE}/f)format("x")}`],
  [`a{--x:url(${INSIDE}/1)}`, `a{--x:url(${OUTSIDE}/1)}`],
  // Unclosed at the end of a line, a string is over; what follows is read on.
  [`a{b:"un\n;c:url(${INSIDE}/x)}`, `a{b:"un\n;c:url(${OUTSIDE}/x)}`],
  [`a{b:\\" url(${INSIDE}/x)}`, `a{b:\\" url(${OUTSIDE}/x)}`],
]
const UNCHANGED: readonly string[] = [
  `a{content:"${INSIDE}/x"}`,
  `/* url(${INSIDE}/x) */`,
  `/**/ /* @import "${INSIDE}/x"; **/`,
  `@namespace "${INSIDE}/";`,
  `@namespace svg url(${INSIDE}/);`,
  `a{b:format("${INSIDE}/x")}`,
  `a{b:curl(${INSIDE}/x)}`,
  `a{b:url(x${INSIDE}/x)}`,
  `a{b:url(${INSIDE}/x"y)}`,
  `a{b:url(${INSIDE}/x y)}`,
  `a{b:url(${INSIDE}(x)}`,
  `a{b:image-set(type("${INSIDE}/x"))}`,
  `@import "${INSIDE}\\/x`,
  `@import url(x); a{content:"${INSIDE}/x"}`,
  `@media x{} a{content:"${INSIDE}/x"}`,
  `a{b:url(${INSIDE}`,
  `a{b:\\61 url(${INSIDE}/x)}`,
  `a{content:"\\61\n${INSIDE}/x"}`,
  `a{content:"\\\r\n${INSIDE}/x"}`,
  `a{b:url("${INSIDE}/x\n")}`,
  `a{b:url(http://elsewhere.example/${INSIDE}/x)}`,
]

describe('a style sheet', () => {
  test.each(CHANGED)('%s', (css, expected) => {
    expect(run(css)).toBe(expected)
    expect(translated(cssTranslator(), css, everywhere(css)).toString()).toBe(expected)
  })

  test.each(UNCHANGED)('%s stays', (css) => {
    expect(run(css)).toBe(css)
    expect(translated(cssTranslator(), css, everywhere(css)).toString()).toBe(css)
  })
})

const piece = fc.constantFrom(
  ...['url(', 'URL(', '@import ', '@namespace ', 'image-set(', 'src(', 'format(', 'a{b:', '}', ';'],
  ...['"', "'", '(', ')', '\\', '\\"', '/*', '*/', '/', '*', '\n', ' ', '\0', 'é', 'url', '-', '@'],
  ...[INSIDE, `${INSIDE}/x`, '//inside.internal/', 'http\\3a //inside.internal', 'x', '\r\n', '\f'],
  ...[`url(${INSIDE}/x)`, `url("${INSIDE}/y")`, `@import '${INSIDE}/z';`],
)
const soup = fc.array(piece, { maxLength: 20 }).map((parts) => parts.join(''))

describe('a style sheet in any order', () => {
  test('comes out the same however it is cut', () => {
    fc.assert(
      fc.property(soup, fc.array(fc.nat({ max: 200 }), { maxLength: 8 }), (css, cuts) => {
        const whole = run(css)
        const within = cuts.filter((cut) => cut <= Buffer.byteLength(css))
        expect(translated(cssTranslator(), css, within).toString()).toBe(whole)
        expect(translated(cssTranslator(), css, everywhere(css)).toString()).toBe(whole)
      }),
      { numRuns: 500 },
    )
  })

  test('translated twice is translated once', () => {
    fc.assert(
      fc.property(soup, (css) => {
        expect(run(run(css))).toBe(run(css))
      }),
    )
  })

  test('stays octet for octet without an internal URL', () => {
    fc.assert(
      fc.property(soup, (css) => {
        const foreign = css.replaceAll('inside.internal', 'x.example')
        expect(run(foreign)).toBe(foreign)
      }),
    )
  })
})
