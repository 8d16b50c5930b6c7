import { describe, expect, test } from 'vitest'
import { translated } from './translated.ts'

const WIKI = {
  id: 'wiki',
  internalUrl: 'http://10.0.0.7:8080/',
  externalUrl: 'https://wiki.example/',
}
const SHOP = {
  id: 'shop',
  internalUrl: 'http://shop.internal/app/',
  externalUrl: 'https://shop.example/',
}
const DESK = {
  id: 'desk',
  internalUrl: 'http://desk.internal/',
  externalUrl: 'https://site.example/desk/',
}
const ROOT = {
  id: 'root',
  internalUrl: 'http://root.internal/',
  externalUrl: 'https://site.example/',
}
const wiki = translated([WIKI, SHOP, DESK, ROOT])
const shop = translated([SHOP, WIKI, DESK, ROOT])
const desk = translated([DESK, ROOT, WIKI, SHOP])

describe('where a redirect leads', () => {
  test.each(['Location', 'content-location'])('%s', (name) => {
    expect(wiki.field(name, 'http://10.0.0.7:8080/a?b')).toBe('https://wiki.example/a?b')
    expect(wiki.field(name, 'https://10.0.0.7:8080')).toBe('https://wiki.example')
    expect(wiki.field(name, 'http://shop.internal/app/x')).toBe('https://shop.example/x')
    expect(shop.field(name, '/app/login')).toBe('/login')
    expect(shop.field(name, 'http://shop.internal')).toBe('https://shop.example/')
    expect(wiki.field(name, 'https://sts.example/?u=http://10.0.0.7:8080/')).toBe(
      'https://sts.example/?u=http://10.0.0.7:8080/',
    )
  })

  test('a name in UTF-8 is a name', () => {
    const one = translated([
      { internalUrl: 'http://xn--bcher-kva.internal/', externalUrl: 'https://b.example/' },
    ])
    expect(one.field('Location', 'http://b\u00c3\u00bccher.internal/\u00c3\u00bc')).toBe(
      'https://b.example/\u00c3\u00bc',
    )
    expect(one.field('Location', 'http://b\u00fccher.internal/')).toBe(
      'http://b\u00fccher.internal/',
    )
  })
})

describe('Refresh', () => {
  test.each([
    ['0;URL=http://10.0.0.7:8080/a', '0;URL=https://wiki.example/a'],
    ["0;URL='http://10.0.0.7:8080/a'", "0;URL='https://wiki.example/a'"],
    ['5 ; url = "http://10.0.0.7:8080/a" x', '5 ; url = "https://wiki.example/a" x'],
    ['5, http://10.0.0.7:8080/a', '5, https://wiki.example/a'],
    ['1.5 http://10.0.0.7:8080/a;b', '1.5 https://wiki.example/a;b'],
    ["0;url='http://10.0.0.7:8080/a", "0;url='https://wiki.example/a"],
    ['.5;Url=//10.0.0.7:8080/a', '.5;Url=https://wiki.example/a'],
  ])('%s', (from, to) => expect(wiki.field('Refresh', from)).toBe(to))

  test.each([
    '5',
    '',
    'x;url=http://10.0.0.7:8080/',
    '0;url=https://else.example/',
    '0;url=',
    '-1;url=http://10.0.0.7:8080/',
  ])('%j stays', (value) => expect(wiki.field('refresh', value)).toBe(value))
})

describe('Link', () => {
  test.each([
    ['<http://10.0.0.7:8080/a>; rel=next', '<https://wiki.example/a>; rel=next'],
    [
      '<http://10.0.0.7:8080/a,b>;rel="x,y; z", </c>, <http://shop.internal/app/d>',
      '<https://wiki.example/a,b>;rel="x,y; z", </c>, <https://shop.example/d>',
    ],
    [
      '<a>; title="\\"<http://10.0.0.7:8080/>, "; anchor="http://10.0.0.7:8080/b"',
      '<a>; title="\\"<http://10.0.0.7:8080/>, "; anchor="https://wiki.example/b"',
    ],
    ['<a>; ANCHOR = http://10.0.0.7:8080/b', '<a>; ANCHOR = https://wiki.example/b'],
    [
      '<a>;rel=preload;imagesrcset="http://10.0.0.7:8080/1 1x, /2 2x"',
      '<a>;rel=preload;imagesrcset="https://wiki.example/1 1x, /2 2x"',
    ],
    [
      ', ,<http://10.0.0.7:8080/>;;rel=x;,< http://10.0.0.7:8080/b >',
      ', ,<https://wiki.example/>;;rel=x;,< https://wiki.example/b >',
    ],
  ])('%s', (from, to) => expect(wiki.field('Link', from)).toBe(to))

  test.each([
    '<a>; rel="http://10.0.0.7:8080/rel"',
    '<http://else.example/>; rel=next; anchor="#x"',
    'http://10.0.0.7:8080/; rel=next',
    '<http://10.0.0.7:8080/',
    '<a>; anchor="http://10.0.0.7:8080/\\""',
    '',
  ])('%s stays', (value) => expect(wiki.field('link', value)).toBe(value))

  test('in early hints too', () =>
    expect(wiki.answer(['Link', '<http://10.0.0.7:8080/a>; rel=preload'], 103)).toEqual([
      'Link',
      '<https://wiki.example/a>; rel=preload',
    ]))
})

