import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ExchangeFailed } from '../../../src/protocol/wire/errors.ts'
import { canonicalHost } from '../../../src/protocol/http/host.ts'
import {
  isReserved,
  joinInternal,
  pathAfter,
  pathsAgree,
  readTarget,
  selectByPath,
} from '../../../src/protocol/http/target.ts'

const malformed = expect.objectContaining({
  name: 'ExchangeFailed',
  source: 'user',
  reason: 'user-malformed',
})

describe('one host, one spelling', () => {
  test.each([
    ['wiki.example', 'wiki.example'],
    ['WIKI.Example', 'wiki.example'],
    ['wiki.example.', 'wiki.example'],
    ['wiki.example.:443', 'wiki.example'],
    ['wiki.example:', 'wiki.example'],
    ['wiki.localhost:8080', 'wiki.localhost'],
    ['xn--nxasmq6b.example', 'xn--nxasmq6b.example'],
    ['my_host', 'my_host'],
    ['127.0.0.1:65535', '127.0.0.1'],
    ['[::1]:8443', '[::1]'],
    ['[0:0:0:0:0:0:0:1]', '[::1]'],
    ['[2001:0DB8:0:0:1:0:0:1]', '[2001:db8::1:0:0:1]'],
    ['[2001:db8:0:1:1:1:1:1]', '[2001:db8:0:1:1:1:1:1]'],
    ['[1:2:3:4:5:6:7::]', '[1:2:3:4:5:6:7:0]'],
    ['[::ffff:192.0.2.1]', '[::ffff:c000:201]'],
    ['[::]', '[::]'],
  ])('%s is %s', (authority, host) => expect(canonicalHost(authority)).toBe(host))

  test.each([
    '',
    '.',
    'a..b',
    '.a',
    'a..',
    'user@host',
    'user:pw@host',
    'a:b:c',
    'a:65536',
    'a:08x',
    'a:-1',
    'a:000080',
    'a b',
    'a%2eb',
    'a/b',
    'a\\b',
    'a#',
    'a?',
    'b\u00fccher.example',
    'a\u3002b',
    '\uff21',
    'a\u212a',
    '[::1',
    '::1',
    '[::1]x',
    '[:::]',
    '[1::2::3]',
    '[fe80::1%25eth0]',
    '[v1.a]',
    '[1:2:3:4:5:6:7]',
    '[1:2:3:4:5:6:7:8:9]',
    '[::1.2.3.256]',
    '[1.2.3.4::]',
    '[12345::]',
    '[1:2:3:4:5:6:7:8::]',
    'x'.repeat(64),
    `${'a.'.repeat(127)}a`,
  ])('%j is none', (authority) => expect(canonicalHost(authority)).toBeUndefined())

  const authorities = fc.oneof(
    fc
      .array(
        fc.constantFrom(
          ...['a', 'B', 'example', '.', '..', '-', '_', ':', '443', '65536', '@', '/', '\\', '%2e'],
          ...[
            '[',
            ']',
            '::',
            '::1',
            '1.2.3.4',
            'fe80',
            '%25lo',
            ' ',
            '\t',
            '\0',
            '\u212a',
            '\uff0e',
          ],
        ),
        { maxLength: 8 },
      )
      .map((parts) => parts.join('')),
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.domain(),
    fc.ipV6().map((address) => `[${address}]`),
    fc.ipV4(),
  )

  test('T10 whatever an authority says, its host has one spelling, which says nothing else', () =>
    fc.assert(
      fc.property(authorities, fc.integer({ min: 0, max: 65_535 }), (authority, port) => {
        const host = canonicalHost(authority)
        if (host === undefined) return
        expect(host).toMatch(/^(?:[a-z0-9._-]+|\[[0-9a-f:]+\])$/)
        expect(host).not.toMatch(/\.$|\.\./)
        const bare = authority.replace(/:\d*$/, '')
        for (const other of [host, bare.toUpperCase(), `${bare}:${port}`, `${bare}:`])
          expect(canonicalHost(other), other).toBe(host)
        // What a URL parser reads in it is the same host, or none; it alone takes numbers for addresses and keeps the last dot.
        const url = `http://${authority}/`
        if (!URL.canParse(url) || /(?:^|\.)(?:\d+|0x[0-9a-f]*)\.?$/i.test(bare)) return
        expect(new URL(url).hostname.replace(/\.$/, '')).toBe(host)
      }),
      { numRuns: 5000 },
    ))

  test('a canonical host is its own spelling, and the one that URLs have', () => {
    const label = fc.stringMatching(/^[a-z][a-zA-Z0-9]{0,9}$/)
    const groups = fc.array(fc.oneof(fc.constant('0'), fc.stringMatching(/^[0-9a-fA-F]{1,4}$/)), {
      minLength: 8,
      maxLength: 8,
    })
    const hosts = fc.oneof(
      fc.array(label, { minLength: 1, maxLength: 3 }).map((l) => `${l.join('.')}.test`),
      groups.map((g) => `[${g.join(':')}]`),
    )
    fc.assert(
      fc.property(hosts, (host) => {
        const canonical = canonicalHost(host)!
        expect(canonicalHost(canonical)).toBe(canonical)
        expect(new URL(`http://${host}/`).hostname).toBe(canonical)
      }),
    )
  })
})

