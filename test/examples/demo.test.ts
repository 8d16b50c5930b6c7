import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { credentials, Metadata } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exitCodeOf } from '../../src/cli/program/program.ts'
import { main as rpcCall } from '../../examples/rpc-call.ts'
import { Greeter } from '../../examples/rpc/greeter.ts'
import manifest from '../../package.json' with { type: 'json' }
import { FileIdentityStore } from '../../src/connector/node/index.ts'
import { listen, until } from '../integration/tunnel.ts'
import {
  descendantsOf,
  isAlive,
  robotToken,
  runDemo,
  startDemo,
  UserAgent,
  type DemoProcess,
} from './demo-process.ts'
import { missingPackages } from '../debian-packages.ts'

const run = promisify(execFile)
const onLinux = test.skipIf(process.platform !== 'linux')
// Missing is a failure in CI (Debian package curl), and skipped by name elsewhere.
const withCurl = test.skipIf(process.env['CI'] !== 'true' && missingPackages('curl') !== undefined)
const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))
const DEEP = '/headers?week=7&path=%2Fa'

const root = mkdtempSync(join(tmpdir(), 'app-proxy-demo-test-'))
const stateDir = join(root, 'state')
let demo: DemoProcess
beforeAll(async () => void (demo = await startDemo('--state-dir', stateDir)))
afterAll(async () => {
  await demo.stop()
  rmSync(root, { recursive: true, force: true })
})

interface Told {
  readonly target: string
  readonly rawHeaders: readonly (readonly [string, string])[]
}
const fieldsOf = (text: string, name: string) =>
  (JSON.parse(text) as Told).rawHeaders
    .filter(([field]) => field.toLowerCase() === name)
    .map(([, value]) => value)
