import { describe, expect, test } from 'vitest'
import { translated, type TestApplication } from './translated.ts'

const WIKI = { id: 'wiki', internalUrl: 'http://10.0.0.7/', externalUrl: 'https://wiki.example/' }
const SHOP = {
  id: 'shop',
  internalUrl: 'http://shop.corp.internal/app/',
  externalUrl: 'https://shop.corp.example/',
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
const cookie = (applications: readonly TestApplication[], value: string, asked: object = {}) =>
  translated(applications, asked).field('Set-Cookie', value)

describe('a cookie comes for no more than it came for', () => {
  test.each([
    ['a=b', 'a=b; Secure'],
    ['a=b; Path=/; HttpOnly; Secure', 'a=b; Path=/; HttpOnly; Secure'],
    ['a=b;path=/x ;SECURE;DOMAIN=10.0.0.7;foo', 'a=b;path=/x ;SECURE;foo'],
    ['a=b; Domain=.corp.internal', 'a=b; Secure'],
    ['a=b; domain', 'a=b; Secure'],
    ['a="x;Path=/y"; Secure', 'a="x;Path=/y"; Secure'],
    ['foo', 'foo; Secure'],
    ['=foo; Domain=x', '=foo; Secure'],
    ['', '; Secure'],
    ['a=b; SameSite=None; Secure', 'a=b; SameSite=Lax; Secure'],
    ['a=b; samesite = NONE ; Secure', 'a=b; SameSite=Lax; Secure'],
    ['a=b; SameSite=Strict; SameSite=Lax; Secure', 'a=b; SameSite=Strict; SameSite=Lax; Secure'],
    [
      'a=b; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Max-Age=1; Secure; Partitioned',
      'a=b; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Max-Age=1; Secure; Partitioned',
    ],
    ['__Host-a=b; Secure; Path=/', '__Host-a=b; Secure; Path=/'],
    ['__Secure-a=b; Secure; Domain=corp.internal', '__Secure-a=b; Secure'],
  ])('%j', (from, to) => expect(cookie([WIKI], from)).toBe(to))

  test.each([
    ['a=b; Path=/app; Secure', 'a=b; Secure; Path=/'],
    ['a=b; Path=/app/; Secure', 'a=b; Secure; Path=/'],
    ['a=b; Path=/app/x/y; Secure', 'a=b; Secure; Path=/x/y'],
    ['a=b; Path=/; Secure', 'a=b; Path=/; Secure'],
    ['a=b; Path=/apple; Secure', 'a=b; Secure; Path=/'],
    ['a=b; Path=x; Secure', 'a=b; Path=x; Secure'],
    ['a=b; Path=/x; PATH=/app/y; Secure', 'a=b; Secure; Path=/y'],
    ['a=b; Path=/app/y; Path; Secure', 'a=b; Path; Secure'],
    ['__Host-a=b; Path=/; Secure', '__Host-a=b; Path=/; Secure'],
    ['__Host-a=b; Path=/app; Secure', '__Host-a=b; Secure; Path=/'],
  ])('%j of an application with a base path', (from, to) => expect(cookie([SHOP], from)).toBe(to))

  test.each([
    ['a=b; Path=/; Secure', 'a=b; Secure; Path=/desk/'],
    ['a=b; Path=/x; Secure', 'a=b; Secure; Path=/desk/x'],
    ['a=b; Path=/desk; Secure', 'a=b; Path=/desk; Secure'],
    ['a=b; Secure', 'a=b; Secure'],
    ['__Host-a=b; Path=/; Secure', undefined],
    ['__host-a=b; Path=/; Secure', undefined],
    ['__Secure-a=b; Path=/; Secure', '__Secure-a=b; Secure; Path=/desk/'],
  ])('%j on a host that others share', (from, to) => expect(cookie([DESK, ROOT], from)).toBe(to))

  test('without a path it is for the external base, where a browser would take more', () => {
    expect(cookie([DESK, ROOT], 'a=b; Secure', { path: '/desk' })).toBe('a=b; Secure; Path=/desk/')
    expect(cookie([DESK, ROOT], 'a=b; Secure', { path: '/desk/' })).toBe('a=b; Secure')
    expect(cookie([DESK, ROOT], 'a=b; Secure; Path=', { path: '/desk' })).toBe(
      'a=b; Secure; Path=/desk/',
    )
  })

  test('names that say a whole host stay on a host of their own', () =>
    expect(cookie([DESK], '__Host-a=b; Path=/; Secure')).toBe('__Host-a=b; Path=/; Secure'))
})

describe('by option', () => {
  test('has the domain that is configured, where it came with one', () => {
    const one = { ...SHOP, translate: { cookies: { domain: 'corp.example' } } }
    expect(cookie([one], 'a=b; Domain=corp.internal; Secure')).toBe(
      'a=b; Secure; Domain=corp.example',
    )
    expect(cookie([one], 'a=b; Domain=.SHOP.corp.internal; Secure')).toBe(
      'a=b; Secure; Domain=corp.example',
    )
    expect(cookie([one], 'a=b; Secure')).toBe('a=b; Secure')
    expect(cookie([one], 'a=b; Domain=shop.corp.example; Secure')).toBe(
      'a=b; Domain=shop.corp.example; Secure',
    )
    expect(cookie([one], 'a=b; Domain=other.corp.example; Secure')).toBe('a=b; Secure')
    expect(cookie([one], 'a=b; Domain=else.example; Secure')).toBe('a=b; Secure')
    expect(cookie([one], '__Host-a=b; Path=/; Domain=corp.internal; Secure')).toBe(
      '__Host-a=b; Path=/; Secure',
    )
  })

  test('other sites keep it, where the application is shown in their frames', () => {
    const embedding = { ancestors: ['https://portal.example'] }
    expect(cookie([{ ...WIKI, embedding }], 'a=b; SameSite=None; Secure')).toBe(
      'a=b; SameSite=None; Secure',
    )
    const crossSite = { ...WIKI, translate: { cookies: { crossSite: true } } }
    expect(cookie([crossSite], 'a=b; SameSite=None; Secure')).toBe('a=b; SameSite=None; Secure')
  })

  test('names have a prefix on a shared host, and the application sees none', () => {
    const prefixed = { translate: { cookies: { prefixed: true } } }
    const one = translated([
      { ...DESK, ...prefixed },
      { ...ROOT, ...prefixed },
    ])
    expect(one.field('Set-Cookie', ' id=1; Path=/; Secure')).toBe(' desk~id=1; Secure; Path=/desk/')
    expect(one.field('Set-Cookie', '__Secure-id=1; Path=/; Secure')).toBe(
      '__Secure-desk~id=1; Secure; Path=/desk/',
    )
    expect(one.field('Set-Cookie', 'alone; Path=/; Secure')).toBe('alone; Secure; Path=/desk/')
    expect(
      one.request(['Cookie', 'root~id=2; desk~id=1; __Secure-desk~id=3; own=4; __Secure-root~x=5']),
    ).toEqual([...['Cookie', 'id=1; __Secure-id=3; own=4']])
    expect(one.request(['Cookie', 'root~id=2'])).toEqual([])
    expect(one.exchange!.rules).toEqual(['set-cookie', 'cookie'])
    const root = translated([ROOT, { ...DESK, ...prefixed }])
    expect(root.request(['Cookie', 'desk~id=1; id=2'])).toEqual(['Cookie', 'id=2'])
    const alone = translated([{ ...WIKI, ...prefixed }])
    expect(alone.field('Set-Cookie', 'id=1; Secure')).toBe('id=1; Secure')
  })
})

test('on http nothing is made secure, and nothing loses it', () => {
  const local = { internalUrl: 'https://10.0.0.7/', externalUrl: 'http://localhost:3000/' }
  expect(cookie([local], 'a=b')).toBe('a=b')
  expect(cookie([local], 'a=b; Secure')).toBe('a=b; Secure')
})
