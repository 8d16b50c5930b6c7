/** The package as packed, on each version of Node that is maintained: the whole demo, issuer and connector included, runs on it. */
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:http2'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import manifest from '../../package.json' with { type: 'json' }
import {
  descendantsOf,
  isAlive,
  startDemoOf,
  UserAgent,
  type DemoProcess,
} from '../examples/demo-process.ts'
import { packedProject, type PackedProject } from '../packed-project.ts'
import { installRuntimes, nodeProgram } from './runtimes.ts'

const run = promisify(execFile)
const SUBPATHS = Object.keys(manifest.exports).filter((path) => !path.endsWith('.json'))

let project: PackedProject
beforeAll(async () => {
  ;[project] = await Promise.all([
    packedProject(
      ...(['tsx', 'lmdb', 'oidc-provider', 'ws'] as const),
      ...(['@grpc/grpc-js', '@grpc/proto-loader'] as const),
      ...(['@nats-io/transport-node', '@nats-io/jetstream', '@nats-io/kv'] as const),
    ),
    installRuntimes(),
  ])
}, 180_000)
afterAll(() => project?.remove())

describe.skipIf(process.platform !== 'linux').each(['20', '22', '24'])('Node %s', (major) => {
  const node = nodeProgram(major)
  const agent = { user: undefined as unknown as UserAgent }
  let demo: DemoProcess
  let ca: string
  beforeAll(async () => {
    const program = join(
      project.directory,
      'node_modules',
      manifest.name,
      manifest.bin['app-proxy'],
    )
    demo = await startDemoOf({ node, args: [program, 'demo'], cwd: project.directory }, '--https')
    ca = readFileSync(demo.caFile, 'utf8')
    agent.user = new UserAgent(ca)
  }, 90_000)
  afterAll(() => demo?.stop())

  test('is what runs, and imports every subpath', async () => {
    const imports = SUBPATHS.map((path) => `await import('${join(manifest.name, path)}')`).join()
    const program = `${imports}; console.log(process.versions.node)`
    const { stdout } = await run(node, ['--input-type=module', '-e', program], {
      cwd: project.directory,
    })
    expect(stdout.split('.')[0]).toBe(major)
  })

  test('a user signs in, and lands on the deep link', async () => {
    const deep = demo.url('intranet', '/headers?week=7')
    const back = await agent.user.signIn(deep, demo.users[0]!)
    expect([back.status, back.headers.location]).toEqual([302, deep])
    expect((await agent.user.get(deep)).text).toContain('Alice Adams')
  })

  test('an upload arrives whole', async () => {
    const body = randomBytes(3 * 1024 * 1024).toString('hex')
    const url = demo.url('intranet', '/upload')
    const { origin } = new URL(url)
    const { text } = await agent.user.post(url, { origin }, body)
    const sha256 = createHash('sha256').update(body).digest('hex')
    expect(JSON.parse(text)).toEqual({ bytes: body.length, sha256 })
  })

  test('a WebSocket says back what it is told', async () => {
    const { host, hostname, port, origin } = new URL(demo.url('intranet'))
    const socket = new WebSocket(`wss://127.0.0.1:${port}/echo`, {
      ...{ ca, servername: hostname, origin },
      headers: { host, cookie: agent.user.cookie },
    })
    await once(socket, 'open')
    const said = once(socket, 'message')
    socket.send('hello there')
    expect(String((await said)[0])).toBe('hello there')
    socket.close()
  })

  test('HTTP/2 brings the same page', async () => {
    const { hostname, port, host } = new URL(demo.url('intranet'))
    const session = connect(`https://127.0.0.1:${port}`, { ca, servername: hostname })
    const stream = session.request({
      ...{ ':path': '/headers', ':authority': host, ':scheme': 'https' },
      cookie: agent.user.cookie,
    })
    const [headers] = (await once(stream, 'response')) as [{ ':status': number }]
    expect(headers[':status']).toBe(200)
    expect(JSON.parse(await text(stream))).toMatchObject({ target: '/headers' })
    session.close()
  })

  test('ends in order, and leaves no process', async () => {
    const processes = descendantsOf(demo.child.pid!)
    expect(processes.length).toBeGreaterThan(4)
    expect(await demo.stop()).toBe(0)
    expect(processes.filter(({ pid }) => isAlive(pid))).toEqual([])
  })

  // HTTP messages differ more between versions than sockets do: links are the same everywhere.
  if (node !== process.execPath)
    test('the plain binding carries what it carries here', async () => {
      const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url))
      const args = [vitest, 'run', 'test/integration/tunnel.test.ts', '-t', 'plain over TLS']
      const own = Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST'))
      const { stdout } = await run(node, args, { env: Object.fromEntries(own) })
      const [, passed] = /(\d+) passed, 0 failed/.exec(stdout) ?? []
      expect(Number(passed)).toBeGreaterThan(10)
    }, 120_000)
})