const audited = (wanted: string) =>
  readFileSync(join(stateDir, 'audit.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; outcome: string })
    .filter(({ type }) => type === wanted)
/** Where the site that is published is by itself. */
const privateSite = () => {
  const { ports } = JSON.parse(readFileSync(join(stateDir, 'demo.json'), 'utf8')) as {
    ports: { intranet: number }
  }
  return { internalPort: ports.intranet }
}
const registrations = () => audited('connector.registration')
const connectorId = async () =>
  (await new FileIdentityStore({ directory: join(stateDir, 'connector') }).load()).current!
    .connectorId

test('one line of JSON says where to browse and who may sign in', () => {
  expect(demo.lines).toHaveLength(1)
  expect(demo.applications).toEqual([
    {
      id: 'intranet',
      externalUrl: expect.stringMatching(/^http:\/\/intranet\.localhost:\d+\/$/),
      preAuthentication: 'oidc',
    },
    {
      id: 'vault',
      externalUrl: expect.stringMatching(/^http:\/\/vault\.localhost:\d+\/$/),
      preAuthentication: 'oidc',
    },
    ...['headers', 'assertion', 'inject'].map((id) => ({
      ...{ id, preAuthentication: 'oidc' },
      externalUrl: expect.stringMatching(new RegExp(`^http://${id}\\.localhost:\\d+/$`)),
    })),
    {
      id: 'handbook',
      externalUrl: expect.stringMatching(/^http:\/\/handbook\.localhost:\d+\/$/),
      preAuthentication: 'passthrough',
    },
    {
      id: 'open',
      externalUrl: expect.stringMatching(/^http:\/\/open\.localhost:\d+\/$/),
      preAuthentication: 'passthrough',
    },
  ])
  expect(demo.users.map(({ username }) => username)).toEqual(['alice', 'bob', 'carol'])
  expect(demo.issuer).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  expect(demo.connectorUrl).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
  expect(demo.stateDir).toBe(stateDir)
  expect(readFileSync(demo.caFile, 'utf8')).toMatch(/^-----BEGIN CERTIFICATE-----/)
})

test('the connector came by the link binding', () => {
  expect(demo.bindings).toEqual({ 'cloud-1': 'link' })
})

onLinux(
  'a configuration that is read again is recorded, and one with a mistake changes nothing',
  async () => {
    const file = join(stateDir, 'cloud-server.json')
    const before = readFileSync(file, 'utf8')
    const cloud = descendantsOf(demo.child.pid!).find(({ command }) =>
      command.includes('cloud run'),
    )
    const replaced = () => audited('configuration.replaced')
    process.kill(cloud!.pid, 'SIGHUP')
    await until(() => replaced().length === 1)
    writeFileSync(
      file,
      before.replace('"preAuthentication": "oidc"', '"preAuthentication": "odic"'),
    )
    process.kill(cloud!.pid, 'SIGHUP')
    await until(() => replaced().length === 2)
    writeFileSync(file, before)
    expect(replaced().map(({ outcome }) => outcome)).toEqual(['success', 'failed'])
    expect((await new UserAgent().get(demo.url('open'))).status).toBe(200)
  },
)

test('the connector registered itself with the token of a registrar, which is gone', () => {
  expect(registrations()).toMatchObject([{ outcome: 'success', subject: 'user-alice' }])
  expect(existsSync(join(stateDir, 'registrar-token'))).toBe(false)
})

test('what holds secrets is for its owner alone', () => {
  for (const file of ['demo.json', 'sts.json', 'cloud-server.json', 'audit.jsonl', 'authorization'])
    expect(statSync(join(stateDir, file)).mode & 0o077, file).toBe(0)
  for (const file of ['connector-authority.pem', 'server-authority.pem', 'key-ring.json'])
    expect(statSync(join(stateDir, 'cloud', file)).mode & 0o077, file).toBe(0)
})

test('the open application is served without sign-in', async () => {
  const answer = await new UserAgent().get(demo.url('open', DEEP))
  expect(answer.status).toBe(200)
  expect((JSON.parse(answer.text) as Told).target).toBe(DEEP)
})

test('a request without a session is redirected to the issuer', async () => {
  const answer = await new UserAgent().get(demo.url('intranet', DEEP))
  expect(answer.status).toBe(302)
  expect(new URL(answer.headers.location!).origin).toBe(demo.issuer)
})

test('a program without a session is told so, and not redirected', async () => {
  const headers = { accept: 'application/json' }
  const answer = await new UserAgent().get(demo.url('intranet', DEEP), headers)
  expect(answer.status).toBe(401)
  expect(answer.headers['www-authenticate']).toMatch(/^Bearer /)
})

describe('the user who is assigned', () => {
  const agent = new UserAgent()
  test('signs in by the forms and lands on the deep link', async () => {
    const answer = await agent.signIn(demo.url('intranet', DEEP), demo.users[0]!)
    expect(answer.status).toBe(302)
    expect(answer.headers.location).toBe(demo.url('intranet', DEEP))
  })
  test('is served, and no session cookie reaches the application', async () => {
    expect(agent.cookieNames).toContainEqual(expect.stringMatching(/session/))
    const answer = await agent.get(demo.url('intranet', DEEP))
    expect(answer.status).toBe(200)
    expect((JSON.parse(answer.text) as Told).target).toBe(DEEP)
    expect(fieldsOf(answer.text, 'cookie')).toEqual([])
    expect(fieldsOf(answer.text, 'x-user-email')).toEqual(['alice@contoso.example'])
  })
  test('cannot pass for somebody else', async () => {
    const headers = { 'x-user-email': 'boss@contoso.example', X_User_Email: 'boss' }
    const answer = await agent.get(demo.url('intranet', DEEP), headers)
    expect(fieldsOf(answer.text, 'x-user-email')).toEqual(['alice@contoso.example'])
    expect(fieldsOf(answer.text, 'x_user_email')).toEqual([])
  })
  test('sees on the page that no cookie reached it', async () => {
    const answer = await agent.get(demo.url('intranet'))
    expect(answer.text).toContain('<p id="cookies">none</p>')
  })
})

describe('single sign-on', () => {
  test('the application is told who it is in fields of the cloud', async () => {
    const agent = new UserAgent()
    await agent.signIn(demo.url('headers', DEEP), demo.users[0]!)
    const answer = await agent.get(demo.url('headers', DEEP), { x_user_groups: '["boss"]' })
    expect(fieldsOf(answer.text, 'x-user-subject')).toEqual(['user-alice'])
    expect(fieldsOf(answer.text, 'x-user-groups')).toEqual(['["staff"]'])
    expect(fieldsOf(answer.text, 'x_user_groups')).toEqual([])
    expect(fieldsOf(answer.text, 'x-user-tenant')).toEqual(['contoso'])
    const page = await agent.get(demo.url('headers'))
    expect(page.text).toMatch(/<table id="who">.*X-User-Subject.*user-alice/s)
  })

  test('the application is told by an assertion, which it checks itself', async () => {
    const agent = new UserAgent()
    await agent.signIn(demo.url('assertion', DEEP), demo.users[0]!)
    const forged = { 'x-app-proxy-assertion': 'a.b.c', X_App_Proxy_Assertion: 'a.b.c' }
    const { text } = await agent.get(demo.url('assertion', DEEP), forged)
    expect(fieldsOf(text, 'x_app_proxy_assertion')).toEqual([])
    const [token, ...more] = fieldsOf(text, 'x-app-proxy-assertion')
    expect(more).toEqual([])
    const page = await agent.get(demo.url('assertion'), forged)
    expect(page.text).toMatch(/<table id="who">.*checked by this page.*>sub<.*user-alice/s)
    expect(page.text).toContain('Signed in as <strong>Alice Adams</strong>')
    expect(page.text, 'an assertion that others could use').not.toMatch(/eyJ\w+\.eyJ/)
    // Past the proxy: the one of another request, and none.
    const { internalPort } = privateSite()
    const past = async (headers: Record<string, string>) =>
      (await fetch(`http://127.0.0.1:${internalPort}/`, { headers })).text()
    expect(await past({ 'x-app-proxy-assertion': token! })).toContain('refused: url')
    expect(await past({ 'x-app-proxy-assertion': 'a.b.c' })).toContain('refused: malformed')
    expect(await past({})).toContain('Nobody: it was told nothing')
  })

  test('the links of the handbook, which are those of the inside, lead on', async () => {
    const agent = new UserAgent()
    const { text } = await agent.get(demo.url('handbook'))
    const links = [...text.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, link]) => link!)
    expect(links.length).toBeGreaterThan(8)
    for (const link of links) {
      const url = new URL(link, demo.url('handbook'))
      expect(url.origin).toBe(new URL(demo.url('handbook')).origin)
      const expected = url.pathname === '/latest' ? 302 : 200
      expect((await agent.get(url.href)).status, link).toBe(expected)
    }
  })

  test('the keys are published by the service, and are in a file without their secrets', async () => {
    const { port } = new URL(demo.url('open'))
    const published = await fetch(`http://localhost:${port}/.app-proxy/assertion-keys`)
    const text = readFileSync(join(stateDir, 'cloud', 'assertion-keys.public.json'), 'utf8')
    expect(await published.json()).toEqual(JSON.parse(text))
    expect(text).toContain('"kid"')
    expect(text).not.toContain('"d"')
    expect(statSync(join(stateDir, 'cloud', 'assertion-keys.json')).mode & 0o077).toBe(0)
  })

  onLinux('the connector lets no request to it whose assertion is of other keys', async () => {
    const agent = new UserAgent()
    await agent.signIn(demo.url('assertion', DEEP), demo.users[0]!)
    const file = join(stateDir, 'sign-on.json')
    const [before, keys] = [readFileSync(file, 'utf8'), join(stateDir, 'other-keys.json')]
    const other = { kty: 'EC', crv: 'P-256', kid: 'other', x: 'A'.repeat(43), y: 'A'.repeat(43) }
    writeFileSync(keys, JSON.stringify({ keys: [other] }))
    const pinned = (text: string) => text.replace(/"keysFile": "[^"]+"/, `"keysFile": "${keys}"`)
    const status = async () => (await agent.get(demo.url('assertion', DEEP))).status
    expect(await status()).toBe(200)
    writeFileSync(file, pinned(before))
    await expect.poll(status, { timeout: 20_000 }).toBe(502)
    writeFileSync(file, before)
    await expect.poll(status, { timeout: 20_000 }).toBe(200)
  })

  test('the application is shown a password of the connector’s, and its page shows none', async () => {
    const agent = new UserAgent()
    await agent.signIn(demo.url('inject', DEEP), demo.users[0]!)
    const { text } = await agent.get(demo.url('inject'), { authorization: 'Basic bWU6bWU=' })
    expect(text).toMatch(/<table id="who">.*Basic.*gateway/s)
    const { secrets } = JSON.parse(readFileSync(join(stateDir, 'sign-on.json'), 'utf8')) as {
      secrets: { password: string }[]
    }
    expect(text).not.toContain(secrets[0]!.password)
    expect(text).not.toMatch(/Basic [\w+/=]/)
    expect(statSync(join(stateDir, 'sign-on.json')).mode & 0o077).toBe(0)
  })
})

