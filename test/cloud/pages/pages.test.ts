import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createDirectory, type Failure } from '../../../src/cloud/index.ts'
import { failureResponse } from '../../../src/cloud/pages/pages.ts'
import { logoFault, MAX_LOGO_CHARACTERS } from '../../../src/cloud/pages/logo.ts'
import { OWN_ANSWERS } from '../../../src/cloud/pages/own-answers.ts'
import { prefersHtml } from '../../../src/cloud/pages/negotiation.ts'
import { usualActions } from '../../../src/cloud/pages/usual-actions.ts'
import { COLOURS } from '../../../src/cloud/pages/style.ts'
import { LOGO } from './all-answers.ts'

const failure: Failure = {
  status: 504,
  code: 'no-connector',
  title: 'Application not reachable',
  detail: 'Try again.',
  requestId: '0123456789abcdef',
  source: 'connector',
  error: 'destination_unavailable',
}
const field = (headers: readonly string[], name: string) => headers[headers.indexOf(name) + 1]
const text = (body: Uint8Array) => new TextDecoder().decode(body)

describe('a failure for programs', () => {
  test('is problem details with source, code and request id', () => {
    const { status, headers, body } = failureResponse(failure, { accept: 'problem' })
    expect(status).toBe(504)
    expect(field(headers, 'Content-Type')).toBe('application/problem+json')
    expect(field(headers, 'Content-Length')).toBe(String(body.length))
    expect(field(headers, 'Cache-Control')).toBe('no-store')
    expect(field(headers, 'Proxy-Status')).toBe(
      'app-proxy; error=destination_unavailable; details="no-connector"',
    )
    expect(JSON.parse(text(body))).toEqual({
      type: 'urn:app-proxy:problem:no-connector',
      title: 'Application not reachable',
      status: 504,
      detail: 'Try again.',
      code: 'no-connector',
      source: 'connector',
      requestId: '0123456789abcdef',
      delivery: 'none',
    })
  })

  test('says when to come again', () => {
    const { headers } = failureResponse({ ...failure, retryAfterMs: 1500 }, { accept: 'problem' })
    expect(field(headers, 'Retry-After')).toBe('2')
    expect(failureResponse(failure, { accept: 'problem' }).headers).not.toContain('Retry-After')
  })
})

describe('a failure for people', () => {
  const { headers, body } = failureResponse(failure, { accept: 'html' })
  const page = text(body)

  test('is one page that says whose doing it was', () => {
    expect(page).toMatch(/^<!doctype html>\n<html lang="en">/)
    expect(page).toContain('<title>Application not reachable</title>')
    expect(page).toContain('<dt>Source</dt><dd>The connector</dd>')
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
    expect(policy).not.toMatch(/img-src|script-src/)
    expect(policy).toContain("form-action 'none'")
    expect(field(headers, 'Referrer-Policy')).toBe('no-referrer')
  })

  test('has landmarks, a language, one first heading and no heading skipped', () => {
    expect(page.match(/<h1>/g)).toHaveLength(1)
    expect(page.indexOf('<h1>')).toBeLessThan(page.indexOf('<h2'))
    expect(page).not.toMatch(/<h3/)
    expect(page).toMatch(/<main>[^]*<\/main>\n<footer>/)
    expect(field(headers, 'Content-Language')).toBe('en')
  })

  test('shows where on its way the request stopped, in words', () => {
    const places = [...page.matchAll(/<b>([^<]*)<\/b><span>([^<]*)<\/span>/g)]
    expect(places.map(([, hop, text]) => [hop, text])).toEqual([
      ['Your browser', 'Reached'],
      ['This service', 'Reached'],
      ['Connector', 'Problem here'],
      ['Application', 'Not reached'],
    ])
    const refused = failureResponse({ ...failure, status: 403 }, { accept: 'html' })
    expect(text(refused.body)).not.toContain('Where it stopped')
  })
})

