/** Whatever an application says, its answer reaches no farther than it meant. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { translated, type TestApplication } from './translated.ts'

const RUNS = { numRuns: 2_000 }
const base = fc.constantFrom('/', '/a/', '/b/', '/a/b/')
const application = fc.record({
  internalUrl: fc
    .tuple(
      fc.constantFrom('http://one.internal', 'https://two.internal:8443', 'http://10.0.0.7:81'),
      base,
    )
    .map(([origin, path]) => origin + path),
  externalUrl: fc
    .tuple(fc.constantFrom('https://x.example', 'https://y.example:8443'), base)
    .map(([origin, path]) => origin + path),
  hostHeader: fc.constantFrom('internal' as const, 'external' as const),
})
const world = fc.uniqueArray(application, {
  ...{ minLength: 1, maxLength: 3 },
  selector: ({ externalUrl }) => externalUrl,
})

describe('a cookie', () => {
  const attribute = fc.oneof(
    fc.constantFrom(
      'Secure',
      ' HttpOnly',
      'httponly ',
      ' SameSite=None',
      ' samesite=strict',
      ' SameSite = Lax',
      'SameSite',
      ' Partitioned',
      ' Max-Age=5',
      '',
      ' x=y',
      ' Priority=High',
    ),
    fc.constantFrom(
      ' Path=/',
      'path=/a',
      ' PATH = /a/b/c',
      ' Path=/b/',
      ' Path',
      ' Path=x',
      ' Path=',
      ' Path=/a/../b',
      ' Path=/abc',
    ),
    fc.constantFrom(
      ' Domain=one.internal',
      'domain=.internal',
      ' DOMAIN=x.example',
      ' Domain',
      ' Domain=',
      ' domain = evil.example',
    ),
  )
  const cookie = fc
    .tuple(
      fc.constantFrom(
        'a=b',
        'a',
        '=',
        '__Host-a=b',
        '__Secure-a=b',
        ' a = "b',
        '__host-A=',
        'a=b=c',
      ),
      fc.array(attribute, { maxLength: 6 }),
    )
    .map(([pair, attributes]) => [pair, ...attributes].join(';'))
  const path = fc.constantFrom('', 'x', 'x/y')

  test('reaches no farther than it came', () =>
    fc.assert(
      fc.property(world, cookie, path, (applications, said, rest) => {
        const requestPath = new URL(applications[0]!.externalUrl).pathname + rest
        const one = translated(applications, { path: requestPath })
        const told = one.field('Set-Cookie', said)
        if (told === undefined) return
        const [before, after] = [read(said), read(told)]
        expect(after.pair).toBe(before.pair)
        expect(after.domain).toBeUndefined()
        expect(after.flags.has('secure')).toBe(true)
        for (const flag of before.flags) expect(after.flags).toContain(flag)
        expect(after.sameSite).toBe(before.sameSite === 'none' ? 'lax' : before.sameSite)
        expect(after.others).toEqual(before.others)
        const own = new URL(applications[0]!.externalUrl).pathname
        const reach = after.path ?? directory(requestPath)
        const isWhole = /^__host-/i.test(before.pair) && reach === '/'
        if (!isWhole) expect(`${reach}/`.startsWith(own) || `${reach}/` === own, told).toBe(true)
        else expect(one.exchange!.urls.isHostShared && before.path === '/', told).toBe(false)
      }),
      RUNS,
    ))

  const directory = (path: string) => path.slice(0, Math.max(1, path.lastIndexOf('/')))

  /** As RFC 6265 reads it. */
  function read(value: string) {
    const [pair, ...attributes] = value.split(';')
    const flags = new Set<string>()
    let [cookiePath, domain, sameSite]: (string | undefined)[] = []
    const others: string[] = []
    for (const text of attributes) {
      const [key, ...rest] = text.split('=')
      const name = key!.trim().toLowerCase()
      const of = rest.join('=').trim()
      if (name === 'path') cookiePath = of.startsWith('/') ? of : undefined
      else if (name === 'domain') domain = of === '' ? domain : of
      else if (name === 'samesite') sameSite = of.toLowerCase()
      else if (name === 'secure' || name === 'httponly') flags.add(name)
      else others.push(text)
    }
    return { pair: pair!, path: cookiePath, domain, sameSite, flags, others }
  }
})

describe('a content security policy', () => {
  const source = fc.constantFrom(
    "'self'",
    "'none'",
    "'nonce-abc'",
    'https:',
    '*',
    'http://one.internal',
    'one.internal',
    'HTTPS://two.internal:8443/a/',
    'http://*.internal',
    'http://10.0.0.7:81',
    'ws://one.internal',
    'https://else.example',
    'one.internal:*',
    "'unsafe-inline'",
  )
  const directive = fc
    .tuple(
      fc.constantFrom(
        'default-src',
        'img-src',
        'frame-ancestors',
        'X-SRC',
        'report-uri',
        'sandbox',
        'Connect-Src',
      ),
      fc.array(source, { maxLength: 4 }),
    )
    .map(([name, sources]) => [name, ...sources].join(' '))
  const policy = fc
    .array(
      fc.array(directive, { maxLength: 3 }).map((list) => list.join('; ')),
      { minLength: 1, maxLength: 3 },
    )
    .map((list) => list.join(', '))

  test('keeps its policies, directives and sources, one for one', () =>
    fc.assert(
      fc.property(world, policy, (applications, said) => {
        const one = translated(applications)
        const told = one.field('Content-Security-Policy', said)!
        const parts = (text: string) => text.split(/([;,\s])/)
        expect(parts(told).length).toBe(parts(said).length)
        const outside = applications.map(({ externalUrl }) => new URL(externalUrl).host)
        parts(told).forEach((part, i) => {
          const before = parts(said)[i]!
          if (part !== before) {
            expect(before).toMatch(/one\.internal|two\.internal:8443|10\.0\.0\.7:81/i)
            expect(
              outside.some((host) => part.replace(/^[a-z]+:\/\//, '').startsWith(host)),
              part,
            ).toBe(true)
          }
        })
        expect(one.field('Content-Security-Policy', told)).toBe(told)
      }),
      RUNS,
    ))
})

describe('any field', () => {
  const text = fc.oneof(
    fc.stringMatching(/^[\t\x20-\x7e\x80-\xff]{0,24}$/),
    fc
      .array(
        fc.constantFrom(
          '<',
          '>',
          ';',
          ',',
          '"',
          "'",
          '\\',
          '=',
          'url=',
          'anchor=',
          '0;',
          'http://one.internal/a',
          '/a/b',
          '{',
          '}',
          ' ',
          'Path=',
          '(',
          ')',
          '[',
          ']',
        ),
        { maxLength: 10 },
      )
      .map((list) => list.join('')),
  )
  const name = fc.constantFrom(
    'Location',
    'Refresh',
    'Link',
    'Content-Security-Policy',
    'Reporting-Endpoints',
    'Report-To',
    'NEL',
    'SourceMap',
    'Service-Worker-Allowed',
    'Set-Cookie',
  )

  test('is translated without a fault, ends no line, and stays once it is', () =>
    fc.assert(
      fc.property(world, name, text, (applications: readonly TestApplication[], field, said) => {
        const one = translated(applications)
        const told = one.field(field, said)
        if (told === undefined) return
        expect(told).not.toMatch(/[\r\n\0]/)
        if (field !== 'Set-Cookie') expect(one.field(field, told)).toBe(told)
      }),
      { numRuns: 4_000 },
    ))
})
