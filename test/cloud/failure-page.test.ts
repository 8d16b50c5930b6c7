import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { failureResponse, prefersHtml, type Failure } from '../../src/cloud/failure-page.ts'
import { returnTarget } from '../../src/cloud/return-target.ts'

const failure: Failure = {
  status: 504,
  code: 'no-connector',
  title: 'Application not reachable',
  detail: 'Try again.',
  requestId: '0123456789abcdef',
  source: 'cloud',
  error: 'destination_unavailable',
}
const field = (headers: readonly string[], name: string) => headers[headers.indexOf(name) + 1]
const text = (body: Uint8Array) => new TextDecoder().decode(body)

describe('a failure for programs', () => {
  test('is problem details with source, code and request id', () => {
    const { status, headers, body } = failureResponse(failure, 'problem')
    expect(status).toBe(504)
    expect(field(headers, 'Content-Type')).toBe('application/problem+json')
    expect(field(headers, 'Content-Length')).toBe(String(body.length))
    expect(field(headers, 'Cache-Control')).toBe('no-store')
    expect(field(headers, 'Proxy-Status')).toBe(
      'app-proxy; error=destination_unavailable; details="no-connector"',
    )
    expect(JSON.parse(text(body))).toEqual({
      type: 'about:blank',
      title: 'Application not reachable',
      status: 504,
      detail: 'Try again.',
      code: 'no-connector',
      source: 'cloud',
      requestId: '0123456789abcdef',
    })
  })

  test('says when to come again', () => {
    const { headers } = failureResponse({ ...failure, retryAfterMs: 1500 }, 'problem')
    expect(field(headers, 'Retry-After')).toBe('2')
    expect(failureResponse(failure, 'problem').headers).not.toContain('Retry-After')
  })
})

describe('a failure for people', () => {
  const { headers, body } = failureResponse(failure, 'html')
  const page = text(body)

  test('is one page that says whose doing it was', () => {
    expect(page).toMatch(/^<!doctype html>\n<html lang="en">/)
    expect(page).toContain('<title>Application not reachable</title>')
    expect(page).toContain('<dt>Source</dt><dd>This service</dd>')
    expect(page).toContain('no-connector')
    expect(page).toContain('0123456789abcdef')
  })

  test('loads nothing, runs nothing, and is styled by exactly the style it carries', () => {
    const policy = field(headers, 'Content-Security-Policy')!
    const style = /<style>(.*)<\/style>/s.exec(page)![1]!
    const hash = createHash('sha256').update(style).digest('base64')
    expect(policy).toContain(`style-src 'sha256-${hash}'`)
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toContain('unsafe')
    expect(page).not.toMatch(/<script|<link|<img|src=|href=|style=/)
  })

  test('escapes whatever it is given', () => {
    const hostile = `"><script>alert('x')</script>&`
    const { body } = failureResponse(
      { ...failure, title: hostile, detail: hostile, requestId: hostile },
      'html',
    )
    expect(text(body)).not.toContain('<script>')
    expect(text(body)).not.toContain("alert('x')")
    expect(text(body)).toContain('&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;')
  })
})

test.each([
  ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', true],
  ['TEXT/HTML', true],
  ['text/html;q=0', false],
  ['text/html; q=0.5, application/json', false],
  ['application/problem+json;q=0.4, text/html;q=0.5', true],
  ['*/*', false],
  ['application/json', false],
  ['', false],
  ['text/html;q=rubbish', false],
])('Accept: %s asks for a page: %s', (accept, expected) =>
  expect(prefersHtml(['Host', 'x', 'Accept', accept])).toBe(expected),
)

test('a request without Accept asks for no page', () => expect(prefersHtml([])).toBe(false))

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
  [`/${'a'.repeat(2048)}`, undefined],
])('the way back from %j is %j', (target, expected) => expect(returnTarget(target)).toBe(expected))
