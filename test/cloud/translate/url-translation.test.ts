import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { outwardInText } from '../../../src/cloud/translate/urls-in-text.ts'
import { UrlTranslation } from '../../../src/cloud/translate/url-translation.ts'
import type { PlacedApplication } from '../../../src/cloud/translate/place.ts'

function placed(
  internalUrl: string,
  externalUrl: string,
  more: Partial<PlacedApplication> = {},
): PlacedApplication {
  return {
    ...{ internalUrl, externalUrl, hostHeader: 'internal' },
    ...{ groupId: 'berlin', tenantId: 'contoso' },
    ...more,
  }
}

const WIKI = placed('http://10.0.0.7:8080/', 'https://wiki.example/')
const SHOP = placed('http://shop.internal/app/', 'https://shop.example/')
const DESK = placed('https://desk.internal/', 'https://site.example/desk/')
const BOOKS = placed('http://bücher.internal/', 'https://site.example/books/')
const SIX = placed('http://[2001:db8::7]:81/', 'https://six.example/')
const TENANT = [WIKI, SHOP, DESK, BOOKS, SIX].map((one) => ({
  ...one,
  internalUrl: new URL(one.internalUrl).href,
}))
const [wiki, shop, desk, books, six] = TENANT.map((one) => new UrlTranslation(one, TENANT)) as [
  UrlTranslation,
  UrlTranslation,
  UrlTranslation,
  UrlTranslation,
  UrlTranslation,
]

describe('a URL of the inside becomes the configured one of the outside', () => {
  test.each([
    ['http://10.0.0.7:8080/', 'https://wiki.example/'],
    ['http://10.0.0.7:8080', 'https://wiki.example'],
    [
      'http://10.0.0.7:8080/a%2Fb?u=http://10.0.0.7:8080/#x',
      'https://wiki.example/a%2Fb?u=http://10.0.0.7:8080/#x',
    ],
    ['HTTP://10.0.0.7:8080/A', 'https://wiki.example/A'],
    ['https://10.0.0.7:8080/a', 'https://wiki.example/a'],
    ['//10.0.0.7:8080/a', 'https://wiki.example/a'],
    ['http://10.0.0.7:08080/a', 'https://wiki.example/a'],
    ['http://167772167:8080/a', 'https://wiki.example/a'],
    ['http://0x0a.0.0.7:8080/a', 'https://wiki.example/a'],
    ['http://10.0.0.7:8080?q', 'https://wiki.example?q'],
    ['http://wiki.example/a', 'https://wiki.example/a'],
    ['http://wiki.example:443/a', 'https://wiki.example/a'],
  ])('%s', (url, expected) => expect(wiki.outward(url)).toBe(expected))

  test.each([
    ['http://shop.internal/app/', 'https://shop.example/'],
    ['http://shop.internal/app', 'https://shop.example/'],
    ['http://shop.internal:80/app/a', 'https://shop.example/a'],
    ['https://shop.internal/app/a', 'https://shop.example/a'],
    ['https://shop.internal:80/app/a', 'https://shop.example/a'],
    ['http://SHOP.internal./app/a', 'https://shop.example/a'],
    ['http://sho%70.internal/app/a', 'https://shop.example/a'],
    ['http://shop.internal:/app/a', 'https://shop.example/a'],
    ['http://shop.internal/app/b/../a', 'https://shop.example/a'],
    ['http://shop.internal/app/ü', 'https://shop.example/ü'],
    ['/app/login?next=%2Fapp', '/login?next=%2Fapp'],
    ['/app', '/'],
    ['/app//evil.example', '/.//evil.example'],
    ['/app/.//evil.example', '/.//evil.example'],
    ['/app/app/x', '/./app/x'],
    ['http://shop.example/a', 'https://shop.example/a'],
    ['http://shop.example/app/a', 'https://shop.example/a'],
  ])('%s', (url, expected) => expect(shop.outward(url)).toBe(expected))

  test.each([
    ['https://desk.internal/a', 'https://site.example/desk/a'],
    ['https://desk.internal', 'https://site.example/desk/'],
    ['https://desk.internal?a', 'https://site.example/desk/?a'],
    ['http://desk.internal/a', 'https://site.example/desk/a'],
    ['http://desk.internal:443/a', 'https://site.example/desk/a'],
    ['/a', '/desk/a'],
    ['/', '/desk/'],
    ['http://site.example/a', 'https://site.example/desk/a'],
    ['http://site.example/desk/a', 'https://site.example/desk/a'],
  ])('%s', (url, expected) => expect(desk.outward(url)).toBe(expected))

  test('names in Unicode and IPv6 addresses have many spellings', () => {
    expect(books.outward('http://bücher.internal/a')).toBe('https://site.example/books/a')
    expect(books.outward('http://xn--bcher-kva.internal/a')).toBe('https://site.example/books/a')
    expect(books.outward('http://B%C3%BCcher.internal/a')).toBe('https://site.example/books/a')
    expect(six.outward('http://[2001:DB8:0:0:0:0:0:7]:81/a')).toBe('https://six.example/a')
    expect(six.outward('http://[2001:db8::0.0.0.7]:81/a')).toBe('https://six.example/a')
  })

  test('and so do those of its tenant’s others', () => {
    for (const one of [wiki, shop, books, six])
      expect(one.outward('https://desk.internal/a')).toBe('https://site.example/desk/a')
    expect(desk.outward('http://shop.internal/app/a')).toBe('https://shop.example/a')
  })
})