describe('T48 a page', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc
      .array(fc.constantFrom('<', '>', '"', "'", '&', '</title>', '<script>', '<!--', '&amp', '\0'))
      .map((parts) => parts.join('')),
  )
  const pageOf = (one: string) =>
    text(
      failureResponse(
        {
          ...{ status: 502, source: 'connector', code: one, title: one, detail: one },
          ...{ requestId: one, language: one },
          actions: [
            { label: one, href: '/', id: one },
            { label: one, post: '/', fields: { [one]: one } },
          ],
        },
        { accept: 'html', branding: { name: one, logo: one } },
      ).body,
    )
  const tags = (html: string) =>
    html.match(/<[^>]*>/g)!.map((tag) => tag.replaceAll(/"[^"]*"/g, ''))

  test('has the same elements and attributes, whatever text is in it', () => {
    const plain = tags(pageOf('x'))
    fc.assert(
      fc.property(hostile, (one) => {
        expect(tags(pageOf(one))).toEqual(plain)
      }),
    )
  })

  test('shows the text that it was given', () => {
    fc.assert(
      fc.property(hostile, (one) => {
        const [, heading] = /<h1>([^<]*)<\/h1>/.exec(pageOf(one))!
        expect(unescaped(heading!)).toBe(utf8(one))
      }),
    )
  })

  test('links only to this host and to http, and posts only to this host', () => {
    const bad = ['javascript:alert(1)', '//evil.example', '/\\evil.example', 'data:text/html,x', '']
    bad.push('/a b', '/a\nb', 'ftp://x/', ' /', 'https:evil', 'evil')
    for (const href of bad) {
      const actions = [
        { label: 'link', href },
        { label: 'button', post: href },
      ]
      const html = text(failureResponse({ ...failure, actions }, { accept: 'html' }).body)
      expect(html, href).not.toMatch(/class="next"|<form|<a /)
    }
    const posted = { ...failure, actions: [{ label: 'x', post: 'https://evil.example/' }] }
    expect(text(failureResponse(posted, { accept: 'html' }).body)).not.toContain('<form')
  })

  test('names nothing of the inside: only what the answer says is on it', () => {
    const { headers, body } = failureResponse(
      { ...failure, members: { internalUrl: 'http://10.0.0.1/' } },
      { accept: 'html' },
    )
    expect(text(body) + headers.join()).not.toContain('10.0.0.1')
  })
})

describe('what a page may do', () => {
  const policyOf = (more: Partial<Failure>, asked: object = {}) => {
    const { headers } = failureResponse({ ...failure, ...more }, { accept: 'html', ...asked })
    return [field(headers, 'Content-Security-Policy')!, field(headers, 'Referrer-Policy')!] as const
  }

  test('grows with a logo, a script or a form, and by no more', () => {
    const [plain] = policyOf({})
    expect(policyOf({}, { branding: { name: 'Contoso' } })[0]).toBe(plain)
    expect(policyOf({}, { branding: { logo: LOGO } })[0]).toBe(
      plain.replace('; base-uri', '; img-src data:; base-uri'),
    )
    expect(policyOf({ script: { text: '', hash: 'sha256-x' } })[0]).toBe(
      plain.replace('; base-uri', "; script-src 'sha256-x'; base-uri"),
    )
    // A form's POST must be able to say where it comes from.
    expect(policyOf({ actions: [{ label: 'Sign out', post: '/x' }] })).toEqual([
      plain.replace("form-action 'none'", "form-action 'self'"),
      'strict-origin',
    ])
  })
})

describe('what the user can do next', () => {
  const asked = { target: '/a?b', start: '/app/' }
  const labels = (more: Partial<Failure>, place: object = asked) =>
    usualActions({ ...failure, ...more }, place).map((one) => [
      one.label,
      'href' in one ? one.href : one.post,
    ])

  test.each([
    [
      {},
      asked,
      [
        ['Try again', '/a?b'],
        ['Go to the start page', '/app/'],
      ],
    ],
    [{}, { start: '/' }, [['Go to the start page', '/']]],
    [{ source: 'issuer' } as const, { start: '/' }, [['Try again', '/']]],
    [{}, { target: '/', start: '/' }, [['Try again', '/']]],
    [{}, {}, []],
    [{ status: 404, code: 'not-found' }, asked, [['Go to the start page', '/app/']]],
    [
      { status: 403, code: 'not-assigned', source: 'sign-in' } as const,
      { start: '/' },
      [
        ['Use another account', '/.app-proxy/sign-in/other-account'],
        ['Try again', '/'],
      ],
    ],
    [
      { status: 403, code: 'policy-denies', source: 'policy' } as const,
      asked,
      [
        ['Use another account', '/.app-proxy/sign-in/other-account'],
        ['Try again', '/a?b'],
        ['Go to the start page', '/app/'],
      ],
    ],
    [
      { status: 403, code: 'access-denied', source: 'issuer' } as const,
      asked,
      [
        ['Try again', '/a?b'],
        ['Use another account', '/.app-proxy/sign-in/other-account'],
        ['Go to the start page', '/app/'],
      ],
    ],
    [
      { status: 401, code: 'sign-in-framed', source: 'sign-in' } as const,
      asked,
      [['Open in a new window', '/a?b']],
    ],
    [{ status: 200, code: 'signed-out' }, asked, []],
  ])('%j at %j: %j', (more, place, expected) => expect(labels(more, place)).toEqual(expected))

  test('is said by the answer where it knows better', () => {
    const actions = [{ label: 'Sign in again', href: '/' }]
    const html = text(failureResponse({ ...failure, actions }, { accept: 'html', ...asked }).body)
    expect(html).toContain('<a href="/">Sign in again</a>')
    expect(html).not.toContain('Try again</a>')
  })
})