describe('reading a target', () => {
  test.each([
    ['/', '/', ''],
    ['/a/b?c=d', '/a/b', '?c=d'],
    ['/a?', '/a', '?'],
    ['/q/%2F/%252f?x', '/q/%2F/%252f', '?x'],
    ['/a..b/...c/..d/.e/....', '/a..b/...c/..d/.e/....', ''],
    ['//a//b', '//a//b', ''],
    ['/DOMAIN%5cuser', '/DOMAIN%5cuser', ''],
    ['/?/../\\%2e%2e%00%zz', '/', '?/../\\%2e%2e%00%zz'],
    ['http://Wiki.Example:8080/a?b', '/a', '?b'],
    ['HTTPS://wiki.example./', '/', ''],
    ['http://wiki.example', '/', ''],
    ['http://wiki.example?x', '/', '?x'],
  ])('%s', (target, path, query) =>
    expect(readTarget(target, 'wiki.example')).toEqual({ path, query }),
  )

  test.each([
    ['an octet above 0x7f in the path', '/caf\u00c3\u00a9'],
    ['an octet above 0x7f in the query', '/?q=caf\u00c3\u00a9'],
    ['an absolute form with another host', 'http://evil.example/'],
    ['an absolute form with user information', 'http://wiki.example@evil.example/'],
    ['an absolute form with our host as user information', 'http://evil.example@wiki.example/'],
    ['another scheme', 'ftp://wiki.example/'],
    ['an asterisk', '*'],
    ['an authority', 'wiki.example:443'],
    ['a relative path', 'a/b'],
    ['nothing', ''],
    ['a fragment', '/a#b'],
    ['a fragment in the query', '/a?b#c'],
    ['a backslash', '/a\\b'],
    ['a space', '/a b'],
    ['a line break', '/a\r\nHost: b'],
    ['an encoded NUL', '/a%00'],
    ['an encoded line break', '/a%0d%0ab'],
    ['an encoded DEL', '/a%7F'],
    ['a percent sign that encodes nothing', '/100%'],
    ['an IIS escape', '/%u002e%u002e/'],
    ...[
      '/.',
      '/..',
      '/a/./b',
      '/a/../b',
      '/a/..',
      '/%2e',
      '/%2E%2e/',
      '/.%2e/',
      '/%2e./a',
      '/..;/',
      '/..;a=b/c',
      '/.;',
      '/..%3bx/',
      '/a/..%2fb',
      '/a%2f..%2Fb',
      '/a/..%5cb',
      '/a%5C..',
      '/%252e%252e/',
      '/a%252f..%252fb',
      '/%25252e./',
      '/%c0%ae%c0%ae/',
      '/a%c0%af../b',
    ].map((target) => [`the dot segment in ${target}`, target] as const),
  ] as const)('refuses %s', (_, target) =>
    expect(() => readTarget(target, 'wiki.example')).toThrow(malformed),
  )

  test('refuses an absolute form when the Host itself is none', () => {
    expect(() => readTarget('http://a@b/', 'a@b')).toThrow(malformed)
  })
})

