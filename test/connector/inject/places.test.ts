import { describe, expect, test } from 'vitest'
import { closeness, parsePlace, placeName } from '../../../src/connector/inject/places.ts'

const isAt = (place: string, internalUrl: string) =>
  closeness([parsePlace(place)!], new URL(internalUrl).origin) > 0

// prettier-ignore
test.each<[place: string, there: readonly string[], elsewhere: readonly string[]]>([
  ['https://wiki.corp.example',
    ['https://wiki.corp.example/', 'https://WIKI.corp.example:443/base/', 'https://wiki.corp.example/?x', 'https://me:pw@wiki.corp.example/'],
    ['http://wiki.corp.example/', 'https://wiki.corp.example:8443/', 'https://wiki.corp.example./', 'https://wiki.corp.example.evil.example/', 'https://evil.example/wiki.corp.example', 'https://wiki.corp.example@evil.example/', 'https://xwiki.corp.example/', 'https://corp.example/', 'https://a.wiki.corp.example/']],
  ['https://wiki.corp.example:8443/', ['https://wiki.corp.example:8443/'], ['https://wiki.corp.example/', 'https://wiki.corp.example:8444/']],
  ['HTTPS://Wiki.Corp.Example:443', ['https://wiki.corp.example/'], ['https://wiki.corp.example:444/']],
  ['http://wiki.corp.example', ['http://wiki.corp.example:80/'], ['https://wiki.corp.example/', 'http://wiki.corp.example:443/']],
  ['https://*.corp.example',
    ['https://a.corp.example/', 'https://a.b.corp.example/', 'https://-.corp.example/'],
    ['https://corp.example/', 'https://evilcorp.example/', 'https://a.corp.example:8443/', 'http://a.corp.example/', 'https://a.corp.example.evil.example/', 'https://a.corp.example./', 'https://a_corp.example/']],
  ['https://*.corp.example:8443', ['https://a.corp.example:8443/'], ['https://a.corp.example/']],
  ['https://*.example', ['https://corp.example/', 'https://a.corp.example/'], ['https://example/']],
  ['https://10.0.0.1', ['https://10.0.0.1/', 'https://167772161/', 'https://0xa.1/'], ['https://10.0.0.10/', 'https://[::ffff:10.0.0.1]/']],
  ['https://[2001:db8::1]:8443', ['https://[2001:DB8:0::1]:8443/'], ['https://[2001:db8::2]:8443/']],
  ['https://bücher.example', ['https://xn--bcher-kva.example/'], ['https://bucher.example/']],
])('%s', (place, there, elsewhere) => {
  expect(there.filter((url) => !isAt(place, url))).toEqual([])
  expect(elsewhere.filter((url) => isAt(place, url))).toEqual([])
})

test.each([
  '',
  'wiki.corp.example',
  'https://',
  'ftp://wiki.corp.example',
  'https:wiki.corp.example',
  'https://wiki.corp.example/base',
  'https://wiki.corp.example//',
  'https://wiki.corp.example?x',
  'https://wiki.corp.example#x',
  'https://me@wiki.corp.example',
  'https://me:pw@wiki.corp.example',
  'https://wi\tki.corp.example',
  ' https://wiki.corp.example',
  'https://wiki.corp.example\n',
  'https://wiki.corp.example\\x',
  'https://wiki.corp.example:99999',
  'https://*',
  'https://*.',
  'https://*:443',
  'https://*.*.example',
  'https://a.*.example',
  'https://wiki*.example',
  'https://*.0.0.1',
  'https://*.1',
  'https://*.[::1]',
  'https://**.corp.example',
])('%j is no place', (text) => expect(parsePlace(text)).toBeUndefined())

test('is written in one form', () =>
  expect(
    ['HTTPS://A.Example:443/', 'https://*.A.example:8443', 'http://a.example:80'].map((text) =>
      placeName(parsePlace(text)!),
    ),
  ).toEqual(['https://a.example', 'https://*.a.example:8443', 'http://a.example']))

describe('of several', () => {
  const places = ['https://*.example', 'https://*.corp.example', 'https://wiki.corp.example']
  const closest = (origin: string) => {
    const close = places.map((place) => closeness([parsePlace(place)!], origin))
    return places[close.indexOf(Math.max(...close))]
  }
  test.each([
    ['https://wiki.corp.example', 'https://wiki.corp.example'],
    ['https://crm.corp.example', 'https://*.corp.example'],
    ['https://corp.example', 'https://*.example'],
  ])('the closest to %s is %s', (origin, place) => expect(closest(origin)).toBe(place))
})
