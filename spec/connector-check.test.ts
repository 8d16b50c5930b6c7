/** Faults that are planted on the way from a registered connector to its cloud and applications, and what `app-proxy connector check` says at its end. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpsServer } from 'node:https'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { cli } from '../src/cli/cli.ts'
import { exitCodeOf } from '../src/cli/program/program.ts'
import { createServerAuthority, readDirectory } from '../src/cloud/index.ts'
import { memoryAuthorityStore } from '../test/cloud/authority/memory-authority-store.ts'
import { startConnectProxy, type ConnectProxyOptions } from '../test/connect-proxy.ts'
import { listen } from '../test/integration/listen.ts'
import { startTunnel, type Tunnel } from '../test/integration/tunnel.ts'

const YEAR_MS = 365 * 24 * 60 * 60 * 1000
let root: string
let tunnel: Tunnel
/** The way that is right. */
let right: Way
interface Way {
  readonly url: string
  readonly ca: string
  readonly 'state-dir': string
  readonly group?: string
}

const closing: (() => unknown)[] = []
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'app-proxy-check-'))
  tunnel = await startTunnel({
    backend: (_, response) => response.writeHead(204).end(),
    groups: [{ id: 'berlin', tenantId: 'contoso' }],
  })
  cpSync(tunnel.stateDirectory, join(root, 'registered'), { recursive: true })
  writeFileSync(join(root, 'ca.pem'), tunnel.ca)
  right = {
    url: tunnel.connectorUrl,
    ca: join(root, 'ca.pem'),
    'state-dir': join(root, 'registered'),
  }
})
afterAll(async () => {
  await tunnel.close()
  rmSync(root, { recursive: true, force: true })
})
afterEach(async () => {
  vi.unstubAllEnvs()
  for (const close of closing.splice(0).reverse()) await close()
})

/** Exit code, and the last line: the first thing that is wrong. */
async function check(change: Partial<Way> = {}) {
  const said: string[] = []
  const lines: string[] = []
  const options = Object.entries({ ...right, ...change, patience: '3' })
  const code = await exitCodeOf('app-proxy', cli, {
    argv: ['connector', 'check', ...options.flatMap(([name, value]) => [`--${name}`, value])],
    say: (line) => said.push(line),
    log: (line) => lines.push(line),
    signal: new AbortController().signal,
    onReload: () => undefined,
  })
  return { code, last: said.at(-1)?.trim(), lines, said }
}

/** One that was not registered: it pins nothing. */
const unregistered = (change: Partial<Way> = {}) =>
  check({ 'state-dir': join(root, 'fresh'), ...change })

async function expectFault(found: ReturnType<typeof check>, first: RegExp): Promise<void> {
  const { code, last, lines } = await found
  expect(last).toMatch(first)
  expect({ code, lines }).toEqual({ code: 1, lines: [] })
}

async function served(server: Server): Promise<number> {
  const port = await listen(server)
  closing.push(() => server.close())
  return port
}

async function closedPort(): Promise<number> {
  const server = createServer()
  const port = await listen(server)
  await new Promise((closed) => server.close(closed))
  return port
}

/** A server of TLS with an authority of its own. */
async function tlsServer({ names = {}, date = Date.now(), ahead = 0 }) {
  const clocks = { now: () => performance.now(), wallClock: () => Date.now() + ahead }
  const authority = await createServerAuthority({ clocks, store: memoryAuthorityStore() })
  const { key, certificate, ca } = await authority.issue(names)
  const file = join(root, 'other-ca.pem')
  writeFileSync(file, ca)
  const server = createHttpsServer({ key, cert: certificate }, (_, response) => {
    response.writeHead(404, { date: new Date(date).toUTCString(), connection: 'close' }).end()
  })
  return { port: await served(server), ca: file }
}

