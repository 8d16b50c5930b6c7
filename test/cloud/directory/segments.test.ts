/** Which segment a path lies in: an order of precedence, and whatever a server behind may take a path for. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isSamePath, segmentFault, Segments } from '../../../src/cloud/directory/segments.ts'
import { readTarget } from '../../../src/protocol/internal.ts'

const PATHS = [
  '/reports/',
  '/reports/public/',
  '/reports/public/salary.html',
  '/admin/',
  '/b%C3%BCro/',
  '/my%20files/',
  '/setup.php',
]

const part = (path: string) => ({ path, admission: `of ${path}`, value: path })
const segments = new Segments(part(''), PATHS.map(part))
const REFUSED = 'refused'
const of = (path: string, all = segments) => {
  try {
    return all.of(readTarget(path, 'host.example').path)
  } catch {
    return REFUSED
  }
}

describe('the longest segment has a path', () => {
  test.each([
    ['/', ''],
    ['/other', ''],
    ['/reportsx', ''],
    ['/reports', '/reports/'],
    ['/reports/', '/reports/'],
    ['/reports/2026/q3.pdf', '/reports/'],
    ['/reports/public', '/reports/public/'],
    ['/reports/public/a.b/c', '/reports/public/'],
    ['/reports/public/salary.html', '/reports/public/salary.html'],
    ['/reports/public/salary.htm', '/reports/public/'],
    ['/reports/public/salary.html?x=/admin/', '/reports/public/salary.html'],
    ['/other/admin/', ''],
    ['/setup.php', '/setup.php'],
    ['/my%20files/a', '/my%20files/'],
    ['/b%C3%BCro/a', '/b%C3%BCro/'],
    ['/b%c3%bcro/a', '/b%C3%BCro/'],
    ['/other/b%C3%BCro/M%C3%BCller%20(2).pdf', ''],
    ['/reports/M%C3%BCller;v=2/a%2Fb', '/reports/'],
    ['/reports/a:b//c', '/reports/'],
  ])('%s', (path, expected) => {
    expect(of(path)).toBe(expected)
  })

  test('one for the whole application stands before the application, and behind all others', () => {
    const all = new Segments(part(''), ['/', '/admin/'].map(part))
    expect([of('/x', all), of('/', all), of('/admin/x', all)]).toEqual(['/', '/', '/admin/'])
  })

  test('an application without segments is whole', () => {
    expect(of('/x', new Segments(part(''), []))).toBe('')
  })
})

test.each([
  ['a letter case', '/Admin/x'],
  ['a file in another case', '/SETUP.php'],
  ['an encoded letter', '/%61dmin/'],
  ['encoded twice', '/%2561dmin/'],
  ['three times', '/%252561dmin/'],
  ['%u', '/%25u0061dmin/'],
  ['overlong', '/%c1%a1dmin/'],
  ['overlong, carelessly', '/%c1%21dmin/'],
  ['overlong slash', '/x%c0%afadmin/../'],
  ['a fullwidth letter', '/%ef%bd%81dmin/'],
  ['a long s in an encoded name', '/%C5%BFetup.php'],
  ['slashes', '//admin/'],
  ['a slash at the end of a file', '/setup.php/'],
  ['more after a file', '/setup.php/more'],
  ['an encoded slash', '/reports/public%2fsalary.html'],
  ['a backslash', '/reports/public%5csalary.html'],
  ['parameters', '/admin;x=1/a'],
  ['encoded parameters', '/admin%3bx/a'],
  ['a dot at the end', '/admin./a'],
  ['a dot behind a file', '/setup.php.'],
  ['a space behind a file', '/setup.php%20'],
  ['a plus behind a file', '/setup.php+'],
  ['a stream', '/setup.php::$DATA'],
  ['an index allocation', '/admin:$i30:$INDEX_ALLOCATION/a'],
  ['a NUL, encoded twice', '/setup.php%2500.jpg'],
  ['a short name', '/REPORT~1/a'],
  ['a short name by a hash', '/re3F2A~1/a'],
  ['dots that become others', '/reports/.. /x'.replace(' ', '%20')],
  ['dots behind parameters', '/reports/..%253bx/x'],
])('what some servers take for another segment is refused: %s', (_, path) => {
  expect(of(path)).toBe(REFUSED)
})

test('what differs in no admission is not refused', () => {
  const same = new Segments(
    { ...part(''), admission: 'a' },
    PATHS.map((path) => ({ ...part(path), admission: 'a' })),
  )
  expect(of('/Admin/x', same)).toBe('')
  expect(of('/setup.php/more', same)).toBe('')
})

test('a path with more readings than anybody needs is refused, and soon', () => {
  expect(of(`/%${'25'.repeat(2_000)}41`)).toBe(REFUSED)
  const nested = Array.from({ length: 12 }, (_, i) => `%${'25'.repeat(i)}41;:`).join('/.+/')
  expect(of(`/${nested}`)).toBe(REFUSED)
})

describe('what lies below', () => {
  test.each([
    ['/', PATHS],
    ['/reports', PATHS.slice(1, 3)],
    ['/reports/', PATHS.slice(1, 3)],
    ['/Reports/', PATHS.slice(1, 3)],
    ['/reports/public', [PATHS[2]]],
    ['/reports/public/salary.html', []],
    ['/rep', []],
    ['/report%73/', PATHS.slice(1, 3)],
  ])('%s', (path, expected) => {
    expect(segments.below(path)).toEqual(expected)
  })
})

describe('a configured path', () => {
  test.each([
    '/',
    '/a/',
    '/a',
    '/a/b.html',
    '/b%C3%BCro/',
    '/a%20b',
    '/pkg.Service/',
    '/.well-known/x',
  ])('%s is sound', (path) => {
    expect(segmentFault(path, '/')).toBeUndefined()
  })
  test.each([
    ['a', 'must be a path'],
    ['//a', 'must be a path'],
    ['/a?b', 'must be a path'],
    ['/a b', 'plain form: "/a%20b"'],
    ['/a/../b', 'plain form: "/b"'],
    ['/a;b', 'one way only'],
    ['/a:b', 'one way only'],
    ['/a./b', 'one way only'],
    ['/a+b', 'one way only'],
    ['/a%2fb', 'one way only'],
    ['/a%2561', 'one way only'],
    ['/a%00', 'one way only'],
    ['/a~1', 'one way only'],
    ['/.app-proxy/x', 'must not lie under'],
  ])('%s: %s', (path, detail) => {
    expect(segmentFault(path, '/')).toContain(detail)
  })
  test('is one of the application', () => {
    expect(segmentFault('/wiki/', '/wiki/')).toBeUndefined()
    expect(segmentFault('/wiki/a', '/wiki/')).toBeUndefined()
    expect(segmentFault('/other/', '/wiki/')).toBe('is not a path of this application')
  })
  test('is another than others, whoever reads them', () => {
    expect(isSamePath('/a', '/a/')).toBe(true)
    expect(isSamePath('/a/', '/A/')).toBe(true)
    expect(isSamePath('/b%C3%BCro/', '/B%c3%9cRO')).toBe(true)
    expect(isSamePath('/a/', '/a/b/')).toBe(false)
  })
})

// ── servers, modelled by themselves ──────────────────────────────────────────────────────────────

/** Octets of a path, decoded once. */
const decode = (path: string) => unescape(path)
const wordwise = (path: string, change: (name: string) => string) =>
  path.split('/').map(change).join('/')