describe('the user who is not assigned is refused by sign-in', () => {
  test('with a page for browsers', async () => {
    const agent = new UserAgent()
    const refused = await agent.signIn(demo.url('intranet', DEEP), demo.users[1]!)
    // To an address without the issuer's answer, which may be loaded again.
    expect(refused.status).toBe(303)
    const answer = await agent.get(demo.url('intranet', refused.headers.location))
    expect(answer.status).toBe(403)
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(answer.text).toMatch(/<dt>Source<\/dt>\s*<dd>Sign-in<\/dd>/)
    expect(answer.text).toContain('not-assigned')
  })
  test('with a problem for programs', async () => {
    const agent = new UserAgent()
    const headers = { accept: 'application/json' }
    const answer = await agent.signIn(demo.url('intranet', DEEP), demo.users[1]!, headers)
    expect(answer.status).toBe(403)
    expect(answer.headers['content-type']).toBe('application/problem+json')
    expect(JSON.parse(answer.text)).toMatchObject({ source: 'sign-in', code: 'not-assigned' })
    expect(agent.cookieNames).toEqual([])
  })
})

test('a program with a token of its own is served, and shows it to nobody inside', async () => {
  const token = await robotToken(demo)
  const program = new UserAgent()
  const headers = { authorization: `Bearer ${token}`, accept: 'application/json' }
  const answer = await program.get(demo.url('intranet', DEEP), headers)
  expect(answer.status).toBe(200)
  expect(fieldsOf(answer.text, 'authorization')).toEqual([])
  expect(program.cookieNames).toEqual([])
  // Where no tokens are taken it is the application's own affair, and opens nothing.
  expect((await program.get(demo.url('vault', DEEP), headers)).status).toBe(401)
})