async function behind(options: ConnectProxyOptions, credentials = '') {
  const proxy = await startConnectProxy(options)
  closing.push(() => proxy.close())
  vi.stubEnv('HTTPS_PROXY', `http://${credentials}${proxy.at}`)
  vi.stubEnv('NO_PROXY', '')
  return proxy
}

function altered(name: string, change: (identity: Record<string, unknown>) => object) {
  const stateDir = join(root, name)
  cpSync(join(root, 'registered'), stateDir, { recursive: true })
  const file = join(stateDir, 'identity.json')
  const json = JSON.parse(readFileSync(file, 'utf8')) as { current: Record<string, unknown> }
  writeFileSync(file, JSON.stringify({ ...json, current: change(json.current) }), { mode: 0o600 })
  return { 'state-dir': stateDir }
}

/** The cloud publishes another application, of this address. */
async function publishing(internalUrl: string, work: () => Promise<void>): Promise<void> {
  const before = tunnel.configuration as { applications: object[] }
  const [open] = before.applications
  const planted = {
    ...open,
    id: 'a-planted',
    externalUrl: 'http://planted.localhost/',
    internalUrl,
  }
  const applications = [...before.applications, planted]
  tunnel.directory.replace(readDirectory({ ...before, applications }))
  await work()
  tunnel.directory.replace(readDirectory(before))
}

test('R8.7c nothing is planted, nothing is wrong; and neither through a proxy, which has its line', async () => {
  expect(await check()).toMatchObject({ code: 0, last: 'nothing is wrong' })
  const proxy = await behind({ credentials: 'operator:a secret' }, 'operator:a%20secret@')
  const through = await check()
  expect(through).toMatchObject({ code: 0, last: 'nothing is wrong' })
  const target = new URL(right.url).host
  expect(through.said).toContain(`ok   proxy: ${proxy.at} leads to ${target}`)
  expect(new Set(proxy.asked)).toEqual(new Set([target]))
  expect(through.said.join()).not.toContain('secret')
  vi.stubEnv('NO_PROXY', '127.0.0.1')
  const past = await check()
  expect(past.said).toContain(`ok   proxy: ${target} is reached past it, as NO_PROXY says`)
})

test('R8.7c 1: a name that leads nowhere', () =>
  expectFault(check({ url: 'https://nobody.invalid:8443' }), /^name: .*Check its spelling/))

test('R8.7c 2: a port that is closed', async () => {
  const url = `https://127.0.0.1:${await closedPort()}`
  await expectFault(check({ url }), /^connection: .*Check host and port/)
})