describe('what is not published stays octet for octet', () => {
  test.each([
    ...['https://10.0.0.7/', 'http://10.0.0.7/', 'http://10.0.0.7:8081/a', 'http://10.0.0.8:8080/'],
    ...['http://10.0.0.7:8080.evil.example/', 'http://10.0.0.7:8080@evil.example/'],
    ...[
      'http://evil.example/http://10.0.0.7:8080/',
      'http://user@10.0.0.7:8080/',
      'http://@10.0.0.7:8080/',
    ],
    ...[
      'http://10.0.0.7:8080\\a',
      'http:\\\\10.0.0.7:8080/',
      '/\\10.0.0.7:8080/',
      'http:/10.0.0.7:8080/',
    ],
    ...[
      'http://10.0.0.7:8080/\ta',
      'ht\ntp://10.0.0.7:8080/',
      ' http://10.0.0.7:8080/',
      'http:///10.0.0.7:8080/',
    ],
    ...[
      'ftp://10.0.0.7:8080/',
      'javascript://10.0.0.7:8080/',
      '10.0.0.7:8080/',
      'a',
      '../a',
      '?a',
      '#a',
      '',
    ],
    ...['http://10.0.0.7:80800/', 'http://10.0.0.7:8080x/', 'http://[::ffff:10.0.0.7]:8080/'],
    ...[
      'http://shop.internal/',
      'http://shop.internal/apple',
      'http://shop.internal/app/../x',
      'http://shop.internal/app%2fx',
    ],
    ...[
      'http://shop.internal/app/%2e%2e/x',
      'http://shop.internal/app/..;/x',
      'http://shop.internal/app/%252e%252e/x',
    ],
    ...[
      'http://xshop.internal/app/',
      'http://shop.internal.evil.example/app/',
      'https://wiki.example/a',
      '//wiki.example/a',
      '/a',
    ],
  ])('%j', (url) => expect(wiki.outward(url)).toBeUndefined())

  test.each([
    ...[
      '/a',
      '/',
      '/apple',
      '/app/../x',
      '/ap%70/x',
      '/app;x/y',
      '/app/%2e%2e/x',
      '/./app/x',
      '/.//evil.example',
    ],
    ...[
      '//evil.example/app/',
      '/\\evil.example/app/',
      '/app/\\evil.example',
      '/app/\t/evil.example',
    ],
  ])('%j of an application with a base path', (url) => expect(shop.outward(url)).toBeUndefined())

  test('another tenant’s', () => {
    const theirs = placed('http://shop.internal/', 'https://site.example/theirs/', {
      tenantId: 'other',
    })
    const one = new UrlTranslation(TENANT[2]!, TENANT.slice(2), [theirs])
    expect(one.outward('http://shop.internal/a')).toBeUndefined()
    expect(one.outward('https://site.example/theirs/a')).toBeUndefined()
    expect(one.isHostShared).toBe(true)
  })
})