const merge = (path: string) => path.replace(/\/+/g, '/')
const withoutParameters = (path: string) => wordwise(path, (name) => name.split(';')[0]!)
const slashes = (path: string) => path.split('\\').join('/')
const windows = (path: string) =>
  wordwise(slashes(path), (name) => name.split(':')[0]!.replace(/[. ]+$/, '')).toLowerCase()
const careless = (path: string) =>
  path.replace(/[\xc0\xc1](.)/gs, (two, second: string) =>
    String.fromCharCode(((two.charCodeAt(0) & 1) << 6) | (second.charCodeAt(0) & 63)),
  )
const inC = (path: string) => path.split('\0')[0]!
const utf8 = (path: string) =>
  new TextDecoder().decode(Uint8Array.from(path, (c) => c.charCodeAt(0)))

/** Known servers and pairs of them, each as the chain of what it does. */
const SERVERS: Readonly<Record<string, (path: string) => string>> = {
  'one that does nothing': (path) => path,
  Apache: (path) => merge(decode(path)),
  'Apache, AllowEncodedSlashes NoDecode': (path) => merge(decode(path.replace(/%(?=2f)/gi, '%25'))),
  nginx: (path) => merge(decode(path)),
  'nginx before a servlet container': (path) => decode(withoutParameters(merge(decode(path)))),
  Tomcat: (path) => merge(decode(withoutParameters(path))),
  Jetty: (path) => decode(withoutParameters(path)),
  'WebLogic: parameters after decoding': (path) => merge(withoutParameters(decode(path))),
  IIS: (path) => windows(merge(decode(path))),
  'IIS behind a proxy that decodes': (path) => windows(merge(decode(decode(path)))),
  'an old IIS': (path) => windows(careless(decode(decode(path)))),
  'a servlet container on Windows': (path) => windows(decode(withoutParameters(path))),
  'PHP on an old C library': (path) => inC(decode(decode(path))),
  'one that decodes forms': (path) => windows(decode(path.replaceAll('+', ' '))),
  'one that decodes thrice': (path) => merge(decode(decode(decode(path)))),
  'one that compares characters': (path) => utf8(decode(path)).normalize('NFKC').toLowerCase(),
  macOS: (path) => decode(path).toLowerCase(),
}

