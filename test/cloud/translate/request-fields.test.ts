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
const told = (one: ReturnType<typeof translated>, name: string, value: string) =>
  one.request([name, value])[1]

describe('Origin', () => {
  const wiki = translated([WIKI, SHOP])
  test('is the internal one for the application’s own pages', () => {
    expect(told(wiki, 'Origin', 'https://wiki.example')).toBe('http://10.0.0.7:8080')
    expect(told(wiki, 'ORIGIN', 'https://wiki.example')).toBe('http://10.0.0.7:8080')
  })

  test.each([
    'null',
    'https://else.example',
    'https://shop.example',
    'http://wiki.example',
    'https://wiki.example/',
    'https://wiki.example:8443',
    'https://wiki.example https://wiki.example',
    'http://10.0.0.7:8080',
    '',
  ])('%j stays', (origin) => expect(told(wiki, 'Origin', origin)).toBe(origin))

  test('a port that is mapped on the way is the one that was asked for', () => {
    const mapped = translated([WIKI], { authority: 'wiki.example:8443' })
    expect(told(mapped, 'Origin', 'https://wiki.example:8443')).toBe('http://10.0.0.7:8080')
    expect(told(mapped, 'Origin', 'https://wiki.example:9443')).toBe('https://wiki.example:9443')
  })

  test('on a shared host only where it is listed', () => {
    expect(told(translated([DESK, ROOT]), 'Origin', 'https://site.example')).toBe(
      'https://site.example',
    )
    const listed = translated([
      { ...DESK, translate: { trustedOrigins: ['https://site.example'] } },
      ROOT,
    ])
    expect(told(listed, 'Origin', 'https://site.example')).toBe('http://desk.internal')
    const theirs = translated([DESK, { ...ROOT, tenant: 'fabrikam' }])
    expect(told(theirs, 'Origin', 'https://site.example')).toBe('https://site.example')
  })

  test('of another application only where it is listed, and says which it is', () => {
    const listed = translated([
      { ...WIKI, translate: { trustedOrigins: ['https://shop.example'] } },
      SHOP,
    ])
    expect(told(listed, 'Origin', 'https://shop.example')).toBe('http://shop.internal')
    const shared = translated([
      { ...WIKI, translate: { trustedOrigins: ['https://site.example'] } },
      DESK,
      ROOT,
    ])
    expect(told(shared, 'Origin', 'https://site.example')).toBe('https://site.example')
  })

  test('stays where the application is shown the external host', () => {
    const shown = translated([{ ...WIKI, hostHeader: 'external' }])
    expect(told(shown, 'Origin', 'https://wiki.example')).toBe('https://wiki.example')
    expect(told(shown, 'Referer', 'https://wiki.example/a')).toBe('https://wiki.example/a')
  })
})

describe('Referer', () => {
  test('is the internal one for the application’s own pages', () => {
    expect(told(translated([WIKI]), 'Referer', 'https://wiki.example/a?b')).toBe(
      'http://10.0.0.7:8080/a?b',
    )
    expect(told(translated([SHOP]), 'Referer', 'https://shop.example/a')).toBe(
      'http://shop.internal/app/a',
    )
    expect(told(translated([SHOP]), 'Referer', 'https://shop.example')).toBe(
      'http://shop.internal/app/',
    )
  })

  test.each([
    'https://else.example/?https://wiki.example/',
    'https://wiki.example.else.example/',
    '/a',
    'https://shop.example/a',
    'about:blank',
    'https://u@wiki.example/',
  ])('%s stays', (url) => expect(told(translated([WIKI, SHOP]), 'Referer', url)).toBe(url))

  test('on a shared host only where it is listed', () => {
    expect(told(translated([DESK, ROOT]), 'Referer', 'https://site.example/desk/a')).toBe(
      'https://site.example/desk/a',
    )
    const listed = translated([
      { ...DESK, translate: { trustedOrigins: ['https://site.example'] } },
      ROOT,
    ])
    expect(told(listed, 'Referer', 'https://site.example/desk/a')).toBe('http://desk.internal/a')
    expect(told(listed, 'Referer', 'https://site.example/a')).toBe('https://site.example/a')
    const trusting = translated([
      { ...WIKI, translate: { trustedOrigins: ['https://site.example'] } },
      DESK,
      ROOT,
    ])
    expect(told(trusting, 'Referer', 'https://site.example/desk/a')).toBe('http://desk.internal/a')
  })
})