describe('of several that a URL may mean', () => {
  const [one, two] = [
    placed('http://both.internal/', 'https://one.example/'),
    placed('http://both.internal/', 'https://two.example/', { groupId: 'paris' }),
  ]
  const deep = placed('http://both.internal/deep/', 'https://deep.example/')
  const all = [two, one, deep]

  test('it is the one of this request', () => {
    expect(new UrlTranslation(one, all).outward('http://both.internal/deep/a')).toBe(
      'https://one.example/deep/a',
    )
    expect(new UrlTranslation(two, all).outward('http://both.internal/a')).toBe(
      'https://two.example/a',
    )
  })

  test('else the one with the longest base path, and the nearest', () => {
    const other = placed('http://other.internal/', 'https://other.example/')
    const translation = new UrlTranslation(other, [...all, other])
    expect(translation.outward('http://both.internal/deep/a')).toBe('https://deep.example/a')
    expect(translation.outward('http://both.internal/a')).toBe('https://one.example/a')
  })

  test('a path stays at the application that says it', () => {
    const [a, b] = [
      placed('http://both.internal/a/', 'https://a.example/'),
      placed('http://both.internal/b/', 'https://b.example/'),
    ]
    const translation = new UrlTranslation(a, [a, b])
    expect(translation.outward('/b/x')).toBeUndefined()
    expect(translation.outward('http://both.internal/b/x')).toBe('https://b.example/x')
  })
})

describe('an application that is shown the external host', () => {
  const shown = placed('http://10.0.0.7:8080/app/', 'https://shop.example:8443/', {
    hostHeader: 'external',
  })
  const translation = new UrlTranslation(shown, [shown])

  test.each([
    ['http://shop.example:8443/app/a', 'https://shop.example:8443/a'],
    ['https://shop.example:8443/app/a', 'https://shop.example:8443/a'],
    ['http://shop.example/app/a', 'https://shop.example:8443/a'],
    ['http://shop.example:8080/app/a', 'https://shop.example:8443/a'],
    ['http://10.0.0.7:8080/app/a', 'https://shop.example:8443/a'],
    ['https://shop.example:8443/app/app/a', 'https://shop.example:8443/./app/a'],
  ])('%s', (url, expected) => expect(translation.outward(url)).toBe(expected))

  test.each([
    'https://shop.example:8443/a',
    'http://shop.example:8081/app/a',
    'https://shop.example:8443/./app/a',
  ])('%s stays', (url) => expect(translation.outward(url)).toBeUndefined())
})

describe('from the outside to what the application takes for its own', () => {
  test.each([
    [wiki, 'https://wiki.example/a?b', 'http://10.0.0.7:8080/a?b'],
    [wiki, 'https://WIKI.example:443/a', 'http://10.0.0.7:8080/a'],
    [wiki, '//wiki.example/a', 'http://10.0.0.7:8080/a'],
    [wiki, '/a', '/a'],
    [shop, 'https://shop.example/a', 'http://shop.internal/app/a'],
    [shop, '/a', '/app/a'],
    [desk, 'https://site.example/desk', 'https://desk.internal/'],
    [desk, '/desk//a', 'https://desk.internal//a'],
  ])('%# %s', (translation, url, expected) => expect(translation.inward(url)).toBe(expected))

  test.each([
    [wiki, 'http://wiki.example/a'],
    [wiki, 'https://wiki.example:8443/a'],
    [wiki, 'https://wiki.example/../a'],
    [wiki, 'https://shop.example/a'],
    [wiki, 'https://u@wiki.example/a'],
    [desk, 'https://site.example/books/a'],
    [desk, 'https://site.example/a'],
    [desk, '/a'],
  ])('%# %s stays', (translation, url) => expect(translation.inward(url)).toBeUndefined())

  test('the host that was asked for is the external one, whatever maps its port', () => {
    expect(wiki.inward('https://wiki.example:8443/a', 'wiki.example:8443')).toBe(
      'http://10.0.0.7:8080/a',
    )
    expect(wiki.inward('https://wiki.example:8444/a', 'wiki.example:8443')).toBeUndefined()
  })

  test('what it is shown as Host is its own', () => {
    const shown = placed('http://10.0.0.7:8080/app/', 'https://shop.example/', {
      hostHeader: 'external',
    })
    expect(new UrlTranslation(shown, [shown]).inward('https://shop.example/a')).toBe(
      'http://shop.example/app/a',
    )
  })
})