test('R8.7c 3: TLS by an authority that is not known here', async () => {
  const { ca } = await tlsServer({})
  await expectFault(unregistered({ ca }), /^tls: .*not trusted here\. Set "ca".*signed by "/)
})

test('R8.7c 4: a server’s certificate for other names, and one that has ended', async () => {
  const other = await tlsServer({ names: { dnsNames: ['other.example'] } })
  const url = `https://localhost:${other.port}`
  await expectFault(unregistered({ url, ca: other.ca }), /^tls: .*other names\. Check the host/)
  const old = await tlsServer({ ahead: -YEAR_MS })
  const at = `https://127.0.0.1:${old.port}`
  await expectFault(unregistered({ url: at, ca: old.ca }), /^tls: .*must get a new certificate/)
})

test('R8.7c 5: a clock that is wrong', async () => {
  const { port, ca } = await tlsServer({ date: Date.now() + 10 * 60_000 })
  await expectFault(
    unregistered({ url: `https://127.0.0.1:${port}`, ca }),
    /^clock: .*Set the clock/,
  )
})

test('R8.7c 6: a proxy that wants a password, refuses, reaches nothing, or is not there', async () => {
  await behind({ credentials: 'operator:secret' })
  await expectFault(check(), /^proxy: .*wants to know who asks.*USER:PASSWORD@/)
  await behind({ credentials: 'operator:secret' }, 'operator:wrong@')
  await expectFault(check(), /^proxy: .*does not take the user and password.*Correct them/)
  await behind({ status: 403 })
  await expectFault(check(), /^proxy: .*says 403\. .*must allow CONNECT/)
  await behind({ status: 502 })
  await expectFault(check(), /^proxy: .*says 502\. Check the cloud’s address/)
  vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${await closedPort()}`)
  await expectFault(check(), /^proxy: .*ECONNREFUSED\)\. Check host and port in .*HTTPS_PROXY/)
  const untrusted = await tlsServer({})
  vi.stubEnv('HTTPS_PROXY', `https://127.0.0.1:${untrusted.port}`)
  await expectFault(check(), /^proxy: The certificate of the proxy .*Correct the host/)
  const silent = await served(createServer())
  vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${silent}`)
  await expectFault(check({}), /^proxy: .*gives no connection.*firewalls/)
  vi.stubEnv('HTTPS_PROXY', 'socks5://127.0.0.1:1080')
  const { code, lines } = await check()
  expect([code, lines]).toEqual([
    2,
    [expect.stringMatching(/^app-proxy connector check: HTTPS_PROXY: must begin with http:\/\//)],
  ])
})

test('R8.7c 7: a certificate of its own that has ended, or whose key is another’s', async () => {
  const ended = altered('ended', (one) => ({ ...one, expiresAt: Date.now() - YEAR_MS }))
  await expectFault(check(ended), /^certificate: .*has ended, at .*register it again/)
  const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
    'sign',
    'verify',
  ])
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', pair.privateKey))
  const pem = `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`
  const foreign = altered('foreign', (one) => ({
    ...{ ...one, keys: { ...(one['keys'] as object), privateKey: pem } },
  }))
  await expectFault(check(foreign), /^certificate: The key .*register it again/)
})

test('R8.7c 8: another group than it should be in, and a standing that is not active', async () => {
  await expectFault(check({ group: 'berlin' }), /^group: .*"default", not in "berlin".*moves it/)
  const { connectorId } = tunnel.connector.identity
  // The approval has an end, and that has come.
  await tunnel.registry.setStanding(connectorId, 'active', Date.now(), { until: Date.now() + 1 })
  await tunnel.registry.expireConnectors(Date.now() + 1_000)
  await expectFault(check(), /^standing: It waits for an approval\. An operator .*approves it/)
  await tunnel.registry.setStanding(connectorId, 'active', Date.now())
  for (const [standing, remedy] of [
    ['draining', /^standing: It is being drained.*approves it again/],
    ['disabled', /^standing: It is disabled\. An operator of the cloud approves it again/],
  ] as const) {
    await tunnel.registry.setStanding(connectorId, standing, Date.now())
    await expectFault(check(), remedy)
  }
  await tunnel.registry.setStanding(connectorId, 'active', Date.now())
})

test('R8.7c 9: an application whose name leads nowhere from where the connector stands', () =>
  publishing('http://nobody.invalid/', () =>
    expectFault(check(), /^application a-planted: .*cannot be resolved on this connector/),
  ))

test('R8.7c 10: an application that takes no connection, that is not trusted, and that speaks no HTTP', async () => {
  await publishing(`http://127.0.0.1:${await closedPort()}/`, () =>
    expectFault(check(), /^application a-planted: .*Start the application/),
  )
  const { port } = await tlsServer({})
  await publishing(`https://127.0.0.1:${port}/`, () =>
    expectFault(check(), /^application a-planted: .*name its authority to the connector/),
  )
  const mute = await served(createServer((socket) => socket.end('SSH-2.0-x\r\n')))
  await publishing(`http://127.0.0.1:${mute}/`, () =>
    expectFault(check(), /^application a-planted: .*something else than HTTP/),
  )
})

// The last: it is not lifted again.
test('R8.7c 11: a connector that is revoked', async () => {
  await tunnel.registry.setStanding(tunnel.connector.identity.connectorId, 'revoked', Date.now())
  await expectFault(check(), /^cloud: .*was revoked there.*register it again/)
})
