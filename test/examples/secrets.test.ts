/**
 * T24: no secret in anything that is written down.
 *
 * What it covers: the demo's real processes (issuer, private site, cloud, connector) and a second connector, while users sign in, are refused, call wrongly and meet a dead
 * application. Every secret that came up is known to the test: those a browser sees, those that pass between cloud and issuer (see token-recorder.ts), those sealed in
 * cookies (opened with the cloud's own keys), those in files, and marks in whatever a request may carry. Every line that any of these processes wrote to stdout, stderr or
 * the audit record is searched for each of them, and for what merely looks like one. The issuer and the private site are examples, and held to it all the same.
 *
 * What it does not: a connector's and a cloud's memory, and paths of the code that no request here takes; the audit events of the whole suite are looked at by
 * test/recorded-audit.ts.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import * as http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AUDIENCE, REGISTRAR } from '../../examples/demo/configurations.ts'
import { registrarToken, signInWithForms } from '../../examples/registrar-token.ts'
import { sealedIn } from '../../src/cloud/directory/attempt-slots.ts'
import { BACK_CHANNEL_LOGOUT_PATH, KeyRing, SIGN_OUT_PATH } from '../../src/cloud/index.ts'
import { unseal } from '../../src/cloud/session/sealed-cookie.ts'
import { keyRingFile } from '../../src/cloud/node/index.ts'
import { secretLike } from '../secret-like.ts'
import { startDemo, type DemoProcess } from './demo-process.ts'

const root = mkdtempSync(join(tmpdir(), 'app-proxy-secrets-'))
const stateDir = join(root, 'state')
const record = join(root, 'tokens.jsonl')
const RECORDER = pathToFileURL(fileURLToPath(new URL('token-recorder.ts', import.meta.url))).href

/** What was planted or came up: name → value. */
const secrets = new Map<string, string>()
const written: string[] = []
let demo: DemoProcess

/** A mark for `name`, to be put where a secret may stand. */
function mark(name: string): string {
  const value = `canary${randomBytes(12).toString('hex')}`
  secrets.set(name, value)
  return value
}

beforeAll(async () => {
  const before = { ...process.env }
  process.env['TOKEN_RECORD'] = record
  process.env['NODE_OPTIONS'] = `${before['NODE_OPTIONS'] ?? ''} --import tsx --import ${RECORDER}`
  demo = await startDemo('--state-dir', stateDir, '--publish-open', 'dead=http://127.0.0.1:1/')
  process.env = before
  secrets.set('password of alice', demo.users[0]!.password)
  secrets.set('password of bob', demo.users[1]!.password)
})
afterAll(async () => {
  await demo?.stop()
  rmSync(root, { recursive: true, force: true })
})