describe('in text', () => {
  test.each([
    ['see http://10.0.0.7:8080/a, or', 'see https://wiki.example/a, or'],
    ['{"a":"http:\\/\\/10.0.0.7:8080\\/a\\/b"}', '{"a":"https:\\/\\/wiki.example\\/a\\/b"}'],
    ['"//10.0.0.7:8080/a"', '"https://wiki.example/a"'],
    ['"\\/\\/10.0.0.7:8080\\/a"', '"https:\\/\\/wiki.example\\/a"'],
    ['"http://desk.internal"', '"https://site.example/desk"'],
    ['http://desk.internal/:', 'https://site.example/desk/:'],
    ['http://desk.internal: it', 'https://site.example/desk: it'],
    ['(http://shop.internal/app)', '(https://shop.example/)'],
    [
      'xhttp://10.0.0.7:8080/\nhttp://10.0.0.7:8080',
      'xhttp://10.0.0.7:8080/\nhttps://wiki.example',
    ],
  ])('%s', (text, expected) => expect(outwardInText(text, wiki)).toBe(expected))

  test.each([
    ...[
      'http://10.0.0.7:80801/',
      'http://10.0.0.7:8080.',
      'http://10.0.0.7:8080@x/',
      'http://10.0.0.7:8080:x@y/',
    ],
    ...[
      'http://desk.internal:pw@evil.example/',
      'http://desk.internal:443x',
      'http://desk.internal.',
      'http://desk.internal;',
    ],
    ...[
      'http://desk.internal,x@evil.example/',
      '// desk.internal/',
      '//desk.internal/',
      'http:\\/desk.internal/',
    ],
    ...['http://shop.internal/apple', 'http://shop.internal/app/../x', 'http://shop.internal'],
  ])('%s stays', (text) => expect(outwardInText(text, wiki)).toBe(text))
})

/** Each takes a second. */
const RUNS = { numRuns: Number(process.env['TRANSLATIONS'] ?? 1_000) }

// ── properties ──────────────────────────────────────────────────────────────────────────────

const base = fc.constantFrom('/', '/a/', '/b/', '/a/b/', '/a/a/')
const host = fc.constantFrom(
  'one.internal',
  'two.internal:8080',
  '10.0.0.7',
  '[::7]:81',
  'x.example',
)
const outside = fc.constantFrom('x.example', 'y.example:8443', 'z.example', 'one.internal')
const application = fc
  .record({
    scheme: fc.constantFrom('http', 'https'),
    ...{ host, outside, inner: base, outer: base },
    hostHeader: fc.constantFrom('internal' as const, 'external' as const),
  })
  .map(({ scheme, host: inside, outside: seen, inner, outer, hostHeader }) =>
    placed(new URL(`${scheme}://${inside}${inner}`).href, `https://${seen}${outer}`, {
      hostHeader,
    }),
  )
const tenant = fc.uniqueArray(application, {
  minLength: 1,
  maxLength: 4,
  selector: ({ externalUrl }) => externalUrl,
})
const segments = fc
  .array(fc.constantFrom('a', 'b', '', '.', '..', '%2e%2e', 'x', 'evil.example', 'ü', '%2f', ';'), {
    maxLength: 5,
  })
  .map((parts) => parts.map((part) => `/${part}`).join(''))
