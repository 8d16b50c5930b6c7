import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { MAX_HELD_BYTES } from '../../../../src/cloud/translate/bodies/body-translator.ts'
import {
  cssTranslator,
  everywhere,
  htmlTranslator,
  INSIDE,
  OUTSIDE,
  translated,
  URLS,
} from './bodies-world.ts'

const run = (html: string) => translated(htmlTranslator(), html).toString()
const IN = `${INSIDE}/x`
const OUT = `${OUTSIDE}/x`

const CHANGED: readonly (readonly [string, string])[] = [
  // Spellings of a value.
  [`<a href="${IN}">`, `<a href="${OUT}">`],
  [`<a href='${IN}'>`, `<a href='${OUT}'>`],
  [`<a href=${IN}>`, `<a href=${OUT}>`],
  [`<A\tHREF\n=\r\n${IN}>`, `<A\tHREF\n=\r\n${OUT}>`],
  [`<a/href=${IN}/>`, `<a/href=${OUT}/>`],
  [`<a href="  ${IN}\n">`, `<a href="  ${OUT}\n">`],
  [
    `<a href="http&colon;&#x2F;&#47inside.internal/x?a&amp;b&lt=1">`,
    `<a href="${OUT}?a&amp;b&lt=1">`,
  ],
  [`<a href="http&#0000058;//inside.internal/&eacute;">`, `<a href="${OUTSIDE}/&eacute;">`],
  [`<a href="//inside.internal/x">`, `<a href="${OUT}">`],
  [`<a href="HTTP://INSIDE.internal:80/é">`, `<a href="${OUTSIDE}/é">`],
  // The first of a name counts.
  [`<a href=${IN} href=${IN}>`, `<a href=${OUT} href=${IN}>`],
  // Attributes.
  [
    `<form action=${IN}><button formaction=${IN}>`,
    `<form action=${OUT}><button formaction=${OUT}>`,
  ],
  [
    `<video poster=${IN} src=${IN}><object data=${IN}>`,
    `<video poster=${OUT} src=${OUT}><object data=${OUT}>`,
  ],
  [
    `<q cite=${IN}><body background=${IN}><html manifest=${IN}>`,
    `<q cite=${OUT}><body background=${OUT}><html manifest=${OUT}>`,
  ],
  [`<a ping="${IN} //inside.internal/x">`, `<a ping="${OUT} ${OUT}">`],
  [
    `<img srcset="${IN} 1x,y 2x, ${IN}, ${IN} (a,b) 3w">`,
    `<img srcset="${OUT} 1x,y 2x, ${OUT}, ${OUT} (a,b) 3w">`,
  ],
  [`<link imagesrcset="${IN} 2x" href=${IN}>`, `<link imagesrcset="${OUT} 2x" href=${OUT}>`],
  [`<base href="${INSIDE}/">`, `<base href="${OUTSIDE}/">`],
  [`<script src=${IN}></script>`, `<script src=${OUT}></script>`],
  [`<iframe src=${IN}></iframe>`, `<iframe src=${OUT}></iframe>`],
  [`<p style="b:url(${IN})">`, `<p style="b:url(${OUT})">`],
  [`<p style="b:url(&quot;${IN}&quot;)">`, `<p style="b:url(&quot;${OUT}&quot;)">`],
  [`<p style='b:url("${IN}")'>`, `<p style='b:url("${OUT}")'>`],
  [
    `<meta http-equiv=Refresh content="0;URL='${IN}'">`,
    `<meta http-equiv=Refresh content="0;URL='${OUT}'">`,
  ],
  [`<meta content="5, ${IN}" http-equiv=refresh>`, `<meta content="5, ${OUT}" http-equiv=refresh>`],
  // Foreign content.
  [
    `<svg><use xlink:href=${IN} fill="url(${IN})"/><image href=${IN}>`,
    `<svg><use xlink:href=${OUT} fill="url(${OUT})"/><image href=${OUT}>`,
  ],
  [
    `<svg><style>a{b:url(${IN})}</style><![CDATA[<a href=${IN}>]]></svg>`,
    `<svg><style>a{b:url(${OUT})}</style><![CDATA[<a href=${IN}>]]></svg>`,
  ],
  [
    `<svg><style><![CDATA[a{b:url(${IN})}]]></style><title><a href=${IN}></a></title>`,
    `<svg><style><![CDATA[a{b:url(${OUT})}]]></style><title><a href=${OUT}></a></title>`,
  ],
  [
    `<svg><foreignObject><style>a{b:url(${IN})}</style><img src=${IN}>`,
    `<svg><foreignObject><style>a{b:url(${OUT})}</style><img src=${OUT}>`,
  ],
  [`<a><svg></a><object data=${IN}>`, `<a><svg></a><object data=${OUT}>`],
  [
    `<svg><div><title>${'<'}a href=${IN}></title><a href=${IN}>`,
    `<svg><div><title>${'<'}a href=${IN}></title><a href=${OUT}>`,
  ],
  [`<math><mi><img src=${IN}></mi></math>`, `<math><mi><img src=${OUT}></mi></math>`],
  // What is no markup where it looks so, and what is.
  [`<!-- <a href=${IN}> --><a href=${IN}>`, `<!-- <a href=${IN}> --><a href=${OUT}>`],
  [`<!--><a href=${IN}><!---><a href=${IN}>`, `<!--><a href=${OUT}><!---><a href=${OUT}>`],
  [
    `<!-- --!><a href=${IN}><!-- -- ><a href=${IN}>`,
    `<!-- --!><a href=${OUT}><!-- -- ><a href=${IN}>`,
  ],
  [
    `<!--[if IE]><a href=${IN}><![endif]--><![if !IE]><a href=${IN}>`,
    `<!--[if IE]><a href=${IN}><![endif]--><![if !IE]><a href=${OUT}>`,
  ],
  [`<![CDATA[<a href=${IN}>]]><a href=${IN}>`, `<![CDATA[<a href=${IN}>]]><a href=${OUT}>`],
  [`<title><a href=${IN}></title/><a href=${IN}>`, `<title><a href=${IN}></title/><a href=${OUT}>`],
  [
    `<textarea><a href=${IN}></textareas></textarea\n><a href=${IN}>`,
    `<textarea><a href=${IN}></textareas></textarea\n><a href=${OUT}>`,
  ],
  [
    `<noscript><img src=${IN}><style>a{b:url(${IN})}</style></noscript><a href=${IN}>`,
    `<noscript><img src=${OUT}><style>a{b:url(${OUT})}</style></noscript><a href=${OUT}>`,
  ],
  [
    `<noscript><img alt="</noscript><a href=${IN}>`,
    `<noscript><img alt="</noscript><a href=${OUT}>`,
  ],
  [`<template><a href=${IN}></template>`, `<template><a href=${OUT}></template>`],
  [
    `<script><!-- <script> </script> <a href=${IN}> --></script><a href=${IN}>`,
    `<script><!-- <script> </script> <a href=${IN}> --></script><a href=${OUT}>`,
  ],
  [`<style>/*</style><a href=${IN}>`, `<style>/*</style><a href=${OUT}>`],
]
const UNCHANGED: readonly string[] = [
  `<a title=${IN} data-href="${IN}">${IN}`,
  `<p href=${IN} onclick="open('${IN}')">`,
  `<a href="javascript:open('${IN}')">`,
  `</a href=${IN}>`,
  `<plaintext><a href=${IN}>`,
  `<xmp><a href=${IN}></xmp>`,
  `<iframe><a href=${IN}></iframe>`,
  `<iframe srcdoc="<a href=${IN}>">`,
  `<svg><script><a href=${IN}></a></script></svg>`,
  `<meta name=x content="${IN}">`,
  `<meta http-equiv=refresh content="x;url=${IN}">`,
  `<a href="${IN}`,
  `<a href="http://inside.internal.evil/">`,
  `<a href="http://u@inside.internal/">`,
  `<a href="ht\ntp://inside.internal/">`,
  `<a href="x ${IN}">`,
  `<a href="\0${IN}">`,
]