describe("an embedder's renderer", () => {
  const words = ({ code }: Failure, language: string) =>
    language.startsWith('de') && code === 'no-connector'
      ? { title: 'Nicht erreichbar', language: 'de' }
      : {}

  test('words page and problem alike', () => {
    const asked = { acceptLanguage: 'de-CH, en;q=0.5' }
    const page = failureResponse(failure, { accept: 'html', ...asked }, { words })
    expect(text(page.body)).toContain('<h1>Nicht erreichbar</h1>')
    expect(text(page.body)).toContain('<html lang="de">')
    expect(field(page.headers, 'Content-Language')).toBe('de')
    const { body } = failureResponse(failure, { accept: 'problem', ...asked }, { words })
    expect(JSON.parse(text(body))).toMatchObject({ title: 'Nicht erreichbar', status: 504 })
  })

  test('leads from a problem to where its code is explained', () => {
    const problemTypes = 'https://docs.example/errors#'
    const { body } = failureResponse(failure, { accept: 'problem' }, { problemTypes })
    expect(JSON.parse(text(body))).toMatchObject({ type: `${problemTypes}no-connector` })
  })

  test('may have its own template, with its own policy', () => {
    const html = (page: { code: string }) => ({
      html: `<p>${page.code}`,
      contentSecurityPolicy: "default-src 'self'",
    })
    const { headers, body } = failureResponse(failure, { accept: 'html' }, { html })
    expect(text(body)).toBe('<p>no-connector')
    expect(field(headers, 'Content-Security-Policy')).toBe("default-src 'self'")
  })

  test('that throws is passed over', () => {
    const broken = () => {
      throw new Error('broken')
    }
    const { body } = failureResponse(failure, { accept: 'html' }, { words: broken, html: broken })
    expect(text(body)).toContain('<h1>Application not reachable</h1>')
  })
})

test('a problem may say more, but nothing else in place of what it says', () => {
  const members = { acr_values: 'mfa', status: 200, code: 'x' }
  const { body } = failureResponse({ ...failure, members }, { accept: 'problem' })
  expect(JSON.parse(text(body))).toMatchObject({
    acr_values: 'mfa',
    status: 504,
    code: 'no-connector',
  })
})

test('an answer that is no problem is plain JSON for programs', () => {
  const answer = { ...OWN_ANSWERS['signed-out'], requestId: 'r' }
  const { status, headers } = failureResponse(answer, { accept: 'problem' })
  expect([status, field(headers, 'Content-Type')]).toEqual([200, 'application/json'])
  expect(headers).not.toContain('Proxy-Status')
})

describe('colours', () => {
  const luminance = (colour: string) => {
    const [r, g, b] = [1, 3, 5].map((at) => {
      const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255
      return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!
  }
  const contrast = (one: string, other: string) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b)
    return (light! + 0.05) / (dark! + 0.05)
  }
  test.each(Object.entries(COLOURS))('%s: text is told from paper', (_, colours) => {
    const { paper, ink, soft, accent, on, bad } = colours
    expect(contrast(ink, paper)).toBeGreaterThanOrEqual(7)
    for (const [one, other] of [
      [soft, paper],
      [accent, paper],
      [on, accent],
      [bad, paper],
    ] as const)
      expect(contrast(one, other), `${one} on ${other}`).toBeGreaterThanOrEqual(4.5)
  })
})

describe('a logo', () => {
  const png = `data:image/png;base64,${btoa('\x89PNG\r\n\x1a\nrest')}`
  test.each([png, LOGO, `data:image/webp;base64,${btoa('RIFF\0\0\0\0WEBPVP8 ')}`])('%s', (uri) =>
    expect(logoFault(uri)).toBeUndefined(),
  )
  test.each([
    ['https://evil.example/x.png', /must be/],
    ['data:image/svg+xml,<svg>', /must be/],
    ['data:text/html;base64,PHN2Zz4=', /must be/],
    [`data:image/png;base64,${btoa('<svg>')}`, /does not hold/],
    [`data:image/svg+xml;base64,${btoa('<html>')}`, /does not hold/],
    [`${png}" onerror="x`, /must be/],
    ['data:image/png;base64,A', /base64|must be/],
    [`data:image/png;base64,${'A'.repeat(MAX_LOGO_CHARACTERS)}`, /longer/],
  ])('%s is refused', (uri, fault) => expect(logoFault(uri)).toMatch(fault))

  test('is checked in the configuration, which never quotes it', () => {
    const configuration = (branding: object) => ({
      tenants: [
        { id: 't', issuer: 'https://sts.example', registrars: { audience: 'x' }, branding },
      ],
      groups: [{ id: 'g', tenantId: 't' }],
      applications: [],
    })
    const good = { name: 'Contoso', logo: LOGO }
    expect(createDirectory(configuration(good)).tenant('t')!.branding).toEqual(good)
    expect(() => createDirectory(configuration({ logo: 'javascript:x' }))).toThrow(
      /^tenants\[0\]\.branding\.logo: must be/,
    )
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

function unescaped(html: string): string {
  const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"' }
  return html.replaceAll(/&(?:#(\d+)|(\w+));/g, (_, code: string, name: string) =>
    code === undefined ? named[name]! : String.fromCharCode(Number(code)),
  )
}
/** What a body can carry of a text: no NUL on a page, no half of a pair in UTF-8. */
const utf8 = (one: string) =>
  new TextDecoder('utf-8', { ignoreBOM: true }).decode(
    new TextEncoder().encode(one.replaceAll('\0', '\ufffd')),
  )