/** One request, as raw as it is given. */
async function send(
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<{ status: number; cookies: string[]; location: string; text: string }> {
  const { port, host, pathname, search } = new URL(url)
  const request = http.request({
    ...{ host: '127.0.0.1', port, path: pathname + search, agent: false },
    method: options.method ?? 'GET',
    headers: { host, accept: 'text/html', ...options.headers },
  })
  request.end(options.body)
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  let text = ''
  for await (const part of response.setEncoding('utf8')) text += part
  const { statusCode, headers } = response
  const location = headers.location ?? ''
  return { status: statusCode!, cookies: headers['set-cookie'] ?? [], location, text }
}

/** The value of the first cookie set, which is a secret. */
function keepCookie(name: string, cookies: readonly string[]): string {
  const [pair] = cookies.filter((cookie) => !/Max-Age=0/i.test(cookie)).map((c) => c.split(';')[0]!)
  expect(pair, name).toBeDefined()
  secrets.set(name, pair!.slice(pair!.indexOf('=') + 1))
  return pair!
}

/** Begins a sign-in and goes through the issuer's forms. */
async function toTheCallback(who: 0 | 1, name: string): Promise<{ back: URL; cookie: string }> {
  const begun = await send(demo.url('intranet', `/?q=${mark(`query, ${name}`)}`))
  const cookie = keepCookie(`attempt cookie, ${name}`, begun.cookies)
  const asked = new URL(begun.location)
  for (const parameter of ['state', 'nonce'])
    secrets.set(`${parameter}, ${name}`, asked.searchParams.get(parameter)!)
  const jar = new Map<string, string>()
  const callback = demo.url('intranet', '/.app-proxy/sign-in/callback')
  const back = await signInWithForms(begun.location, callback, demo.users[who]!, jar)
  for (const [cookieName, value] of jar) secrets.set(`issuer's ${cookieName}, ${name}`, value)
  secrets.set(`code, ${name}`, back.searchParams.get('code')!)
  await openAttempt(name, cookie)
  return { back, cookie }
}

/** What is sealed in an attempt's cookie, opened with the cloud's own keys: the verifier is nowhere else. */
async function openAttempt(name: string, cookie: string): Promise<void> {
  const keyRing = await KeyRing.open({ store: keyRingFile(join(stateDir, 'cloud/key-ring.json')) })
  const { host } = new URL(demo.url('intranet'))
  const scope = {
    purpose: 'attempt',
    tenantId: 'contoso',
    applicationId: 'intranet',
    host,
  } as const
  const value = cookie.slice(cookie.indexOf('=') + 1)
  const opened = (await unseal(keyRing, scope, sealedIn(value).sealed)) as {
    verifier: string
  }
  expect(opened.verifier).toMatch(/^[\w-]{43}$/)
  secrets.set(`verifier, ${name}`, opened.verifier)
}

/** Everything a request can carry, marked. */
const marked = (name: string): Record<string, string> => ({
  authorization: `Bearer ${mark(`bearer token, ${name}`)}`,
  'x-api-key': mark(`header, ${name}`),
  'content-type': 'text/plain',
})

async function everySecretThatMatters(): Promise<void> {
  // A user who is let in, and uses it.
  const alice = await toTheCallback(0, 'alice')
  const signedIn = await send(alice.back.href, { headers: { cookie: alice.cookie } })
  expect(signedIn.status).toBe(302)
  const session = keepCookie('session cookie', signedIn.cookies)
  const cookie = `${session}; theirs=${mark('cookie of the application')}`
  const body = mark('body')
  const authorization = `Basic ${mark('credentials of the application')}`
  const headers = { ...marked('signed in'), cookie }
  const upload = (own: Record<string, string>) =>
    send(demo.url('intranet', '/upload'), { method: 'POST', headers: own, body })
  expect((await upload({ ...headers, authorization })).status).toBe(200)
  // A token decides alone, and this is none.
  expect((await upload(headers)).status).toBe(401)
  // Again with the same answer, with another browser's, with a wrong one, with rubbish.
  const callback = (query: string, attempt = alice.cookie) =>
    send(demo.url('intranet', `/.app-proxy/sign-in/callback?${query}`), {
      headers: { cookie: attempt, ...marked('callback') },
    })
  /** What a callback that failed leads to. */
  const told = async (answer: { location: string }) => {
    const { href } = new URL(answer.location, demo.url('intranet'))
    secrets.set('sealed answer', new URL(href).searchParams.get('answer')!)
    return (await send(href, { headers: marked('result') })).status
  }
  const again = await send(alice.back.href, { headers: { cookie: alice.cookie } })
  expect(await told(again)).toBe(400)
  expect(await told(await callback(alice.back.search.slice(1), 'a=b'))).toBe(400)
  const other = await toTheCallback(0, 'again')
  other.back.searchParams.set('code', mark('made-up code'))
  expect(await told(await callback(other.back.search.slice(1), other.cookie))).toBe(403)
  await callback(`code=${mark('code without state')}`)
  await callback(`state=${mark('state')}&code=x&error=${mark('error')}`)
  await callback(`id_token=${mark('id_token in a query')}&state=x`)
  // A user who is not assigned.
  const bob = await toTheCallback(1, 'bob')
  expect(await told(await send(bob.back.href, { headers: { cookie: bob.cookie } }))).toBe(403)
  // What says that somebody has signed out, believed by nobody; then the user does.
  for (const token of [mark('logout token'), `e30.${mark('claims of a logout token')}.x`])
    await send(demo.url('intranet', BACK_CHANNEL_LOGOUT_PATH), {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ logout_token: token }).toString(),
    })
  const { host } = new URL(demo.url('intranet'))
  const left = await send(demo.url('intranet', `${SIGN_OUT_PATH}?q=${mark('query, sign-out')}`), {
    method: 'POST',
    headers: { cookie, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' },
  })
  expect(left.status).toBe(303)
  // Programs without a session, with what may be mistaken for one, and requests that are no requests.
  for (const id of ['intranet', 'open', 'dead']) {
    const url = demo.url(id, `/${mark(`path, ${id}`)}?token=${mark(`query, ${id}`)}`)
    const name = session.split('=')[0]!
    const headers = { ...marked(id), cookie: `${name}=${mark(`planted cookie, ${id}`)}` }
    await send(url, { method: 'POST', headers, body: mark(`body, ${id}`) })
    await send(url, { headers: { ...headers, accept: 'application/json' } })
    await send(url, { headers: { ...headers, authorization: `Basic ${mark(`basic, ${id}`)}` } })
    await send(url.replace('/canary', '/..%2f/canary'), { headers })
    await send(url, { headers: { ...headers, upgrade: 'websocket', connection: 'upgrade' } }).catch(
      () => undefined,
    )
  }
}