describe('a page', () => {
  test.each(CHANGED)('%s', (html, expected) => {
    expect(run(html)).toBe(expected)
    expect(translated(htmlTranslator(), html, everywhere(html)).toString()).toBe(expected)
  })

  test.each(UNCHANGED)('%s stays', (html) => {
    expect(run(html)).toBe(html)
    expect(translated(htmlTranslator(), html, everywhere(html)).toString()).toBe(html)
  })
})

describe('what is said instead', () => {
  const urls = {
    outward: (url: string) => (url === 'http://i/' ? `https://o/a"b'c d>&e` : undefined),
  }

  test.each([
    ['<a href=http://i/ x>', '<a href=https://o/a&#34;b&#39;c&#32;d&#62;&#38;e x>'],
    [
      '<p style=b:url(http://i/)>',
      '<p style=b:url(https://o/a\\&#34;b\\&#39;c\\&#32;d&#62;&#38;e)>',
    ],
    ['<style>a{b:url("http://i/")}', `<style>a{b:url("https://o/a\\"b\\'c d>&e")}`],
  ])('cannot end what it is in: %s', (html, expected) => {
    expect(translated(htmlTranslator({ urls }), html).toString()).toBe(expected)
  })

  test('leaves alone what would have to be said in another charset', () => {
    const odd = { outward: () => 'https://ö/' }
    expect(translated(htmlTranslator({ urls: odd }), '<a href=http://i/>').toString()).toBe(
      '<a href=http://i/>',
    )
  })
})