describe('selecting by path', () => {
  const prefixes = ['/', '/app/', '/app/admin', '/caf%C3%A9']

  test.each([
    ['/', '/'],
    ['/x', '/'],
    ['/apple', '/'],
    ['/app', '/app/'],
    ['/app/', '/app/'],
    ['/app/adminx', '/app/'],
    ['/app/admin', '/app/admin'],
    ['/app/admin/x', '/app/admin'],
    ['/app/queues/%2F/x', '/app/'],
    ['/app/x//y;z', '/app/'],
    ['/caf%C3%A9/menu', '/caf%C3%A9'],
  ])('%s lies under %s', (path, prefix) => expect(selectByPath(path, prefixes)).toBe(prefix))

  test('the order of the prefixes says nothing', () => {
    expect(selectByPath('/app/admin/x', prefixes.toReversed())).toBe('/app/admin')
  })

  test('a path under none', () => {
    expect(selectByPath('/x', ['/app'])).toBeUndefined()
    expect(selectByPath('/', [])).toBeUndefined()
  })

  test.each([
    '/%61pp/x',
    '/app%2fadmin',
    '/app%2Fadmin/x',
    '/app//admin',
    '//app',
    '/app/admin;x=1',
    '/app;x/admin',
    '/app/%61dmin',
    '/app/;/admin',
    '/app%3b/admin',
    '/caf\u00c3\u00a9',
    '/app/%2fadmin',
    '/%5capp',
  ])('%s can be read in two ways', (path) => {
    expect(pathsAgree(path, prefixes)).toBe(false)
    expect(() => selectByPath(path, prefixes)).toThrow(malformed)
    expect(pathsAgree(path, ['/'])).toBe(true)
  })
})

describe('our own part of a host', () => {
  test.each([
    '/.app-proxy',
    '/.app-proxy/',
    '/.app-proxy/callback',
    '/%2eapp-proxy/x',
    '//.app-proxy/',
    '/.app-proxy;a/b',
    '/.app%2dproxy%2fx',
    '/;x/.app-proxy',
    '/%2f.app-proxy',
  ])('%s is reserved', (path) => expect(isReserved(path)).toBe(true))
  test.each(['/', '/.app-proxyx', '/app-proxy/', '/a/.app-proxy/', '/.app%252dproxy/'])(
    '%s is not',
    (path) => expect(isReserved(path)).toBe(false),
  )
})

describe('joining with the internal base path', () => {
  test.each([
    ['/app/', '/app/x%2Fy', '/base/', '/base/x%2Fy'],
    ['/app', '/app', '/base/', '/base'],
    ['/app', '/app', '/', '/'],
    ['/app', '/app/', '/base', '/base/'],
    ['/', '/x//y', '/', '/x//y'],
    ['/', '/', '/base', '/base/'],
  ])('%s of %s at %s', (prefix, path, base, joined) =>
    expect(joinInternal(base, pathAfter(prefix, path))).toBe(joined),
  )
})

describe('for every path', () => {
  const piece = fc.constantFrom(
    '/',
    '//',
    '.',
    '..',
    '%2e',
    '%2E',
    '%252e',
    '%2f',
    '%5c',
    '\\',
    ';',
    '%3b',
    'app',
    'admin',
    '%61',
    'a',
    '%c0%ae',
    '%',
    '\t',
    '%09',
    '?',
    '#',
    '%ff',
    '\u00ff',
  )
  const targets = fc.array(piece, { maxLength: 10 }).map((parts) => `/${parts.join('')}`)
  const prefixes = ['/', '/app', '/app/admin']

  test('it is read without loss, or refused as the user’s fault', () =>
    fc.assert(
      fc.property(fc.oneof(targets, fc.string({ unit: 'binary' })), (target) => {
        const read = attempt(() => readTarget(target, 'h'))
        if (read !== undefined && target.startsWith('/'))
          expect(read.path + read.query).toBe(target)
      }),
      { numRuns: 3000 },
    ))

  test('T11 no parser we know finds a way out of the base path', () =>
    fc.assert(
      fc.property(targets, (target) => {
        const read = attempt(() => readTarget(target, 'h'))
        if (read === undefined) return
        const inside = joinInternal('/base', read.path)
        for (const path of [
          inside,
          decoded(inside),
          decoded(decoded(inside)),
          inside.replace(/;[^/]*/g, ''),
        ])
          expect(new URL(`http://h${path.replace(/[?#].*/, '')}`).pathname).toMatch(/^\/base(\/|$)/)
      }),
      { numRuns: 5000 },
    ))

  test('T9 what is selected is selected under every reading', () =>
    fc.assert(
      fc.property(targets, (target) => {
        const read = attempt(() => readTarget(target, 'h'))
        if (read === undefined || !pathsAgree(read.path, prefixes)) return
        const selected = selectByPath(read.path, prefixes)!
        expect(read.path.startsWith(selected)).toBe(true)
        for (const path of [
          decoded(read.path),
          read.path.replace(/\/+/g, '/'),
          read.path.replace(/;[^/]*/g, ''),
        ]) {
          const isAdmin = /^\/app\/admin(\/|$)/.test(path)
          expect(isAdmin).toBe(selected === '/app/admin')
        }
      }),
      { numRuns: 3000 },
    ))
})

function attempt<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch (error) {
    expect(error).toBeInstanceOf(ExchangeFailed)
    return undefined
  }
}

function decoded(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}
