import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bodyKindOf } from '../../../src/protocol/http/body-kind.ts'
import {
  dropSetCookies,
  joinCookies,
  withoutCookies,
} from '../../../src/protocol/http/cookie-fields.ts'
import { headersFault } from '../../../src/protocol/wire/fields.ts'
import {
  headerValue,
  headerValues,
  FORWARDING,
  isForwardingFamily,
  reservedNames,
  sanitiseRequest,
  trimBlanks,
  withoutHeaders,
  withoutHopByHop,
} from '../../../src/protocol/http/header-list.ts'

describe('looking up', () => {
  const headers = ['Host', 'a', 'X-Two', '1', 'x-two', '2']
  test('knows no case and keeps repetitions apart', () => {
    expect(headerValue(headers, 'host')).toBe('a')
    expect(headerValue(headers, 'x-two')).toBe('1')
    expect(headerValues(headers, 'x-two')).toEqual(['1', '2'])
    expect(headerValue(headers, 'absent')).toBeUndefined()
  })

  test('takes names, never values', () => {
    expect(headerValue(['a', 'host', 'b', 'c'], 'host')).toBeUndefined()
  })

  test('removes every spelling of a name', () => {
    const spelt = [
      'Content-Length',
      '1',
      'content_length',
      '2',
      'CONTENT.LENGTH',
      '3',
      'Other',
      '4',
    ]
    expect(withoutHeaders(spelt, 'content-length')).toEqual(['Other', '4'])
  })
})

describe('what concerns one connection (RFC 9110, 7.6.1)', () => {
  test('is removed', () => {
    const headers = [
      ...[
        'Connection',
        'keep-alive',
        'Keep-Alive',
        'timeout=5',
        'TE',
        'trailers',
        'Trailer',
        'Digest',
      ],
      ...['Transfer-Encoding', 'chunked', 'Upgrade', 'websocket', 'Proxy-Authorization', 'Basic x'],
      ...['Proxy-Connection', 'close', 'HTTP2-Settings', 'AAMA', 'Accept', '*/*'],
    ]
    expect(withoutHopByHop(headers)).toEqual(['Accept', '*/*'])
  })

  test('T2 includes what any Connection field nominates, even the second, after an empty one', () => {
    const headers = [
      'Connection',
      '',
      'X-Mine',
      '1',
      'connection',
      'close,\tX-MINE ,x-other',
      'X-Other',
      '2',
      'X-Stays',
      '3',
    ]
    expect(withoutHopByHop(headers)).toEqual(['X-Stays', '3'])
  })

  test('does not grow by octets that only JavaScript takes for blanks', () => {
    expect(withoutHopByHop(['Connection', '\u00a0x-a', 'X-A', '1'])).toEqual(['X-A', '1'])
    expect(trimBlanks(' \t\u00a0 ')).toBe('\u00a0')
  })
})

describe('names that only a gateway may say', () => {
  const reserved = reservedNames(['X-User', 'x_user_groups'])

  test.each([
    'X-User',
    'x_user',
    'X.USER',
    'x-user-groups',
    'X-User_Groups',
    'Forwarded',
    'X-Forwarded-For',
    'X_Forwarded_For',
    'x-forwarded.host',
    'X-Forwarded',
    'x-forwarded-anything-new',
    'X-Original-URL',
    'X_Rewrite_URL',
    'X-Real-IP',
    'True-Client-IP',
    'Proxy',
    'Remote-User',
    'REMOTE_USER',
    'X-Remote-User',
    'x.remote_user',
    'X-Forwarded-User',
    'CF-Connecting-IP',
    'CF_Connecting_IP',
    'Fastly-Client-IP',
    'X-Client-IP',
    'X-Cluster-Client-IP',
    'X-Auth-Request-Email',
    'X-MS-CLIENT-PRINCIPAL-NAME',
    'X-SSL-Client-S-DN',
  ])('T3 %s is dropped from outside', (name) => {
    expect(sanitiseRequest([name, 'me', 'Accept', '*/*'], reserved)).toEqual(['Accept', '*/*'])
  })

  test('are listed for operators', () => {
    const page = readFileSync(new URL('../../../docs/reserved-fields.md', import.meta.url), 'utf8')
    const listed = [...page.matchAll(/`([A-Za-z][A-Za-z0-9-]+)`/g)].map(([, name]) =>
      name!.toLowerCase(),
    )
    expect(FORWARDING.filter((name) => !listed.includes(name))).toEqual([])
    const families = listed.filter((name) => name.endsWith('-'))
    expect(families).toHaveLength(8)
    for (const family of families) expect(isForwardingFamily(`${family}any`)).toBe(true)
  })

  test.each([
    'X-Username',
    'X-Forwardedfor',
    'Via',
    'User-Agent',
    'Cookie',
    'Authorization',
    'Host',
  ])('%s passes', (name) => {
    expect(sanitiseRequest([name, 'x'], reserved)).toEqual([name, 'x'])
  })

  test('the forwarding family is dropped although nothing is reserved', () => {
    expect(sanitiseRequest(['Forwarded', 'for=1'])).toEqual([])
  })

  test('T2 a nomination cannot protect a reserved name from being dropped', () => {
    expect(
      sanitiseRequest(['Connection', 'x-user', 'X-User', 'me', 'X_User', 'me'], reserved),
    ).toEqual([])
  })
})