withCurl('curl with a cookie jar signs in, follows, and stays signed in', async () => {
  const jar = join(root, 'jar')
  const curl = async (...args: string[]) => {
    // The application takes tokens: whoever accepts anything is taken for a program.
    const pages = ['--header', 'Accept: text/html, */*']
    const common = ['-sSL', '--noproxy', '*', '--cookie', jar, '--cookie-jar', jar, ...pages]
    const { stdout } = await run('curl', [...common, '-w', '\n%{url_effective}', ...args])
    const end = stdout.lastIndexOf('\n')
    return { text: stdout.slice(0, end), url: stdout.slice(end + 1) }
  }
  const deep = demo.url('intranet', DEEP)
  const { username, password } = demo.users[0]!
  const login = await curl(deep)
  expect(login.text).toContain('name="password"')
  const fields = { username, password, action: 'continue' }
  const filledIn = Object.entries(fields).flatMap(([name, value]) => [
    ...['--data-urlencode', `${name}=${value}`],
  ])
  // She agreed to it by another program.
  const served = await curl(...filledIn, login.url)
  expect(served.url).toBe(deep)
  expect((JSON.parse(served.text) as Told).target).toBe(DEEP)
  const again = await curl(deep)
  expect(fieldsOf(again.text, 'cookie')).toEqual([])
  // As the demo says a program should.
  const { stdout } = await run('curl', [
    ...['-sS', '--noproxy', '*', '-H', `@${demo.robot.authorizationFile}`],
    demo.url('intranet', '/headers'),
  ])
  expect((JSON.parse(stdout) as Told).target).toBe('/headers')
})

