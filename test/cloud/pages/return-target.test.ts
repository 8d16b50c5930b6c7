import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  MAX_RETURN_TARGET,
  OWN_PATH,
  returnTarget,
} from '../../../src/cloud/pages/return-target.ts'

test.each([
  ['/', '/'],
  ['/a//b?next=http://x//y&z=%2F%5C', '/a//b?next=http://x//y&z=%2F%5C'],
  ['/\xc3\xa9', '/%C3%A9'],
  ['//evil.example', undefined],
  ['/\\evil.example', undefined],
  ['/a\\b', undefined],
  ['/a#b', undefined],
  ['/a b', undefined],
  ['/a\tb', undefined],
  ['/a\r\nSet-Cookie: x', undefined],
  ['/\u0100', undefined],
  ['https://evil.example/', undefined],
  ['evil', undefined],
  ['*', undefined],
  ['', undefined],
  ['/.app-proxy/sign-in/callback?code=1', undefined],
  ['/.app-proxy', undefined],
  ['//.app-proxy/sign-out', undefined],
  ['/a/../.app-proxy/sign-out', undefined],
  ['/a/%2e%2e/.app-proxy/sign-out', undefined],
  ['/%2eapp-proxy/sign-out', undefined],
  ['/.app-proxying?/.app-proxy/', '/.app-proxying?/.app-proxy/'],
  [`/${'a'.repeat(8191)}`, `/${'a'.repeat(8191)}`],
  [`/${'a'.repeat(8192)}`, undefined],
])('the way back from %j is %j', (target, expected) => expect(returnTarget(target)).toBe(expected))

describe('T16 wherever a user is sent after signing in', () => {
  const piece = fc.constantFrom(
    ...['/', '//', '\\', '/\\', '.', '..', '%2e', '%2E%2e', '%2f', '%5c', '%09', '@', ':', ';'],
    ...['evil.example', 'http:', 'https://', 'javascript:', '.app-proxy', '%2eapp-proxy', 'a'],
    ...['?', '&', '#', '\t', '\r\n', ' ', '\0', '\x7f', '\xff', '\u2028', '\uff0f', '\u0100'],
  )
  const targets = fc.oneof(
    fc.array(piece, { maxLength: 10 }).map((parts) => parts.join('')),
    fc.array(piece, { maxLength: 10 }).map((parts) => `/${parts.join('')}`),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.webUrl({ withQueryParameters: true, withFragments: true }),
  )
  const HERE = 'https://app.example'

  test('it is this host, by any way a browser is told, and no path of ours', () =>
    fc.assert(
      fc.property(targets, (target) => {
        const back = returnTarget(target)
        if (back === undefined) return
        // A link on a page, the value of Location, and what the server makes of both.
        for (const url of [new URL(back, `${HERE}/x/y?z`), new URL(HERE + back)]) {
          expect(url.origin).toBe(HERE)
          expect(url.username + url.password + url.hash).toBe('')
          expect(`${url.pathname.replaceAll(/%2e/gi, '.')}/`).not.toMatch(/^\/+\.app-proxy\//)
          expect(url.pathname.startsWith(OWN_PATH)).toBe(false)
        }
      }),
      { numRuns: 5000 },
    ))

  test('it is fit for a header and a link as it is, and safe once is safe for ever', () =>
    fc.assert(
      fc.property(targets, (target) => {
        const back = returnTarget(target)
        if (back === undefined) return
        expect(back).toMatch(/^[!-~]+$/)
        expect(back.length).toBeLessThanOrEqual(MAX_RETURN_TARGET)
        expect(returnTarget(back)).toBe(back)
      }),
      { numRuns: 5000 },
    ))

  test('an ordinary place is kept, octet for octet', () =>
    fc.assert(
      fc.property(
        fc.stringMatching(/^(?:\/[a-z0-9_-]{1,8}){1,4}$/),
        fc.stringMatching(/^(?:\?[!-"$-[\]-~]{0,20})?$/),
        (path, query) => {
          expect(returnTarget(path + query)).toBe(path + query)
        },
      ),
    ))
})