describe('charsets', () => {
  test.each(['utf-8', 'ISO-8859-15', 'windows-1252', 'koi8-r', 'utf-16'])(
    '%s is read',
    (charset) => {
      const html = (url: string) => `<meta charset="${charset}"><a href="${url}">`
      expect(run(html(IN))).toBe(html(OUT))
    },
  )

  test.each([
    '<meta charset=shift_jis>',
    '<meta charset="x-unknown">',
    '<meta http-equiv=content-type content="text/html; charset=iso-2022-jp">',
  ])('after %s nothing is', (meta) => {
    const html = `${meta}<a href="${IN}">`
    expect(run(html)).toBe(html)
    const known = translated(htmlTranslator({ isCharsetOpen: false }), html).toString()
    expect(known).toBe(`${meta}<a href="${OUT}">`)
  })
})

describe('base paths that differ', () => {
  const urls = {
    outward: (url: string) =>
      URLS.outward(url) ?? (/^\/app(?=\/|$)/.test(url) ? url.slice(4) : undefined),
  }
  const based = (html: string) =>
    translated(htmlTranslator({ urls, translatesPaths: true }), html).toString()

  test('paths are links as well', () => {
    expect(based('<a href="/app/x"><a href="/other"><a href="app/x">')).toBe(
      '<a href="/x"><a href="/other"><a href="app/x">',
    )
  })

  test.each(['http://cdn.example/', '//cdn.example/', 'data:x'])(
    'but not behind the base %s',
    (base) => {
      const html = `<base href="${base}"><a href="/app/x">`
      expect(based(html)).toBe(html)
    },
  )

  test.each(['/app/', INSIDE, 'x'])('but behind the base %s', (base) => {
    expect(based(`<base href="${base}"><a href="/app/x">`)).toMatch(/<a href="\/x">$/)
  })
})

describe('policies in a page', () => {
  const policy = (text: string) => text.replace(INSIDE, OUTSIDE)

  test('are translated as the field is', () => {
    const html = (url: string) =>
      `<meta http-equiv=content-security-policy content="img-src ${url}">`
    const result = translated(htmlTranslator({ policy }), html(INSIDE)).toString()
    expect(result).toBe(html(OUTSIDE).replace('img-src ', 'img-src&#32;'))
  })

  test('with hashes keep style sheets behind them from being touched', () => {
    const html = (url: string) =>
      `<meta http-equiv=content-security-policy content="style-src 'sha256-x'">` +
      `<style>a{b:url(${IN})}</style><p style="b:url(${IN})"><svg><style>a{b:url(${IN})}</style></svg><a href=${url}>`
    expect(run(html(IN))).toBe(html(OUT))
  })
})

