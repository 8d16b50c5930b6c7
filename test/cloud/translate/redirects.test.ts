/**
 * Redirects that somebody made to lead elsewhere: whatever a browser would make of one, it makes the same of its translation,
 * or goes to what is published.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { translated, type TestApplication } from './translated.ts'

const EVIL = [
  'evil.example',
  'evil.example:8080',
  'evil%E3%80%82example',
  '3232235521',
  '0xC0.0xA8.0.1',
  '[::ffff:192.0.2.1]',
  'evil。example',
  'xn--bcher-kva.example',
  'evil%C2%ADexample.test',
  'ⓔⓥⓘⓛ.example',
  'evil%00.example',
]
const INSIDE = [
  '10.0.0.7:8080',
  'shop.internal',
  'SHOP.internal',
  'shop.internal.',
  'sho%70.internal',
  'shop.internal:80',
  'shop.inter%C2%ADnal',
]
const OUTSIDE = ['wiki.example', 'shop.example', 'site.example']
const TRUSTED = [...INSIDE, ...OUTSIDE]

const STARTS = [
  ...[
    '//',
    '///',
    '////',
    '/\\',
    '\\/',
    '\\\\',
    '/\\/',
    '/\t/',
    '/\n/',
    '\t//',
    ' //',
    '/%09/',
    '/%5c',
    '/%2f',
    '/%2f%2f',
    '%2f%2f',
  ],
  ...[
    'http://',
    'https://',
    'HTTP://',
    'http:',
    'https:/',
    'http:///',
    'http:\\\\',
    'https:/\\',
    'ht\ntp://',
    'http:%2f%2f',
    '//;@',
    'http://;@',
  ],
  ...[
    '/.',
    '/./',
    '/..',
    '/../',
    '/.//',
    '/..//',
    '/%2e/',
    '/%2e%2e//',
    '/..;/',
    '/;/',
    '/;//',
    './/',
    '..//',
    '/x/..//',
    '/app/',
    '/app//',
    '/app///',
    '/app/\\',
    '/app/.//',
  ],
  ...[
    '/app/..//',
    '/app/../..//',
    '/app/%2e%2e//',
    '/app/..;//',
    '/app/\t/',
    '/app/%5c',
    '/app/%2f',
    '/app;//',
    '/ap%70//',
    '/desk//',
    '/desk/\\',
    '/desk/..//',
    '/app/app//',
    '/\u00a0/',
    '/\u3031',
    '?//',
    '#//',
    '@',
    '.',
    '',
  ],
]
const ENDS = [
  '',
  '/',
  '/%2f..',
  '/%2e%2e',
  '//..',
  '/..',
  '?',
  '#',
  '\\',
  '/app/',
  ':80',
  '%00',
  '%0d%0aX: y',
  ';',
  '&',
  '/a?http://10.0.0.7:8080/',
  '/x b',
]

/** What is trusted stands before, behind or within what is not. */
function mixed(evil: string, trusted: string): readonly string[] {
  return [
    ...[
      `${trusted}@${evil}`,
      `${evil}@${trusted}`,
      `${trusted}:80@${evil}`,
      `${trusted}.${evil}`,
      `${evil}.${trusted}`,
    ],
    ...[
      `${evil}#${trusted}`,
      `${evil}?${trusted}`,
      `${evil}/${trusted}`,
      `${evil}\\@${trusted}`,
      `${trusted}\\@${evil}`,
      `${evil}%2f${trusted}`,
    ],
    ...[
      `${trusted}%2f@${evil}`,
      `${trusted}%00${evil}`,
      `${evil}:${trusted}`,
      `${trusted}&@${evil}`,
      `${trusted}#@${evil}`,
      `${trusted}?@${evil}`,
      `x${trusted}`,
      `${trusted}x`,
    ],
  ]
}