const LONGEST_FIRST = PATHS.toSorted((a, b) => b.length - a.length)

/** What a server would hand out, by the simplest of matchers. */
function handedOut(name: string, path: string): string {
  const read = SERVERS[name]!(path)
  const isCaseless = read !== read.toUpperCase() && SERVERS[name]!('/A') === '/a'
  for (const configured of LONGEST_FIRST) {
    const known = name === 'one that does nothing' ? configured : unescape(configured)
    const forms = [known, name.includes('characters') ? utf8(known) : known]
    for (const form of forms) {
      const own = isCaseless ? form.toLowerCase() : form
      if (own.endsWith('/') ? `${read}/`.startsWith(own) : read === own) return configured
    }
  }
  return ''
}

const hex = (octet: number) => octet.toString(16).padStart(2, '0')
const SPELLINGS: readonly ((character: string) => string)[] = [
  (c) => c,
  (c) => c.toUpperCase(),
  (c) => `%${hex(c.charCodeAt(0))}`,
  (c) => `%25${hex(c.charCodeAt(0))}`,
  (c) => `%25%32%35${hex(c.charCodeAt(0))}`,
  (c) => `%c${c.charCodeAt(0) >> 6}%${hex((c.charCodeAt(0) & 63) | 128)}`,
  (c) => `%ef%bc%${hex(c.charCodeAt(0) - 32 + 128)}`,
]
const TAILS = ['', '.', '%20', '+', ';x=1', '%3bx', ':', '::$DATA', '%253b', '%2500', '/', '%2f']
const JOINTS = ['/', '//', '%2f', '%5c', '%252f', '/;/', '/%20/', '%c0%af', '%255c']

const spelt = fc
  .tuple(
    fc.constantFrom(...PATHS, '/other/', '/reports/x', '/admin/reports/public/'),
    fc.array(fc.tuple(fc.nat(40), fc.nat(SPELLINGS.length - 1)), { maxLength: 3 }),
    fc.array(fc.constantFrom(...JOINTS), { maxLength: 3 }),
    fc.array(fc.constantFrom(...TAILS), { maxLength: 3 }),
    fc.constantFrom('', 'x', 'x/', 'salary.html', 'public/'),
  )
  .map(([path, changes, joints, tails, more]) => {
    const names = path.split('/').filter((name) => name !== '')
    const written = names.map((name, i) => {
      let changed = [...name]
      for (const [at, how] of changes)
        if (at % names.length === i && !name.includes('%')) {
          const index = at % changed.length
          changed = changed.with(index, SPELLINGS[how]!(name[index]!))
        }
      return changed.join('') + (tails[i] ?? '')
    })
    const joined = written.reduce((all, name, i) => all + (joints[i] ?? '/') + name, '')
    const rest = path.endsWith('/') ? `${joints[names.length] ?? '/'}${more}` : ''
    return joined.startsWith('/') ? joined + rest : `/${joined}${rest}`
  })

test('never is a path passed as one segment that a server takes for another', () => {
  let passed = 0
  fc.assert(
    fc.property(spelt, (path) => {
      const judged = of(path)
      if (judged === REFUSED) return
      passed += 1
      for (const server of Object.keys(SERVERS))
        expect(handedOut(server, path), `${server} ${path}`).toBe(judged)
    }),
    { numRuns: 6_000 },
  )
  expect(passed).toBeGreaterThan(300)
})

test('most of what people write passes', () => {
  for (const path of PATHS) expect(of(path)).toBe(path)
  for (const server of Object.keys(SERVERS))
    if (server !== 'one that does nothing')
      for (const path of PATHS) expect(handedOut(server, path), server).toBe(path)
})
