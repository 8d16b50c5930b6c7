/** The examples of `examples/embed`, against the package as it is packed: strict types, and each one at work before one cloud. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { request, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { packedProject, type PackedProject } from '../packed-project.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)
const SITES = ['node-http', 'express', 'fastify', 'hono', 'fetch'] as const
type Site = (typeof SITES)[number] | 'express-wrong' | 'own-login' | 'audit'

let project: PackedProject
let world: ChildProcess
let ports: Readonly<Record<Site, number>>

beforeAll(async () => {
  project = await packedProject(
    ...(['@hono/node-server', '@types/express', '@types/node', '@types/ws', 'express'] as const),
    ...(['fastify', 'hono', 'lmdb', 'ws'] as const),
  )
  const { directory } = project
  for (const path of ['examples/embed', 'test/embeds/world.ts'])
    await cp(join(ROOT, path), join(directory, path), { recursive: true })
  await writeFile(join(directory, 'tsconfig.json'), JSON.stringify(await strictly()))
  // It writes JavaScript only if every example is right.
  await run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', directory], { cwd: directory }).catch(
    ({ stdout }: { stdout: string }) => {
      throw new Error(stdout)
    },
  )
  world = spawn(process.execPath, ['built/test/embeds/world.js'], {
    ...{ cwd: directory, stdio: ['pipe', 'pipe', 'inherit'] },
  })
  const [line] = (await once(createInterface(world.stdout!), 'line')) as [string]
  ports = JSON.parse(line) as typeof ports
}, 180_000)

afterAll(async () => {
  if (world?.exitCode === null) {
    world.stdin!.write('\n')
    await once(world, 'exit')
  }
  await project?.remove()
})

test('each example is one short file with a paragraph, and imports nothing but the package and its framework', async () => {
  const about = await readFile(join(ROOT, 'examples/embed/README.md'), 'utf8')
  for (const name of await readdir(join(ROOT, 'examples/embed'))) {
    if (!name.endsWith('.ts')) continue
    expect(about, name).toContain(`(${name})`)
    const source = await readFile(join(ROOT, 'examples/embed', name), 'utf8')
    for (const [, from] of source.matchAll(/from '([^']+)'/g))
      expect(from, name).toMatch(/^(app-proxy\/|node:|express$|fastify$|hono(\/|$)|lmdb$|ws$)/)
    if (name !== 'readme.ts') expect(source.split('\n').length, name).toBeLessThan(80)
  }
})

describe.each(SITES)('%s', (site) => {
  test('serves what it served before', async () => {
    expect(await ask(site, 'other.example', '/')).toMatchObject({
      status: 200,
      body: 'The site that was here before.\n',
    })
  })

  test('serves a published application, and says who asks', async () => {
    const { status, body } = await ask(site, 'wiki.localhost', '/deep/link?week=7')
    expect(status).toBe(200)
    expect(JSON.parse(body)).toMatchObject({ url: '/deep/link?week=7', from: '127.0.0.1' })
  })

  test('the answer has the application’s fields, several of one name too, and no others', async () => {
    const { headers } = await ask(site, 'wiki.localhost', '/')
    expect(headers['set-cookie']).toEqual(['a=1', 'b=2'])
    expect(headers).not.toHaveProperty('x-powered-by')
  })

  test('an upload arrives whole', async () => {
    const sent = randomBytes(3 * 1024 * 1024)
    const { body } = await ask(site, 'wiki.localhost', '/upload', { sent })
    const sha256 = createHash('sha256').update(sent).digest('hex')
    expect(JSON.parse(body)).toMatchObject({ method: 'POST', sha256 })
  })

  test('knows rows of the database that came later', async () => {
    expect((await ask(site, 'late.localhost', '/')).status).toBe(200)
  })
})

describe.each(['express', 'fastify', 'hono'] as const)('%s, for its own hosts', (site) => {
  test('still parses bodies', async () => {
    const headers = { 'content-type': 'application/json' }
    const { body } = await ask(site, 'other.example', '/echo', { sent: '{"a":1}', headers })
    expect(JSON.parse(body)).toEqual({ a: 1 })
  })
})

describe.each(['node-http', 'express', 'fastify', 'hono'] as const)('%s', (site) => {
  test('a WebSocket says back what it is told', async () => {
    expect(await echo(site, 'wiki.localhost')).toBe('hello there')
  })
})

test('a fetch handler has no WebSockets, unless its runtime hands connections over', async () => {
  const headers = {
    ...{ connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' },
    'sec-websocket-key': randomBytes(16).toString('base64'),
  }
  expect((await ask('fetch', 'wiki.localhost', '/', { headers })).status).toBe(501)
})

test('a parser before the handler is told at once', async () => {
  const headers = { 'content-type': 'application/json' }
  const { status, body } = await ask('express-wrong', 'wiki.localhost', '/', {
    ...{ sent: '{"a":1}', headers },
  })
  expect([status, body]).toEqual([
    500,
    'ApiMisuse: the body of this request was read before: mount userHandler before parsers',
  ])
  // What has no body has not been read.
  expect((await ask('express-wrong', 'wiki.localhost', '/')).status).toBe(200)
})

describe('a login of one’s own', () => {
  const mine = { cookie: 'a=1; site_session=ann; b=2' }
  const upgrade = {
    ...{ connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' },
    'sec-websocket-key': randomBytes(16).toString('base64'),
  }

  test('tells the application who it is, and keeps the session to itself', async () => {
    const { body } = await ask('own-login', 'wiki.localhost', '/', { headers: mine })
    expect(JSON.parse(body)).toMatchObject({ user: 'ann', cookie: 'a=1; b=2' })
  })

  test.each([
    ['by the field', { 'X-Site-User': 'root' }],
    ['by other spellings', { X_Site_User: 'root', 'x.site.user': 'root', 'x-SITE_user': 'root' }],
    ['for nobody', { connection: 'X-Site-User' }],
    ['in a trailer', { trailer: 'X-Site-User' }],
  ])('nobody passes for another %s', async (_how, fields: Record<string, string>) => {
    const { body } = await ask('own-login', 'wiki.localhost', '/', {
      ...{ headers: { ...mine, ...fields }, sent: 'x', trailers: { 'X_Site-User': 'root' } },
    })
    expect(JSON.parse(body)).toMatchObject({ user: 'ann', trailers: [] })
    expect(body).not.toContain('root')
  })

  test('leads others to the login, whatever they ask for', async () => {
    expect((await ask('own-login', 'wiki.localhost', '/secret')).status).toBe(302)
    const broken = { cookie: 'site_session=broken' }
    expect((await ask('own-login', 'wiki.localhost', '/', { headers: broken })).status).toBe(302)
    for (const offer of ['websocket', 'foo', 'h2c', 'TLS/1.2']) {
      const headers = { ...upgrade, upgrade: offer }
      const { status, body } = await ask('own-login', 'wiki.localhost', '/secret', { headers })
      expect([offer, body]).toEqual([offer, ''])
      expect([302, 401]).toContain(status)
    }
  })

  test('a WebSocket is told who it is', async () => {
    expect(await echo('own-login', 'wiki.localhost', 'who am I', mine)).toBe('ann')
  })
})

test('a body is asked for once a connector wants it', async () => {
  const asked = request({
    ...{ port: ports['node-http'], host: '127.0.0.1', method: 'POST' },
    headers: { host: 'wiki.localhost', expect: '100-continue' },
  })
  asked.flushHeaders()
  await once(asked, 'continue')
  asked.end('now')
  const [response] = (await once(asked, 'response')) as [NodeJS.ReadableStream]
  const sha256 = createHash('sha256').update('now').digest('hex')
  expect(JSON.parse(await text(response))).toMatchObject({ sha256 })
})

describe.each(['ports', 'sockets'])('a link of its own: %s', (id) => {
  test('carries requests', async () => {
    const { body } = await ask('node-http', `${id}.localhost`, '/x')
    expect(JSON.parse(body)).toMatchObject({ url: '/x' })
  })

  test('carries uploads', async () => {
    const sent = randomBytes(3 * 1024 * 1024)
    const { body } = await ask('node-http', `${id}.localhost`, '/x', { sent })
    const sha256 = createHash('sha256').update(sent).digest('hex')
    expect(JSON.parse(body)).toMatchObject({ sha256 })
  })

  test('carries WebSockets', async () => {
    expect(await echo('node-http', `${id}.localhost`)).toBe('hello there')
  })
})

test('a page of its own, in the user’s language', async () => {
  const headers = { accept: 'text/html', 'accept-language': 'de-AT, en;q=0.5' }
  const { status, body } = await ask('node-http', 'down.localhost', '/', { headers })
  expect(status).toBe(504)
  expect(body).toMatch(/<html lang="de">[^]*Die Anwendung ist nicht verbunden[^]*Example Ltd/)
})

test('a collector of its own is sent the audit', async () => {
  const { body } = await ask('audit', 'collector.example', '/')
  const events = body
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { metadata: object })
  expect(events.length).toBeGreaterThan(2)
  for (const { metadata } of events) expect(metadata).toHaveProperty('uid')
})

interface Asked {
  readonly sent?: string | Buffer
  readonly headers?: Readonly<Record<string, string>>
  readonly trailers?: Readonly<Record<string, string>>
}

async function ask(site: Site, host: string, path: string, asking: Asked = {}) {
  const { sent, headers, trailers } = asking
  const asked = request({
    ...{ port: ports[site], host: '127.0.0.1', path, method: sent === undefined ? 'GET' : 'POST' },
    headers: { host, ...headers },
  })
  if (trailers !== undefined) {
    asked.flushHeaders()
    asked.addTrailers(trailers)
  }
  asked.end(sent)
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  return { status: response.statusCode, headers: response.headers, body: await text(response) }
}

async function echo(
  site: Site,
  host: string,
  words = 'hello there',
  fields: Readonly<Record<string, string>> = {},
): Promise<string> {
  const headers = { host, ...fields }
  const socket = new WebSocket(`ws://127.0.0.1:${ports[site]}/echo`, { headers })
  await once(socket, 'open')
  const said = once(socket, 'message')
  socket.send(words)
  const [message] = (await said) as [Buffer]
  socket.close()
  return String(message)
}

/** Our own strictness; declarations of others are not ours to check. */
async function strictly(): Promise<object> {
  const own = await readFile(join(ROOT, 'tsconfig.json'), 'utf8')
  const { compilerOptions } = JSON.parse(own) as { compilerOptions: Record<string, unknown> }
  const { paths: _paths, noEmit: _noEmit, ...options } = compilerOptions
  return {
    compilerOptions: {
      ...options,
      ...{ module: 'NodeNext', moduleResolution: 'NodeNext' },
      ...{ noEmitOnError: true, rewriteRelativeImportExtensions: true, outDir: 'built' },
      ...{ rootDir: '.', allowImportingTsExtensions: false },
    },
    include: ['test', 'examples'],
  }
}