const authority = fc.oneof(
  host,
  outside,
  fc.constantFrom(
    'ONE.internal',
    'one.internal.',
    'one.internal:80',
    'x.example:443',
    'x.example:8080',
  ),
  fc.constantFrom(
    'evil.example',
    'one.internal.evil.example',
    'u@one.internal',
    'one.internal@evil.example',
    '',
  ),
)
const reference = fc
  .tuple(
    fc.constantFrom(
      'http://',
      'https://',
      'HTTP://',
      '//',
      '',
      '/\\',
      'http:/',
      '/',
      '\\\\',
      'http:\\\\',
    ),
    ...[authority, segments, fc.constantFrom('', '?a=/b', '#c')],
  )
  .map(([start, where, path, end]) => (start === '' ? path + end : start + where + path + end))

describe('whatever is published, and whatever is said', () => {
  const parsed = (url: string, from: string) =>
    URL.canParse(url, from) ? new URL(url, from) : undefined

  test('translating twice is translating once', () =>
    fc.assert(
      fc.property(tenant, reference, (applications, url) => {
        const translation = new UrlTranslation(applications[0]!, applications)
        const once = translation.outward(url) ?? url
        expect(translation.outward(once)).toBeUndefined()
      }),
      RUNS,
    ))

  test('the result is the external URL of one of them; what was of the same origin stays there', () =>
    fc.assert(
      fc.property(tenant, reference, (applications, url) => {
        const translation = new UrlTranslation(applications[0]!, applications)
        const translated = translation.outward(url)
        if (translated === undefined) return
        const own = applications[0]!.externalUrl
        const result = parsed(translated, own)!
        expect(
          applications.some(({ externalUrl }) => isWithin(externalUrl, result)),
          translated,
        ).toBe(true)
        if (parsed(url, own)?.origin === new URL(own).origin)
          expect(result.origin).toBe(new URL(own).origin)
      }),
      RUNS,
    ))

  test('what names none of their hosts is not touched', () =>
    fc.assert(
      fc.property(tenant, reference, (applications, url) => {
        const translation = new UrlTranslation(applications[0]!, applications)
        const hosts = applications.flatMap(({ internalUrl, externalUrl }) => [
          internalUrl,
          externalUrl,
        ])
        const said = parsed(url, applications[0]!.externalUrl)
        const isTheirs = hosts.some((one) => bare(new URL(one)) === (said && bare(said)))
        if (!isTheirs) expect(translation.outward(url)).toBeUndefined()
      }),
      RUNS,
    ))

  test('what goes in comes out again', () =>
    fc.assert(
      fc.property(tenant, segments, (applications, path) => {
        const own = applications[0]!
        // One that is inside at the address of another's outside is that other, for all that is said.
        const translation = new UrlTranslation(own, applications)
        // A path that begins with the external base is external, for whoever calls itself so.
        const { hostHeader, internalUrl, externalUrl } = own
        if (
          hostHeader === 'external' &&
          new URL(internalUrl).pathname !== new URL(externalUrl).pathname
        )
          return
        const origin = translation.ownOrigin
        if (applications.some(({ externalUrl }) => new URL(externalUrl).origin === origin)) return
        const url = new URL(own.externalUrl).origin + path
        const inside = translation.inward(url)
        if (inside === undefined) return
        const back = translation.outward(inside) ?? inside
        expect(settled(parsed(back, own.externalUrl)!.href)).toBe(settled(url))
      }),
      RUNS,
    ))

  test('text has them translated as they are alone, and everything else as it was', () =>
    fc.assert(
      fc.property(
        tenant,
        reference,
        fc.constantFrom('"', ' ', '(', '>'),
        (applications, url, left) => {
          const translation = new UrlTranslation(applications[0]!, applications)
          const once = outwardInText(`${left}${url} `, translation)
          expect(outwardInText(once, translation)).toBe(once)
          if (once !== `${left}${url} `)
            expect(once.startsWith(left) && once.endsWith(' ')).toBe(true)
        },
      ),
      RUNS,
    ))
})

const bare = ({ hostname }: URL) => hostname.replace(/\.$/, '')

function isWithin(externalUrl: string, { origin, pathname }: URL): boolean {
  const external = new URL(externalUrl)
  return origin === external.origin && `${pathname}/`.startsWith(external.pathname)
}

/** A base path with and without its slash is one place. */
const settled = (url: string) => new URL(url).href.replace(/\/$/, '')
