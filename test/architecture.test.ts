/**
 * The rules of the rooms, read from the sources: what a lint rule can be told to ignore, this cannot.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

const SRC = new URL('../src/', import.meta.url)
const EXAMPLES = new URL('../examples/', import.meta.url)
const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
  .sort()
const sources = new Map(files.map((path) => [path, readFileSync(new URL(path, SRC), 'utf8')]))
const within = (room: string) => files.filter((path) => path.startsWith(room))

/** What a file imports or re-exports, types included. */
function importsOf(path: string): string[] {
  const from = [...sources.get(path)!.matchAll(/\bfrom\s+'([^']+)'/g)]
  const bare = [...sources.get(path)!.matchAll(/\bimport\s*\(?\s*'([^']+)'/g)]
  return [...from, ...bare].map((match) => match[1]!)
}

/** Code without comments and string literals. */
function codeOf(path: string): string {
  return sources
    .get(path)!
    .replace(/\/\*[^]*?\*\//g, '')
    .replace(/'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g, "''")
    .replace(/\/\/.*$/gm, '')
}

/** Where an import leads, as a path in `src/`; packages as they are. */
function target(path: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier
  return new URL(specifier, new URL(path, SRC)).href.slice(SRC.href.length)
}

test.each(files)('%s has at most 400 lines', (path) =>
  expect(sources.get(path)!.split('\n').length - 1).toBeLessThanOrEqual(400),
)

test.each(files)('%s has a kebab-case name and no default export', (path) => {
  expect(path).toMatch(/^(?:[a-z0-9]+(?:-[a-z0-9]+)*\/)*[a-z0-9]+(?:-[a-z0-9]+)*\.ts$/)
  expect(codeOf(path)).not.toMatch(/\bexport default\b/)
})

/**
 * The floors of the house, from the ground up. A folder imports from floors below its own, types
 * included; folders of one floor do not know each other.
 */
const FLOORS: readonly (readonly string[])[] = [
  ['protocol/wire'],
  ['protocol/http'],
  ['protocol/machines'],
  ['protocol'],
  ['runtime'],
  ['assertion', 'runtime/node'],
  ['cloud/pages', 'cloud/rules', 'connector'],
  ['connector/sign-on'],
  [
    'cloud/audit',
    'cloud/authority',
    'cloud/directory',
    'cloud/identity',
    'connector/inject',
    'connector/kerberos',
  ],
  ['cloud/issuer', 'cloud/offers', 'cloud/versions', 'connector/node'],
  ['cloud/session'],
  ['cloud/connectors', 'cloud/request', 'cloud/translate'],
  ['cloud/lmdb', 'cloud/policy', 'cloud/sign-on', 'cloud/sign-out', 'cloud/translate/bodies'],
  ['cloud/nats', 'cloud/sign-in'],
  ['cloud/bearer'],
  ['cloud/admin', 'cloud/edge'],
  ['cloud/fetch'],
  ['cloud'],
  ['cloud/node'],
  // Uses the doors only, as a program of anybody's would.
  ['cli/program'],
  ['cli/cloud', 'cli/connector', 'cli/demo'],
  ['cli/admin'],
  ['cli'],
]
const roomOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf('/')))
const floorOf = (room: string) => FLOORS.findIndex((rooms) => rooms.includes(room))

describe('folders import downwards only', () => {
  test('every file is in a room, and every room is in use', () => {
    const rooms = [...new Set(files.map(roomOf))].sort()
    expect(rooms).toEqual(FLOORS.flat().sort())
  })

  // An index is the door of its folder, and may stand before what the folder is made of.
  test.each(files.filter((path) => !path.endsWith('index.ts')))('%s', (path) => {
    const room = roomOf(path)
    for (const specifier of importsOf(path)) {
      if (!specifier.startsWith('.')) continue
      const other = roomOf(target(path, specifier))
      if (other !== room) expect(floorOf(other), specifier).toBeLessThan(floorOf(room))
      expect(floorOf(other), specifier).toBeGreaterThanOrEqual(0)
    }
  })
})

describe('what users may import is chosen', () => {
  const doors = files.filter((path) => /(?:^|\/)index\.ts$/.test(path))

  test.each(doors)('%s names what it exports', (path) => {
    expect(doors.length).toBe(10)
    expect(codeOf(path)).not.toMatch(/\bexport\s+(?:type\s+)?\*/)
  })

  test('the rooms go in by other doors', () => {
    const users = files.filter((path) =>
      importsOf(path).some((specifier) => doors.includes(target(path, specifier))),
    )
    expect(users).toEqual([])
  })
})

describe('app-proxy on the command line', () => {
  test.each(within('cli/'))('%s imports its own files, and what every program can', (path) => {
    for (const specifier of importsOf(path))
      expect(target(path, specifier)).toMatch(
        /^(?:cli\/|node:|app-proxy(?:\/|$)|valibot$|oauth4webapi$|undici$)/,
      )
  })
})

test('the map of the house names files that are there', () => {
  const map = readFileSync(new URL('../docs/architecture.md', import.meta.url), 'utf8')
  const named = [...map.matchAll(/`((?:src|spec|test)\/[\w./-]+)`/g)].map((match) => match[1]!)
  expect(named.length).toBeGreaterThan(30)
  const root = new URL('../', import.meta.url)
  expect(named.filter((path) => !existsSync(new URL(path, root)))).toEqual([])
})

// The heading of a table of states names its columns, and is as wide as they are.
test.each(files)('%s has no comment beyond 100 columns', (path) => {
  const comments = sources
    .get(path)!
    .split('\n')
    .filter((line) => /^\s*(?:\*|\/\/|\/\*)/.test(line) && !/^ {2}\/\/ {2}/.test(line))
  expect(comments.filter((line) => [...line].length > 100)).toEqual([])
})

describe('src/protocol is pure', () => {
  /** What writes MessagePack stands behind one door. */
  const ALLOWED: Readonly<Record<string, RegExp>> = {
    'protocol/wire/msgpack-writer.ts': /^(protocol\/|msgpackr\/pack$)/,
  }

  test.each(within('protocol/'))('%s', (path) => {
    for (const specifier of importsOf(path))
      expect(target(path, specifier)).toMatch(ALLOWED[path] ?? /^(protocol\/|valibot$)/)
    expect(codeOf(path)).not.toMatch(
      // `fetch` is also the name of an effect; the compiler, which knows no such global here, tells them apart.
      /\b(Date|performance|setTimeout|setInterval|setImmediate|queueMicrotask|crypto|process|Buffer|console|globalThis|TextDecoder|TextEncoder)\b(?!['":?])|Math\.random/,
    )
  })
})

describe('time', () => {
  const onNode = /^(?:cloud|connector|runtime)\/node\/|^cli\//
  /** On Node, and timed as the machines that they drive. */
  const drivers = ['cloud/node/connector-listener.ts', 'connector/node/plain-link.ts']
  const neutral = files.filter((path) => !onNode.test(path) || drivers.includes(path))

  test('what runs on any runtime takes its timers from the one scheduler', () => {
    const timers = /\b(?:setTimeout|setInterval|setImmediate)\b|\bAbortSignal\.timeout\b/
    const makers = neutral.filter((path) => timers.test(codeOf(path)))
    const others = makers.filter((path) => path !== 'cloud/offers/origin.ts')
    expect(others).toEqual(['runtime/scheduler.ts'])
  })

  test('and the runtime’s clocks from one place', () => {
    const clocks = /\bDate\.now\b|\bperformance\.now\b/
    const readers = neutral.filter((path) => clocks.test(codeOf(path)))
    expect(readers.filter((path) => path !== 'cloud/issuer/issuer.ts')).toEqual([
      'runtime/clocks.ts',
    ])
  })
})

test('what is thrown is of the one error family', () => {
  const foreign = /\bthrow new (?:Error|TypeError|RangeError|SyntaxError|DOMException)\b/
  expect(files.filter((path) => foreign.test(codeOf(path)))).toEqual([])
})

test('octets are written in hexadecimal by one module, and in PEM by one', () => {
  const hex = /toString\(16\)\.padStart\(2, ''\)/
  expect(files.filter((path) => hex.test(codeOf(path)))).toEqual(['protocol/wire/octets.ts'])
  const armour = files.filter((path) => sources.get(path)!.includes('-----BEGIN ${'))
  expect(armour).toEqual(['runtime/node/pem.ts'])
})

describe('the rooms', () => {
  test.each(within('cloud/'))('%s does not know the connector', (path) => {
    for (const specifier of importsOf(path)) {
      expect(target(path, specifier)).not.toMatch(/^connector\/|^undici|examples\//)
      if (/^cloud\/(node|lmdb|nats)\//.test(path)) continue
      expect(target(path, specifier)).not.toMatch(
        /^node:|^lmdb|^@nats-io|^cloud\/(node|lmdb|nats)\//,
      )
    }
  })

  test.each(within('connector/'))('%s does not know the cloud', (path) => {
    for (const specifier of importsOf(path)) {
      expect(target(path, specifier)).not.toMatch(/^cloud\/|^lmdb|^@nats-io|examples\//)
      if (/^connector\/(node|kerberos)\//.test(path)) continue
      expect(target(path, specifier)).not.toMatch(/^node:|^undici|^connector\/node\//)
    }
  })

  test('only runtime/x509.ts imports the certificate library, after reflect-metadata', () => {
    const doors = files.filter((path) =>
      importsOf(path).some((specifier) => /^(@peculiar\/x509|reflect-metadata)/.test(specifier)),
    )
    expect(doors).toEqual(['runtime/x509.ts'])
    expect(
      [...sources.get('runtime/x509.ts')!.matchAll(/'([^']+)'/g)].map((match) => match[1]),
    ).toEqual(['reflect-metadata', '@peculiar/x509'])
  })
})

describe('connections to applications are shared behind one door for each library', () => {
  const doors = (pattern: RegExp, paths = within('connector/')) =>
    paths.filter((path) => pattern.test(codeOf(path)))
  const DOORS = ['application-connections.ts', 'undici-connections.ts']
  // `cloud-mistakes.ts` asks a server that it does not verify for the time of day, in nobody's name.
  const TO_THE_CLOUD = [
    'cloud-connections.ts',
    'cloud-mistakes.ts',
    'control-channel.ts',
    'multiplexed-link.ts',
    'proxy-dial.ts',
  ]
  const inNode = (names: readonly string[]) => names.map((name) => `connector/node/${name}`).sort()

  test('only they make agents, pools and clients', () => {
    const makers = doors(/\bnew (Http|Https)?(Agent|Client|Pool|Dispatcher)\b|\bextends Client\b/)
    expect(makers).toEqual(inNode([...DOORS, 'cloud-connections.ts', 'own-dial.ts']))
  })

  test('only one dispatches by undici, and only one file asks by node:http', () => {
    const values = /^import (?!type\b)[^;]*?\bfrom 'undici'/m
    const importers = within('connector/').filter((path) => values.test(sources.get(path)!))
    // And one calls the cloud by it.
    expect(importers).toEqual(inNode(['cloud-connections.ts', 'undici-connections.ts']))
    const callers = doors(/\b(http|https)Request\b/)
    expect(callers).toEqual(inNode(['http-backend.ts', ...TO_THE_CLOUD]))
    expect(codeOf('connector/node/http-backend.ts')).toContain('...address')
  })

  test.each(DOORS)('%s asks whether a request binds its connection', (name) =>
    expect(codeOf(`connector/node/${name}`)).toMatch(/\bbindsConnection\(headers\)/),
  )

  test.each(['http-backend.ts', 'undici-backend.ts'])('%s asks it of every answer', (name) =>
    expect(codeOf(`connector/node/${name}`)).toMatch(/\bbindsConnection\((headers|trailers)\)/),
  )
})

test('what holds a secret is written by one module, and everything else says why not', () => {
  const examples = readdirSync(EXAMPLES, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => [`examples/${path}`, readFileSync(new URL(path, EXAMPLES), 'utf8')] as const)
  const modes = [...sources, ...examples].filter(([, text]) => /\b0o[0-7]{3,4}\b/.test(text))
  expect(modes.map(([path]) => path).sort()).toEqual([
    // LMDB makes its file itself.
    'cloud/lmdb/lmdb-configuration-store.ts',
    // A socket, which holds nothing.
    'cloud/node/admin-listener.ts',
    // Logs, which are appended to.
    'examples/demo/processes.ts',
    'runtime/node/line-file.ts',
    'runtime/node/private-files.ts',
  ])
})

test('streams and files are written where somebody listens to their errors', () => {
  const examples = readdirSync(EXAMPLES, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => [`examples/${path}`, readFileSync(new URL(path, EXAMPLES), 'utf8')] as const)
  const writers = [...sources, ...examples].filter(([, text]) =>
    /createWriteStream|std(?:out|err)\.write\(|appendFile/.test(text),
  )
  // `console` ignores the errors of its streams by itself.
  expect(writers.map(([path]) => path)).toEqual([])
})

describe('a state moves in one place', () => {
  const tables = within('protocol/').filter((path) => / satisfies Table</.test(codeOf(path)))

  test('there are machines', () => expect(tables.length).toBeGreaterThan(10))

  test.each(tables)('%s leaves it to Machine or next', (path) => {
    // A table may stand beside the file that steps it, and is then all that its own file says.
    const users = within('protocol/').filter((user) =>
      importsOf(user).some((specifier) => target(user, specifier) === path),
    )
    const code = codeOf(path)
    // No assignment to a state anywhere; the data plane steps a Machine, the control plane reduces through `next`.
    expect(code).not.toMatch(/(?<!const |let |readonly )#?\bstate\s*=(?![=>])/)
    const stepping = /new Machine\b|\bnext\(|\bstepIn\(| satisfies Moves</
    expect([path, ...users].some((file) => stepping.test(codeOf(file)))).toBe(true)
  })

  // These hold what is live: the ends of links, and the exchanges that they carry.
  const LIVE = /\/(accepted-link|dialled-link|long-exchange|plain-[a-z-]+)\.ts$/
  const saved = within('protocol/machines/')
    .filter((path) => codeOf(path).includes('new Machine'))
    .filter((path) => !LIVE.test(path))

  test.each(saved)(
    '%s changes nothing but the memory of its Machine, and can be restored',
    (path) => {
      const code = codeOf(path)
      const field = /^  (?:#\w+|protected (?!readonly|get|abstract|override)\w+)[?!]?(?::| =)/gm
      expect(code.match(field) ?? []).toEqual([])
      expect(code).toMatch(/^  restore\(saved: /m)
    },
  )

  test('it is assigned once, after the table allowed it', () =>
    expect(codeOf('protocol/machines/table.ts').match(/\bstate = next/g)).toHaveLength(1))
})

describe('whoever makes a server', () => {
  const SERVER = /\bcreate(?:Http|Https|Http2|Secure|Net)?Server\s*\(/
  const makers = files.filter((path) => SERVER.test(codeOf(path)))

  test('there are some', () => expect(makers.length).toBeGreaterThanOrEqual(2))

  test.each(makers)('%s has every connection that it accepts looked after', (path) =>
    expect(codeOf(path)).toMatch(/\bnew AcceptedConnections\(/),
  )
})