describe('a content security policy', () => {
  const policy = (value: string) => wiki.field('Content-Security-Policy', value)
  test.each([
    ['default-src http://10.0.0.7:8080', 'default-src https://wiki.example'],
    [
      "default-src 'self' 10.0.0.7:8080 ; img-src http://shop.internal",
      "default-src 'self' wiki.example ; img-src https://shop.example",
    ],
    ['IMG-SRC HTTP://10.0.0.7:8080/a/ data:', 'IMG-SRC https://wiki.example/a/ data:'],
    [
      'connect-src ws://10.0.0.7:8080 https://desk.internal',
      'connect-src wss://wiki.example https://site.example/desk/',
    ],
    [
      'frame-ancestors http://shop.internal/app/x, script-src http://10.0.0.7:8080;',
      'frame-ancestors https://shop.example/x, script-src https://wiki.example;',
    ],
    [
      'img-src desk.internal;report-uri http://10.0.0.7:8080/r /x',
      'img-src site.example/desk/;report-uri https://wiki.example/r /x',
    ],
  ])('%s', (from, to) => {
    expect(policy(from)).toBe(to)
    expect(wiki.field('content-security-policy-report-only', from)).toBe(to)
  })

  test.each([
    "default-src 'none'; img-src http://*.internal http://10.0.0.7:* * http: https://10.0.0.7 else.example",
    "script-src 'nonce-http://10.0.0.7:8080' 'sha256-aHR0cDovLzEwLjAuMC43OjgwODA=' 'strict-dynamic'",
    'x-src http://10.0.0.7:8080; sandbox http://10.0.0.7:8080; report-to http://10.0.0.7:8080',
    'img-src http://shop.internal/other http://shop.internal/application/',
    'img-src https://wiki.example http://user@10.0.0.7:8080',
    'http://10.0.0.7:8080 http://10.0.0.7:8080',
    ';;,,',
  ])('%s stays', (value) => expect(policy(value)).toBe(value))
})

describe('where reports go', () => {
  test.each([
    [
      'Reporting-Endpoints',
      'a="http://10.0.0.7:8080/r", b="/x";p=1',
      'a="https://wiki.example/r", b="/x";p=1',
    ],
    [
      'Reporting-Endpoints',
      'a="https://10.0.0.9/r", b="https://r.example/"',
      'b="https://r.example/"',
    ],
    ['Reporting-Endpoints', 'a="http://collector.internal/r"', undefined],
    ['Reporting-Endpoints', 'a="https://wiki.example/r"', 'a="https://wiki.example/r"'],
    [
      'Report-To',
      '{"group":"g","max_age":1,"endpoints":[{"url":"http://10.0.0.7:8080/r"}]}',
      '{"group":"g","max_age":1,"endpoints":[{"url":"https://wiki.example/r"}]}',
    ],
    [
      'Report-To',
      '{"endpoints":[{"url":"https://r.example/"}],  "max_age":1}',
      '{"endpoints":[{"url":"https://r.example/"}],  "max_age":1}',
    ],
    [
      'Report-To',
      '{"endpoints":[{"url":"https://r.example/"}],"include_subdomains":true}',
      undefined,
    ],
    [
      'Report-To',
      '{"endpoints":[{"url":"http://collector/r"}]}, {"group":"b","endpoints":[]}',
      '{"group":"b","endpoints":[]}',
    ],
    ['Report-To', '{"endpoints":', undefined],
    ['NEL', '{"report_to":"g","max_age":1}', '{"report_to":"g","max_age":1}'],
    ['NEL', '{"report_to":"g","max_age":1,"include_subdomains":true}', undefined],
    ['SourceMap', 'http://10.0.0.7:8080/a.map', 'https://wiki.example/a.map'],
    ['X-SourceMap', '/a.map', '/a.map'],
    ['SourceMap', 'http://build.corp.internal/a.map', undefined],
    ['SourceMap', '\\\\build\\a.map', undefined],
  ])('%s: %s', (name, from, to) => expect(wiki.field(name, from)).toBe(to))

  test('for a host that others share nothing is asked for', () => {
    expect(desk.field('NEL', '{"report_to":"g","max_age":1}')).toBeUndefined()
    expect(desk.field('Report-To', '{"endpoints":[{"url":"https://r.example/"}]}')).toBeUndefined()
    expect(desk.field('Reporting-Endpoints', 'a="/r"')).toBe(
      'a="/desk/r"'.replace('/desk/r', '/desk/r'),
    )
  })
})