describe('T4 the body that a head announces (RFC 9112, 6)', () => {
  test.each([
    ['none', 'GET', [], { kind: 'none' }],
    ['none for length 0', 'POST', ['Content-Length', '0'], { kind: 'none' }],
    ['a length', 'PUT', ['content-length', '42'], { kind: 'length', bytes: 42 }],
    ['a length on a GET', 'GET', ['Content-Length', '1'], { kind: 'length', bytes: 1 }],
    ['chunks', 'POST', ['Transfer-Encoding', 'Chunked'], { kind: 'streamed' }],
    [
      'the longest length',
      'PUT',
      ['Content-Length', '9'.repeat(15)],
      { kind: 'length', bytes: 1e15 - 1 },
    ],
    [
      'nothing by a name that only looks like one',
      'POST',
      ['Content_Length', '5'],
      { kind: 'none' },
    ],
  ] as const)('is %s', (_, method, headers, kind) =>
    expect(bodyKindOf(method, headers)).toEqual(kind),
  )

  test.each([
    ['a length and chunks', ['Content-Length', '5', 'Transfer-Encoding', 'chunked']],
    ['two lengths', ['Content-Length', '5', 'Content-Length', '5']],
    ['two codings', ['Transfer-Encoding', 'chunked', 'transfer-encoding', 'chunked']],
    ...['', ' 5', '5 ', '+5', '-1', '0x5', '5,5', '5.0', '1e3', '\u0665', '9'.repeat(16)].map(
      (l) => [`the length "${l}"`, ['Content-Length', l]] as const,
    ),
    ...[
      '',
      ',chunked',
      'chunked,',
      'chunked, chunked',
      'gzip, chunked',
      'identity',
      'xchunked',
      ' chunked',
      'chunked\u00a0',
      'chunked;a=b',
    ].map((c) => [`the coding "${c}"`, ['Transfer-Encoding', c]] as const),
  ] as const)('is refused with %s', (_, headers) =>
    expect(() => bodyKindOf('POST', headers)).toThrow(malformed),
  )

  test('is refused on a TRACE', () => {
    expect(bodyKindOf('TRACE', [])).toEqual({ kind: 'none' })
    expect(() => bodyKindOf('TRACE', ['Content-Length', '1'])).toThrow(malformed)
  })
})

describe('our cookies', () => {
  const isOurs = (name: string) => name === '__Host-ours' || name.startsWith('ours-')

  test.each([
    ['the only one', '__Host-ours=x', undefined],
    ['first', '__Host-ours=x; a=1;b="2; 3"', 'a=1;b="2; 3"'],
    ['last', 'a=1; ours-2=x', 'a=1'],
    [
      'in the middle, odd octets around it kept',
      'a=\u00ff;; __Host-ours=x ;\t b==',
      'a=\u00ff;;\t b==',
    ],
    ['several', 'ours-1=a; ours-2=b; c=d; ours-3', 'c=d'],
    ['with blanks', ' \t__Host-ours \t= x; a=1', 'a=1'],
    ['behind an equals sign', '=__Host-ours=x; a=1', 'a=1'],
    ['without a value', 'a=1; __Host-ours', 'a=1'],
    ['with nothing but semicolons', '; __Host-ours=x;', undefined],
    [
      'absent',
      'a=1;  __host-ours=2; \u00a0__Host-ours=3',
      'a=1;  __host-ours=2; \u00a0__Host-ours=3',
    ],
    ['only in a value', 'a=__Host-ours=x', 'a=__Host-ours=x'],
  ])('go from Cookie: %s', (_, before, after) => {
    const kept = after === undefined ? [] : ['Cookie', after]
    expect(withoutCookies(['A', 'b', 'Cookie', before, 'C', 'd'], isOurs)).toEqual([
      'A',
      'b',
      ...kept,
      'C',
      'd',
    ])
  })

  test('go from every Cookie field', () => {
    expect(withoutCookies(['cookie', 'ours-1=a', 'COOKIE', 'b=c; ours-2=d'], isOurs)).toEqual([
      'COOKIE',
      'b=c',
    ])
  })

  test.each(['__Host-ours=x; Path=/', ' ours-1 =x', '=__Host-ours=x', '__Host-ours', '= =ours-1'])(
    'are not set by an application: %s',
    (value) => {
      expect(dropSetCookies(['Set-Cookie', value, 'set-cookie', 'theirs=1'], isOurs)).toEqual([
        'set-cookie',
        'theirs=1',
      ])
    },
  )

  test('are not what an application merely mentions', () => {
    const headers = ['Set-Cookie', 'a=ours-1', 'Set-Cookie', 'b=1; ours-1=2', 'X', 'ours-1=1']
    expect(dropSetCookies(headers, isOurs)).toEqual(headers)
  })
})