describe('a second start with the same directory', () => {
  let own: Server
  let before: { readonly id: string; readonly issuer: string }
  beforeAll(async () => {
    own = createServer((request, response) =>
      response.end(`mine: ${request.headers.host} ${request.url}`),
    )
    const port = await listen(own)
    before = { id: await connectorId(), issuer: demo.issuer }
    expect(await demo.stop('SIGTERM')).toBe(0)
    demo = await startDemo(
      ...['--state-dir', stateDir, '--publish-open', `mine=http://127.0.0.1:${port}/base`],
      ...['--publish', `hers=http://127.0.0.1:${port}`, '--external-host', 'mine'],
    )
  })
  afterAll(async () => void (await new Promise((closed) => own.close(closed))))

  test('does not register again', async () => {
    expect(await connectorId()).toBe(before.id)
    expect(registrations()).toHaveLength(1)
    expect(demo.issuer).toBe(before.issuer)
  })
  test('publishes the own application, open to everyone', async () => {
    const answer = await new UserAgent().get(demo.url('mine', '/page?x=1'))
    expect(answer).toMatchObject({
      status: 200,
      text: `mine: ${new URL(demo.url('mine')).host} /base/page?x=1`,
    })
  })
  test('publishes the own application behind sign-in', async () => {
    const agent = new UserAgent()
    const answer = await agent.signIn(demo.url('hers', '/page'), demo.users[0]!)
    expect(answer.headers.location).toBe(demo.url('hers', '/page'))
    expect(await agent.get(demo.url('hers', '/page'))).toMatchObject({
      text: expect.stringMatching(/^mine: 127\.0\.0\.1:\d+ \/page$/),
    })
  })
  test('a port that is taken is named', async () => {
    const { port } = new URL(demo.url('open'))
    const taken = await runDemo('--port', port)
    expect(taken).toMatchObject({
      code: 2,
      errors: `demo: --port: is in use by another process (is ${port})\n`,
    })
  })
  onLinux('ends with code 0 at Ctrl-C, twice, and leaves no process', async () => {
    const processes = descendantsOf(demo.child.pid!)
    for (const name of ['/sts.ts', '/intranet.ts', '/main.ts cloud run', '/main.ts connector run'])
      expect(processes.filter(({ command }) => command.includes(name))).toHaveLength(1)
    expect(
      processes.some(({ command }) => /eyJ/.test(command)),
      'a token in argv',
    ).toBe(false)
    // A terminal sends it to every process of the group, at once.
    demo.child.kill('SIGINT')
    for (const { pid } of processes) if (isAlive(pid)) process.kill(pid, 'SIGINT')
    expect(await demo.stop('SIGINT')).toBe(0)
    expect(processes.filter(({ pid }) => isAlive(pid))).toEqual([])
  })
})

