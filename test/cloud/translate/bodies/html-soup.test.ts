import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { attributeKind } from '../../../../src/cloud/translate/bodies/html-attributes.ts'
import {
  cssTranslator,
  cutsOf,
  everywhere,
  htmlTranslator,
  INSIDE,
  translated,
  URLS,
} from './bodies-world.ts'
import { htmlSoup } from './html-soup.ts'
import { isClosedByOthers, isHtml, isReadTwoWays, treeOf, type Element } from './parse5-judge.ts'

const inText = (text: string) => translated(cssTranslator(), text).toString()

/** What the translation of a document must be, by its tree. */
function expect5(element: Element): void {
  const above = ancestors(element)
  const isWithin = (name: string) => above.some((one) => one.tagName === name && !isHtml(one))
  if (isWithin('script') || isWithin('style')) return
  for (const attribute of element.attrs) {
    const { prefix, name } = attribute
    const full = prefix === undefined || prefix === '' ? name : `${prefix}:${name}`
    if (attributeKind(full, element.tagName.toLowerCase(), !isHtml(element)) !== 'url') continue
    const [, before, url, after] = /^([ \t\n\f\r]*)([^]*?)([ \t\n\f\r]*)$/.exec(attribute.value)!
    attribute.value = before! + (URLS.outward(url!) ?? url!) + after!
  }
  if (element.tagName !== 'style') return
  for (const child of element.childNodes) if ('value' in child) child.value = inText(child.value)
}

function ancestors(element: Element): Element[] {
  const above: Element[] = []
  for (let one = element.parentNode; one !== null && 'tagName' in one; one = one.parentNode)
    above.push(one)
  return above
}

describe('a document in any order', () => {
  test('has exactly those links changed that its tree has', () => {
    let changed = 0
    fc.assert(
      fc.property(htmlSoup, (soup) => {
        const result = translated(htmlTranslator(), soup).toString()
        let isPlain = true
        const expected = treeOf(soup, (element) => {
          isPlain &&= !isClosedByOthers(element) && !isReadTwoWays(element)
          expect5(element)
        })
        // What else closes foreign content, only a whole tree can tell: see the cases.
        fc.pre(isPlain)
        if (result !== soup) changed++
        expect(treeOf(result)).toBe(expected)
      }),
      { numRuns: 800 },
    )
    expect(changed).toBeGreaterThan(25)
  })

  test('comes out the same however it is cut', () => {
    fc.assert(
      fc.property(
        htmlSoup.chain((soup) => fc.tuple(fc.constant(soup), cutsOf(soup))),
        ([soup, cuts]) => {
          const whole = translated(htmlTranslator(), soup)
          expect(translated(htmlTranslator(), soup, cuts)).toEqual(whole)
          expect(translated(htmlTranslator(), soup, everywhere(soup))).toEqual(whole)
        },
      ),
      { numRuns: 200 },
    )
  })

  test('translated twice is translated once', () => {
    fc.assert(
      fc.property(htmlSoup, (soup) => {
        const once = translated(htmlTranslator(), soup)
        expect(translated(htmlTranslator(), once)).toEqual(once)
      }),
      { numRuns: 300 },
    )
  })

  test('stays octet for octet, and as it was given, without an internal URL', () => {
    fc.assert(
      fc.property(
        htmlSoup.map((soup) => Buffer.from(soup.replaceAll(/inside\.internal/gi, 'x.example'))),
        (soup) => {
          fc.pre(soup.length > 0)
          const translator = htmlTranslator()
          const said = [translator.write(soup), translator.end()].filter(
            (piece) => piece !== undefined,
          )
          expect(Buffer.concat(said)).toEqual(soup)
          // Nothing is copied but a tag that had not ended.
          expect(said[0]?.buffer ?? soup.buffer).toBe(soup.buffer)
        },
      ),
      { numRuns: 300 },
    )
  })

  test('the text of scripts, and what runs on events, is never touched', () => {
    const script = fc
      .array(
        fc.constantFrom(
          ...[
            '<!--',
            '-->',
            '<script>',
            '</scriptx>',
            `"<a href='${INSIDE}/'>"`,
            'x',
            '<',
            '-',
            '\n',
          ],
        ),
        { maxLength: 10 },
      )
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(script, (code) => {
        const page = `<p onclick="open('${INSIDE}/')"><script>${code}`
        let scripts = ''
        treeOf(page, (element) => {
          if (element.tagName !== 'script') return
          for (const child of element.childNodes) if ('value' in child) scripts += child.value
        })
        const result = translated(htmlTranslator(), page).toString()
        expect(result.startsWith(`<p onclick="open('${INSIDE}/')"><script>${scripts}`)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})