describe('what WebDAV names', () => {
  const copy = { method: 'COPY' }
  test.each([
    [WIKI, 'https://wiki.example/b%20c', 'http://10.0.0.7:8080/b%20c'],
    [WIKI, 'HTTPS://Wiki.Example:443/b', 'http://10.0.0.7:8080/b'],
    [WIKI, '/b', '/b'],
    [SHOP, 'https://shop.example/b', 'http://shop.internal/app/b'],
    [SHOP, '/b', '/app/b'],
    [
      { ...SHOP, hostHeader: 'external' as const },
      'https://shop.example/b',
      'http://shop.example/app/b',
    ],
    [
      { ...WIKI, hostHeader: 'external' as const },
      'https://wiki.example/b',
      'http://wiki.example/b',
    ],
    [WIKI, 'https://else.example/b', 'https://else.example/b'],
  ])('%# Destination %s', (application, from, to) =>
    expect(told(translated([application], copy), 'Destination', from)).toBe(to),
  )

  test.each([
    [WIKI, 'https://wiki.example/../b'],
    [WIKI, 'https://wiki.example/a%2f..%2fb'],
    [DESK, 'https://site.example/b'],
    [DESK, '/b'],
    [SHOP, 'http://shop.internal/secret'],
    [SHOP, 'https://else.example/secret'],
    [SHOP, 'secret'],
  ])('%# nothing is copied to %s', (application, to) => {
    for (const method of ['COPY', 'MOVE'])
      expect(() => told(translated([application], { method }), 'Destination', to)).toThrow(
        'malformed',
      )
    expect(told(translated([application]), 'Destination', to)).toBe(to)
  })

  test.each([
    [
      '<https://wiki.example/a> (<urn:uuid:1> ["e"]) (Not <urn:uuid:2>)',
      '<http://10.0.0.7:8080/a> (<urn:uuid:1> ["e"]) (Not <urn:uuid:2>)',
    ],
    [
      '</a> (["x)<https://wiki.example/>"])<https://wiki.example/b>(<x>)',
      '</a> (["x)<https://wiki.example/>"])<http://10.0.0.7:8080/b>(<x>)',
    ],
    ['(<https://wiki.example/lock>)', '(<https://wiki.example/lock>)'],
    ['<https://else.example/> (<x>)', '<https://else.example/> (<x>)'],
  ])('If: %s', (from, to) => expect(told(translated([WIKI]), 'If', from)).toBe(to))
})

describe('what is said of the outside', () => {
  const forwarded = (application: object) => {
    const { published } = translated([{ ...WIKI, ...application }])
    return published.forwarded
  }
  test('is the same, whichever host is shown', () => {
    for (const hostHeader of ['internal', 'external'])
      expect(forwarded({ hostHeader })).toEqual({
        host: 'wiki.example',
        tail: ';host="wiki.example";proto=https',
        more: [],
      })
  })
  test('has the port that is not the scheme’s, and the base path that only users see', () => {
    expect(forwarded({ externalUrl: 'https://wiki.example:8443/docs/' }).more).toEqual([
      ...['X-Forwarded-Port', '8443', 'X-Forwarded-Prefix', '/docs'],
    ])
    expect(
      forwarded({ externalUrl: 'https://wiki.example/docs/', internalUrl: 'http://10.0.0.7/docs/' })
        .more,
    ).toEqual([])
  })
})

test('fields that a connection nominates are its own', () =>
  expect(
    translated([WIKI]).request(['Connection', 'referer', 'Referer', 'https://wiki.example/']),
  ).toEqual([]))