describe('how far a service worker reaches', () => {
  test.each([
    [wiki, '/', '/'],
    [wiki, '/a/', '/a/'],
    [shop, '/app/', '/'],
    [shop, '/app/a', '/a'],
    [shop, '/', '/'],
    [desk, '/', '/desk/'],
    [desk, '/a', '/desk/a'],
    [desk, './', './'],
    [desk, 'http://desk.internal/a', '/desk/a'],
    [desk, 'http://else.example/', undefined],
    [translated([ROOT, DESK]), '/', undefined],
    [translated([ROOT, DESK]), '/a', '/a'],
    // A scope is the beginning of a path.
    [translated([ROOT, DESK]), '/d', undefined],
    [translated([ROOT, DESK]), '/desk', undefined],
    [translated([ROOT, DESK]), '/desk/a', undefined],
    [translated([ROOT, DESK]), '/desktop', '/desktop'],
    [translated([DESK, ROOT]), './', './'],
    [translated([DESK, ROOT]), ROOT.internalUrl, undefined],
    [translated([DESK, ROOT]), `${ROOT.internalUrl}a`, undefined],
  ])('%# %s', (one, from, to) => expect(one.field('Service-Worker-Allowed', from)).toBe(to))
})

describe('Access-Control-Allow-Origin', () => {
  test('answers the origin that was told, and says so', () => {
    const one = translated([WIKI])
    expect(one.request(['Origin', 'https://wiki.example'])).toEqual([
      'Origin',
      'http://10.0.0.7:8080',
    ])
    expect(one.answer(['access-control-allow-origin', 'http://10.0.0.7:8080'])).toEqual([
      ...['access-control-allow-origin', 'https://wiki.example', 'Vary', 'Origin'],
    ])
    const vary = ['Access-Control-Allow-Origin', 'http://10.0.0.7:8080', 'Vary', 'Accept, origin']
    expect(one.answer(vary)).toEqual([vary[0], 'https://wiki.example', ...vary.slice(2)])
  })

  test.each([
    '*',
    'null',
    'http://10.0.0.7:8080/',
    'HTTP://10.0.0.7:8080',
    'http://else.example',
    'http://shop.internal',
  ])('%s stays', (value) => {
    const one = translated([WIKI, SHOP])
    one.request(['Origin', 'https://wiki.example'])
    expect(one.answer(['Access-Control-Allow-Origin', value])).toEqual([
      'Access-Control-Allow-Origin',
      value,
    ])
  })

  test('stays where the request’s origin did', () => {
    const one = translated([WIKI])
    one.request(['Origin', 'https://else.example'])
    const value = ['Access-Control-Allow-Origin', 'http://10.0.0.7:8080']
    expect(one.answer(value)).toEqual(value)
  })
})

test('one option leaves all of it as it came', () => {
  const off = translated([{ ...WIKI, translate: { headers: false } }])
  const headers = ['Location', 'http://10.0.0.7:8080/', 'Set-Cookie', 'a=b; Domain=x']
  expect(off.answer(headers)).toBe(headers)
  expect(off.request(['Origin', 'https://wiki.example'])).toEqual([
    'Origin',
    'https://wiki.example',
  ])
})

test('an answer without any of it is the list that came', () => {
  const headers = ['Date', 'x', 'Content-Type', 'text/html', 'Location', '/a', 'ETag', '"x"']
  expect(wiki.answer(headers)).toBe(headers)
})

test('which rules changed something is told, and no value', () => {
  const one = translated([ROOT, DESK])
  one.request(['Referer', 'https://site.example/x'])
  expect(one.exchange!.rules).toEqual([])
  one.answer([
    'Location',
    'http://root.internal/secret',
    'Link',
    '</a>',
    'Set-Cookie',
    '__Host-id=secret; Secure; Path=/',
  ])
  one.answer(['Location', 'http://root.internal/', 'Set-Cookie', '__Host-id=other; Secure; Path=/'])
  expect(one.exchange!.rules).toEqual(['location', 'set-cookie-dropped'])
  expect(one.audit.events).toEqual([
    expect.objectContaining({
      type: 'translation.dropped',
      detail: { field: 'set-cookie', cookie: '__Host-id' },
    }),
  ])
  expect(JSON.stringify(one.audit.events)).not.toContain('secret')
})
