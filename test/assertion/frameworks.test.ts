/**
 * Applications that check assertions, from the package as it is packed: the lines that the guide gives for each framework,
 * as they are printed there.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AssertionKeys } from '../../src/cloud/index.ts'
import { packedProject, type PackedProject } from '../packed-project.ts'
import { until } from '../until.ts'
import { assertedWorld } from './asserted-world.ts'
import { AUDIENCE, createMaker, FORGERIES, ISSUER, type Maker } from './assertions.ts'

/** What stands around the lines of the guide: a guard that tells why, and a page that says who asks. */
const AROUND = {
  Express: {
    before: `import express from 'express'\nconst app = express()`,
    after: `app.get('/page', (req, res) => res.json(res.locals.user))
      const server = app.listen(0, '127.0.0.1', () => told({ port: server.address().port }))`,
  },
  Fastify: {
    before: `import fastify from 'fastify'\nconst app = fastify()`,
    after: `app.get('/page', async (request) => request.user)
      await app.listen({ port: 0, host: '127.0.0.1' })
      told({ port: app.server.address().port })`,
  },
  Hono: {
    before: `import { Hono } from 'hono'\nimport { serve } from '@hono/node-server'\nconst app = new Hono()`,
    after: `app.get('/page', (c) => c.json(c.get('user')))
      serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => told({ port }))`,
  },
} as const
const GUARD = `import { assertionGuard } from 'app-proxy/assertion'
  const told = (line) => process.stdout.write(JSON.stringify(line) + '\\n')
  const checked = assertionGuard(JSON.parse(process.argv[2]))
  const guard = (request) =>
    checked(request).catch((error) => {
      told({ code: error.code, reason: error.reason })
      throw error
    })
  process.stdin.on('end', () => process.exit(0)).resume()`

let project: PackedProject
let guide: string
let maker: Maker

beforeAll(async () => {
  project = await packedProject('@hono/node-server', 'express', 'fastify', 'hono')
  guide = await readFile(new URL('../../docs/single-sign-on/assertion.md', import.meta.url), 'utf8')
  maker = await createMaker()
}, 300_000)

afterAll(() => project?.remove())

describe.each(Object.keys(AROUND) as (keyof typeof AROUND)[])('%s', (framework) => {
  let application: ChildProcess
  let lines: AsyncIterator<string>
  let port: number
  const next = async () => JSON.parse((await lines.next()).value as string) as object

  beforeAll(async () => {
    const [, printed] = new RegExp(`\\*\\*${framework}\\*\\*\\n\\n\`\`\`ts\\n([^]*?)\`\`\``).exec(
      guide,
    )!
    const { before, after } = AROUND[framework]
    const file = join(project.directory, `${framework}.js`)
    await writeFile(file, [before, GUARD, printed, after].join('\n'))
    const options = { audience: AUDIENCE, issuer: ISSUER, keys: maker.keys }
    application = spawn(process.execPath, [file, JSON.stringify(options)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    lines = createInterface(application.stdout!)[Symbol.asyncIterator]()
    port = ((await next()) as { port: number }).port
  }, 60_000)

  afterAll(async () => {
    if (application?.exitCode !== null) return
    application.stdin!.end()
    await once(application, 'exit')
  })

  /** What the application answers to whoever shows it `token`. */
  async function asked(token: string | undefined) {
    const headers = token === undefined ? {} : { 'X-App-Proxy-Assertion': token }
    const sent = request({ port, host: '127.0.0.1', path: '/page?week=7', headers }).end()
    const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage]
    return { status: response.statusCode, body: await text(response) }
  }

  test('knows the user by a good one', async () => {
    const { status, body } = await asked(await maker.make({ name: 'Alice' }))
    expect(status).toBe(200)
    expect(JSON.parse(body)).toMatchObject({ sub: 'alice', tid: 'contoso', name: 'Alice' })
  })

  test.each(FORGERIES)('refuses $name, as $reason', async ({ token, reason }) => {
    const { status } = await asked(await token(maker, Date.now()))
    expect(status).toBe(401)
    expect(await next()).toEqual({ code: 'ERR_ASSERTION_REFUSED', reason })
  })
})

/** An application that fetches the keys from its service, as often as it may. */
const FETCHING = `import express from 'express'
  import { createInterface } from 'node:readline'
  import { assertionGuard, remoteKeys } from 'app-proxy/assertion'
  const told = (line) => process.stdout.write(JSON.stringify(line) + '\\n')
  let guard
  const lines = createInterface(process.stdin)
  lines.once('line', (line) => {
    const { keys, ...site } = JSON.parse(line)
    const fetched = remoteKeys(new URL(keys), { maxAgeMs: 0, cooldownMs: 0 })
    guard = assertionGuard({ ...site, keys: fetched })
    told({ isReady: true })
  })
  lines.on('close', () => process.exit(0))
  const app = express()`
const HOURS = 60

test('R6.2f an application in a process of its own notices no rotation under load', async () => {
  const [, printed] = /\*\*Express\*\*\n\n```ts\n([^]*?)```/.exec(guide)!
  const file = join(project.directory, 'rotation.js')
  await writeFile(file, [FETCHING, printed, AROUND.Express.after].join('\n'))
  const application = spawn(process.execPath, [file], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface(application.stdout)[Symbol.asyncIterator]()
  const next = async <T>() => JSON.parse((await lines.next()).value as string) as T
  const { port } = await next<{ port: number }>()
  let ahead = 0
  const signer = await AssertionKeys.open({ wallClock: () => Date.now() + ahead })
  const world = await assertedWorld({
    ...{ signer, internalUrl: `http://127.0.0.1:${port}/` },
    serviceUrl: (users) => `http://localhost:${users}/`,
  })
  const { host, port: users } = world
  const keys = `http://localhost:${users}/.app-proxy/assertion-keys`
  const site = { audience: `http://${host}/`, issuer: `http://localhost:${users}/`, keys }
  application.stdin.write(`${JSON.stringify(site)}\n`)
  await next()
  const cookie = await world.signIn('wiki', 'alice')
  const statuses = new Map<number, number>()
  let [answers, isOver] = [0, false]
  const load = Array.from({ length: 8 }, async () => {
    while (!isOver) {
      const { status } = await world.ask(host, '/page', { cookie })
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      answers += 1
    }
  })
  try {
    const signing = new Set<string>()
    for (let hour = 0; hour < HOURS; hour++) {
      if (hour % 30 === 2) await signer.rotate()
      ahead += 3_600_000
      signing.add(signer.signing)
      const due = answers + 8
      await until(() => answers >= due)
    }
    // That of the beginning, and two that came later.
    expect(signing.size).toBe(3)
  } finally {
    isOver = true
    await Promise.all(load)
    await world.close()
    application.stdin.end()
    await once(application, 'exit')
  }
  expect([...statuses.keys()]).toEqual([200])
  expect(answers).toBeGreaterThan(8 * HOURS)
}, 120_000)