describe('what is large', () => {
  const padded = (length: number) =>
    `<a title="${'x'.repeat(length)}" href="${IN}"><a href="${IN}">`

  test.each([0, 100, MAX_HELD_BYTES])(
    'a tag of %d octets more comes out the same however it is cut',
    (length) => {
      const html = padded(length)
      const whole = translated(htmlTranslator(), html)
      const first = length < MAX_HELD_BYTES ? OUT : IN
      expect(whole.toString().endsWith(`" href="${first}"><a href="${OUT}">`)).toBe(true)
      const cuts = Array.from({ length: 300 }, (_, i) => Math.floor((i * html.length) / 300))
      expect(translated(htmlTranslator(), html, cuts)).toEqual(whole)
    },
  )

  test('a script whose tag is too long is a script still', () => {
    const html = `<script src="data:,${'x'.repeat(2 * MAX_HELD_BYTES)}">"<a href=${IN}>"</script>`
    const cuts = Array.from({ length: 100 }, (_, i) => i * 1_000)
    expect(translated(htmlTranslator(), html, cuts).toString()).toBe(html)
  })

  test('no more than one tag is held', () => {
    const translator = htmlTranslator()
    const bytes = Buffer.from('x'.repeat(1_000))
    translator.write(Buffer.from('<a title="'))
    let said = 0
    for (let i = 0; i < 200; i++) said += translator.write(bytes)?.length ?? 0
    expect(200_000 - said).toBeLessThanOrEqual(MAX_HELD_BYTES + 1_000)
  })

  test('in a style sheet a value beyond the bound stays', () => {
    const css = `a{b:url(${IN}?${'x'.repeat(MAX_HELD_BYTES)})}b{c:url(${IN})}`
    const expected = css.replace(/c:url\(http:\/\/inside\.internal/, `c:url(${OUTSIDE}`)
    const cuts = Array.from({ length: 70 }, (_, i) => i * 1_000)
    expect(translated(cssTranslator(), css).toString()).toBe(expected)
    expect(translated(cssTranslator(), css, cuts).toString()).toBe(expected)
  })
})

describe('pages and style sheets of others', () => {
  const files = readdirSync('node_modules', { recursive: true, encoding: 'utf8' }).filter((path) =>
    /\.(?:html?|css)$/.test(path),
  )

  test('are the same, octet for octet, by reference', () => {
    let octets = 0
    for (const path of files) {
      const content = readFileSync(`node_modules/${path}`)
      const translator = path.endsWith('.css') ? cssTranslator() : htmlTranslator()
      const first = translator.write(content)
      const rest = translator.end()
      expect(Buffer.concat([first, rest].filter((one) => one !== undefined)), path).toEqual(content)
      if (first !== undefined && first.length > 0) expect(first.buffer).toBe(content.buffer)
      octets += content.length
    }
    expect(files.length).toBeGreaterThan(50)
    expect(octets).toBeGreaterThan(200_000)
  })

  test('with their hosts taken for internal are the same however they are cut', () => {
    const urls = {
      outward: (url: string) =>
        /^https?:\/\/[^/]+/.test(url) ? url.replace(/^https?:\/\/[^/]+/, 'x://o') : undefined,
    }
    for (const path of files.filter((path) => !path.endsWith('.css'))) {
      const content = readFileSync(`node_modules/${path}`)
      const whole = translated(htmlTranslator({ urls }), content)
      const cuts = Array.from({ length: Math.floor(content.length / 7) }, (_, i) => i * 7)
      expect(translated(htmlTranslator({ urls }), content, cuts).equals(whole), path).toBe(true)
    }
  })
})