/** Registers once more, with a token that is right and with one that is none. */
async function connectors(): Promise<void> {
  const token = await registrarToken({
    ...{ issuer: demo.issuer, ...REGISTRAR, audience: AUDIENCE },
    ...demo.users[0]!,
  })
  secrets.set('registration token', token)
  const [header, claims] = token.split('.')
  const bad = `${header}.${claims}.${mark('signature of a bad registration token')}`
  secrets.set('claims of the registration token', claims!)
  await connector('good', token, (text) => text.includes('"connectorId"'))
  await connector('bad', bad, (text) => text.includes('is not signed by the tenant’s issuer'))
}

async function connector(
  name: string,
  token: string,
  isDone: (written: string) => boolean,
): Promise<void> {
  const file = join(root, `token-${name}`)
  writeFileSync(file, token, { mode: 0o600 })
  const child = spawn(process.execPath, [
    ...[
      '--import',
      'tsx',
      'src/cli/main.ts',
      'connector',
      'run',
      '--json',
      '--url',
      demo.connectorUrl,
    ],
    ...['--ca', demo.caFile, '--state-dir', join(root, `connector-${name}`)],
    ...['--token-file', file],
  ])
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (part: Buffer) => (text += part.toString()))
  const exit = once(child, 'exit')
  await Promise.race([
    exit,
    (async () => {
      while (!isDone(text)) await new Promise((later) => setTimeout(later, 20))
    })(),
  ])
  child.kill('SIGTERM')
  await exit
  expect(isDone(text), text).toBe(true)
  written.push(text)
}

/** The tokens that cloud and issuer exchanged, and the passwords they know each other by. */
function recordedTokens(): void {
  const lines = readFileSync(record, 'utf8').trim().split('\n')
  const names = new Set<string>()
  lines.forEach((line, i) => {
    const { posted, answered, authorization } = JSON.parse(line) as Record<string, string>
    const fields = posted?.includes('=') ? Object.fromEntries(new URLSearchParams(posted)) : {}
    const tokens = answered === undefined ? {} : (JSON.parse(answered) as Record<string, string>)
    for (const [name, value] of Object.entries({ ...fields, ...tokens }))
      if (/^(?:id_token|(?:access|refresh)_token|code|code_verifier|client_secret)$/.test(name)) {
        secrets.set(`${name}, recorded ${i}`, value)
        // A part of a token is one as well; of its header nothing is secret.
        for (const part of value.split('.').slice(1)) secrets.set(`part of ${name} ${i}`, part)
        names.add(name)
      }
    if (authorization !== undefined)
      secrets.set(`authorization, recorded ${i}`, authorization.replace(/^\w+ /, ''))
  })
  // That the recorder saw what it is there for.
  expect([...names]).toEqual(expect.arrayContaining(['id_token', 'code', 'code_verifier']))
}

/** Every key and secret in the files of all processes. */
function storedKeys(): void {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(json|pem|jwks)$/.test(name) && !name.endsWith('tokens.jsonl'))
    .map((name) => [name, readFileSync(join(root, name), 'utf8')] as const)
  let keys = 0
  for (const [name, text] of files) {
    const pems = [...text.matchAll(/PRIVATE KEY-----(.*?)-----END/gs)].map(([, body]) => body!)
    for (const pem of pems) {
      const inside = pem.replaceAll(/\\n|\s/g, '')
      secrets.set(`private key in ${name}, ${keys++}`, inside.slice(40, 80))
    }
    const named = /"(?:secret|client_secret|d|p|q|password|cookieKey)":\s*"([^"]{12,})"/g
    for (const [, value] of text.matchAll(named)) secrets.set(`key in ${name}, ${keys++}`, value!)
  }
  expect(keys).toBeGreaterThanOrEqual(6)
}

test('T24 no secret is in any line that any process writes', async () => {
  await everySecretThatMatters()
  await connectors()
  recordedTokens()
  storedKeys()
  await demo.stop()
  // The demo's one line on stdout is for the person who started it, and tells the passwords.
  written.push(demo.errors, ...demo.lines.slice(1))
  const audit = join(stateDir, 'audit.jsonl')
  expect(existsSync(audit)).toBe(true)
  const lines = [...written.join('\n').split('\n'), ...readFileSync(audit, 'utf8').split('\n')]
  expect(lines.length).toBeGreaterThan(20)
  expect(secrets.size).toBeGreaterThan(50)

  const told: string[] = []
  for (const line of lines) {
    for (const [name, value] of secrets) if (line.includes(value)) told.push(`${name}: ${line}`)
    for (const found of secretLike(line)) told.push(`${found}: ${line}`)
  }
  expect(told).toEqual([])
}, 120_000)