describe('with --https', () => {
  let secure: DemoProcess
  beforeAll(async () => void (secure = await startDemo('--https')))
  afterAll(() => secure.stop())

  test('users come by TLS, and their cookies are bound to it', async () => {
    const agent = new UserAgent(readFileSync(secure.caFile, 'utf8'))
    const deep = secure.url('intranet', DEEP)
    expect(deep).toMatch(/^https:/)
    expect((await agent.signIn(deep, secure.users[0]!)).headers.location).toBe(deep)
    expect(agent.cookieNames.filter((name) => !/^__(?:Host|Secure)-/.test(name))).toEqual([])
    const answer = await agent.get(deep)
    expect(fieldsOf(answer.text, 'x-forwarded-proto')).toEqual(['https'])
  })

  test('the gRPC service is called as the demo says, with a token that is for it', async () => {
    const said: string[] = []
    const call = (...more: string[]) =>
      exitCodeOf('rpc-call', rpcCall, {
        argv: [secure.url('rpc'), 'you', '--ca', secure.caFile, ...more],
        ...{ say: (line) => said.push(line), log: (line) => said.push(line) },
        ...{ signal: new AbortController().signal, onReload: () => undefined },
      })
    const { authorizationFile, rpcAuthorizationFile } = secure.robot
    expect(await call('--authorization-file', rpcAuthorizationFile!)).toBe(0)
    expect(await call('--authorization-file', authorizationFile)).toBe(1)
    expect(await call()).toBe(1)
    expect(said).toEqual([
      'Hello you, you came as demo.robot.',
      expect.stringMatching(/^rpc-call: UNAUTHENTICATED: .*token-audience, request/),
      expect.stringMatching(/^rpc-call: UNAUTHENTICATED: .*sign-in-required, request/),
    ])
  })

  test('a stock client of gRPC reads a stream', async () => {
    const { host, hostname, port } = new URL(secure.url('rpc'))
    const channel = credentials.createSsl(readFileSync(secure.caFile))
    const client = new Greeter(`127.0.0.1:${port}`, channel, {
      ...{ 'grpc.default_authority': host, 'grpc.ssl_target_name_override': hostname },
    })
    const shown = new Metadata()
    const field = readFileSync(secure.robot.rpcAuthorizationFile!, 'utf8')
    shown.set('authorization', field.replace('Authorization: ', '').trim())
    const words = await client.count({ words: 3 }, shown).toArray()
    expect(words).toEqual([{ text: '1' }, { text: '2' }, { text: '3' }])
    client.close()
  })

  test('it ends with code 0, and its temporary directory with it', async () => {
    expect(await secure.stop()).toBe(0)
    expect(existsSync(secure.stateDir)).toBe(false)
  })
})

onLinux('names the process that dies, and ends with code 1', async () => {
  const dying = await startDemo()
  let said = ''
  dying.child.stderr!.on('data', (text: Buffer) => (said += text.toString()))
  const processes = descendantsOf(dying.child.pid!)
  const intranet = processes.find(({ command }) => command.includes('/intranet.ts'))!
  const ended = new Promise((resolve) => dying.child.once('close', resolve))
  process.kill(intranet.pid, 'SIGKILL')
  expect(await ended).toBe(1)
  expect(said).toContain('intranet ended unexpectedly (SIGKILL)')
  expect(processes.filter(({ pid }) => isAlive(pid))).toEqual([])
})

onLinux('leaves no process when npm, which runs it, is told to end', async () => {
  const npm = spawn('npm', ['run', '--silent', 'demo', '--', '--json'], { cwd: REPOSITORY })
  const [first] = (await once(npm.stdout, 'data')) as [Buffer]
  expect(JSON.parse(first.toString())).toHaveProperty('issuer')
  const processes = descendantsOf(npm.pid!)
  expect(processes.some(({ command }) => command.includes('connector run'))).toBe(true)
  npm.kill('SIGTERM')
  const alive = () => processes.filter(({ pid }) => isAlive(pid))
  await expect.poll(alive, { timeout: 20_000 }).toEqual([])
})

test('npm’s scripts need nothing of a shell', () => {
  const shellOnly = Object.values(manifest.scripts).filter((script) =>
    /\bexec\b|[;$`]/.test(script),
  )
  expect(shellOnly).toEqual([])
})

onLinux('leaves no process when it is killed itself', async () => {
  const killed = await startDemo('--state-dir', join(root, 'killed'))
  const processes = descendantsOf(killed.child.pid!)
  await killed.stop('SIGKILL')
  await expect
    .poll(() => processes.filter(({ pid }) => isAlive(pid)), { timeout: 20_000 })
    .toEqual([])
})

test('refuses what is wrong with code 2', async () => {
  const { code, errors } = await runDemo('--prot', '3')
  expect(code).toBe(2)
  expect(errors).toBe('demo: --prot: is not known here; "--port" was probably meant\n')
})

test('--help prints the usage', async () => {
  expect(await runDemo('--help')).toMatchObject({
    code: 0,
    output: expect.stringContaining('--publish NAME=URL'),
  })
})