test('cookie fields are joined in the place of the first (RFC 9113, 8.2.3)', () => {
  expect(
    joinCookies(['a', '1', 'cookie', 'b=2', 'c', '3', 'Cookie', 'd=4', 'cookie', 'e=5']),
  ).toEqual(['a', '1', 'cookie', 'b=2; d=4; e=5', 'c', '3'])
  expect(joinCookies(['a', '1'])).toEqual(['a', '1'])
})

test('T7 a list that HTTP cannot carry is told from one that it can, without saying a value', () => {
  expect(headersFault(['A', 'b\t\u00ff', 'c', ''])).toBeUndefined()
  expect(headersFault(['A'])).toMatch(/without a value/)
  expect(headersFault(['A', 'ok', 'B', 'secret\n'])).toBe('header value 1 has a forbidden octet')
  expect(headersFault(['A:', 'x'])).toBe('header name 0 is no token')
})

describe('for every list', () => {
  const name = fc.oneof(
    fc.constantFrom(
      'Connection',
      'connection',
      'X-User',
      'x_user',
      'Cookie',
      'Set-Cookie',
      'Upgrade',
      'X-Forwarded-For',
      'X.Forwarded_For',
    ),
    fc.stringMatching(/^[A-Za-z._-]{1,8}$/),
  )
  const value = fc.oneof(
    fc.constantFrom('x-user', 'close, x-a', 'a=1; ours=2;;ours', '=ours', 'ours'),
    fc.stringMatching(/^[\t\x20-\x7e\x80-\xff]{0,16}$/),
  )
  const lists = fc.array(fc.tuple(name, value), { maxLength: 12 }).map((pairs) => pairs.flat())
  const reserved = reservedNames(['x-user'])
  const isOurs = (cookie: string) => cookie === 'ours'

  test('cleaning twice is cleaning once', () =>
    fc.assert(
      fc.property(lists, (list) => {
        for (const clean of [
          (l: readonly string[]) => sanitiseRequest(l, reserved),
          (l: readonly string[]) => withoutCookies(l, isOurs),
          (l: readonly string[]) => dropSetCookies(l, isOurs),
          joinCookies,
        ])
          expect(clean(clean(list))).toEqual(clean(list))
      }),
    ))

  test('what is left is part of what was there, in its order, and clean', () =>
    fc.assert(
      fc.property(lists, (list) => {
        const left = sanitiseRequest(list, reserved)
        let from = 0
        for (let i = 0; i < left.length; i += 2) {
          const at = list.findIndex(
            (n, j) => j >= from && j % 2 === 0 && n === left[i] && list[j + 1] === left[i + 1],
          )
          expect(at).toBeGreaterThanOrEqual(from)
          from = at + 2
          expect(left[i]!.toLowerCase().replace(/[._]/g, '-')).not.toMatch(
            /^(x-user|connection|upgrade|x-forwarded-for)$/,
          )
        }
      }),
    ))

  test('no cookie of ours is left under any reading, and no other is lost', () =>
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('ours=1', 'a=1', 'b', 'ours', '=ours=2', '', ' ', 'our=s')),
        (pairs) => {
          const value = pairs.join(';')
          const left = headerValue(withoutCookies(['cookie', value], isOurs), 'cookie') ?? ''
          expect(left.split(/[;\s]/).some((pair) => /^=*ours(=|$)/.test(pair))).toBe(false)
          const others = (text: string) =>
            text
              .split(';')
              .map(trimBlanks)
              .filter((p) => p !== '' && !/^=*ours(=|$)/.test(p))
          expect(others(left)).toEqual(others(value))
        },
      ),
    ))
})

const malformed = expect.objectContaining({
  name: 'ExchangeFailed',
  source: 'user',
  reason: 'user-malformed',
})