function corpus(): readonly string[] {
  const hosts = [
    ...EVIL,
    ...TRUSTED,
    ...EVIL.slice(0, 2).flatMap((evil) => TRUSTED.slice(0, 3).flatMap((one) => mixed(evil, one))),
  ]
  const list = new Set<string>()
  for (const start of STARTS) for (const host of hosts) list.add(start + host)
  for (const [i, end] of ENDS.entries())
    for (const [j, start] of STARTS.entries())
      for (const host of [EVIL[(i + j) % EVIL.length]!, TRUSTED[(i + j) % TRUSTED.length]!])
        list.add(start + host + end)
  for (const scheme of [
    'javascript:',
    'data:text/html,',
    'vbscript:',
    'file:',
    'ftp:',
    'blob:',
    'ws:',
    'java\nscript:',
  ])
    for (const host of TRUSTED) list.add(`${scheme}//${host}/%0aalert(1)`)
  return [...list]
}

const WIKI = { internalUrl: 'http://10.0.0.7:8080/', externalUrl: 'https://wiki.example/' }
const SHOP = { internalUrl: 'http://shop.internal/app/', externalUrl: 'https://shop.example/' }
const DESK = { internalUrl: 'http://desk.internal/', externalUrl: 'https://site.example/desk/' }
const ROOT = { internalUrl: 'http://root.internal/', externalUrl: 'https://site.example/' }
const shown = (one: TestApplication): TestApplication => ({ ...one, hostHeader: 'external' })
const WORLDS: readonly (readonly TestApplication[])[] = [
  ...[
    [WIKI],
    [SHOP],
    [DESK],
    [WIKI, SHOP, DESK, ROOT],
    [SHOP, WIKI, DESK, ROOT],
    [DESK, SHOP, ROOT],
    [ROOT, DESK, WIKI],
  ],
  ...[[shown(SHOP), WIKI], [shown(DESK), ROOT], [shown(WIKI)]],
]

/** Where a browser on a page of the application goes. */
function goes(location: string, page: string): URL | undefined {
  return URL.canParse(location, page) ? new URL(location, page) : undefined
}

/** In words, what is wrong with a translation; undefined: nothing. */
function fault(
  from: string,
  to: string,
  applications: readonly TestApplication[],
): string | undefined {
  const published = applications.map(({ externalUrl }) => new URL(externalUrl))
  const page = `${applications[0]!.externalUrl}page/here`
  const [before, after] = [goes(from, page), goes(to, page)]
  if (from === to) return undefined
  if (after === undefined) return 'leads nowhere'
  const own = new URL(page).origin
  if (before?.origin === own && after.origin !== own) return 'left the origin'
  if (
    !published.some(
      ({ origin, pathname }) =>
        after.origin === origin && `${after.pathname}/`.startsWith(pathname),
    )
  )
    return 'leads to what is not published'
  return /^(?:\/\/|[/\\]{2}|[^a-z/])/i.test(to) ? 'may be read as a host' : undefined
}

describe('redirects that were made to lead elsewhere', () => {
  const payloads = corpus()

  test('are many', () => expect(payloads.length).toBeGreaterThan(3_000))

  test.each(
    WORLDS.map(
      (applications) =>
        [applications.map(({ externalUrl }) => externalUrl).join(' '), applications] as const,
    ),
  )('none escapes: %s', (_name, applications) => {
    const world = translated(applications)
    const escapes = payloads.flatMap((payload) => {
      const to = world.field('Location', payload)!
      const again = world.field('Location', to)
      const refreshed = world.field('Refresh', `0;url=${payload}`)!
      const told = fault(payload, to, applications) ?? (again === to ? undefined : 'changes again')
      // Blanks before a URL are none of it there.
      const isSame = /^[ \t\n]/.test(payload) || refreshed === `0;url=${to}`
      return told === undefined && isSame ? [] : [`${told}: ${payload} → ${to}, ${refreshed}`]
    })
    expect(escapes).toEqual([])
  })

  test('nor does one that is put together by chance', () =>
    fc.assert(
      fc.property(
        fc.constantFrom(
          ...WORLDS.map((applications) => ({ applications, world: translated(applications) })),
        ),
        fc.array(fc.constantFrom(...STARTS, ...EVIL, ...TRUSTED, ...ENDS), { maxLength: 6 }),
        ({ applications, world }, parts) => {
          const to = world.field('Location', parts.join(''))!
          expect(fault(parts.join(''), to, applications)).toBeUndefined()
          expect(world.field('Location', to)).toBe(to)
        },
      ),
      { numRuns: 2_000 },
    ))
})
