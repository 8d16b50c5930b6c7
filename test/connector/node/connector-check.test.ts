/**
 * What `checkConnector` finds: each fault that is planted is the first thing that it names, with what is to be done about it, and nothing else is called wrong.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createServerAuthority, readDirectory } from '../../../src/cloud/index.ts'
import {
  checkConnector,
  type ConnectorCheckOptions,
  type ConnectorFinding,
} from '../../../src/connector/node/index.ts'
import { memoryAuthorityStore } from '../../cloud/trust.ts'
import { startTunnel, type Tunnel } from '../../integration/tunnel.ts'

const YEAR_MS = 365 * 24 * 60 * 60 * 1000
let tunnel: Tunnel
let root: string

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'app-proxy-check-'))
  tunnel = await startTunnel({
    backend: (_, response) => response.writeHead(204).end(),
    groups: [{ id: 'berlin', tenantId: 'contoso' }],
  })
  cpSync(tunnel.stateDirectory, join(root, 'registered'), { recursive: true })
})
afterAll(async () => {
  await tunnel.close()
  rmSync(root, { recursive: true, force: true })
})

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function listening(server: Server): Promise<number> {
  const sockets = new Set<{ destroy(): unknown }>()
  server.on('connection', (socket: { destroy(): unknown }) => sockets.add(socket))
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** Nobody listens there. */
async function closedPort(): Promise<number> {
  const server = createTcpServer()
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const { port } = server.address() as AddressInfo
  await new Promise((closed) => server.close(closed))
  return port
}

/** A server of TLS whose authority's clock is so many milliseconds ahead. */
async function tlsServer({ ahead = 0, names = {}, date = Date.now() }) {
  const clocks = { now: () => performance.now(), wallClock: () => Date.now() + ahead }
  const authority = await createServerAuthority({ clocks, store: memoryAuthorityStore() })
  const { key, certificate, ca } = await authority.issue(names)
  const server = createHttpsServer({ key, cert: certificate }, (_, response) => {
    response.writeHead(404, { date: new Date(date).toUTCString() }).end()
  })
  return { port: await listening(server), ca }
}

const check = (options: Partial<ConnectorCheckOptions> = {}) =>
  checkConnector({
    ...{ url: tunnel.connectorUrl, ca: tunnel.ca, patienceMs: 3_000 },
    ...{ stateDirectory: join(root, 'registered') },
    ...options,
  })

const wrong = (findings: readonly ConnectorFinding[]) =>
  findings.filter(({ result }) => result === 'wrong')

/** One thing is wrong, and it is this. */
function expectFault(
  findings: readonly ConnectorFinding[],
  what: string,
  kind: string | undefined,
  detail: RegExp,
): void {
  expect(wrong(findings)).toEqual([
    { what, result: 'wrong', kind, detail: expect.stringMatching(detail) },
  ])
}

/** A state directory that has not been registered. */
const fresh = { stateDirectory: join(tmpdir(), 'app-proxy-no-such-state') }

test('nothing is wrong where nothing is', async () => {
  const findings = await check()
  expect(wrong(findings)).toEqual([])
  expect(findings.map(({ what }) => what)).toEqual([
    ...['name', 'connection', 'tls', 'clock', 'certificate', 'group', 'standing'],
    ...['application open', 'application secure'],
  ])
  expect(findings[2]!.detail).toMatch(/signed by "app-proxy server authority|signed by "/)
  expect(findings.at(-1)!.detail).toMatch(/^127\.0\.0\.1:\d+ answers 204$/)
})

test('before it is registered it says so, and the way is walked', async () => {
  const findings = await check(fresh)
  expect(wrong(findings)).toEqual([])
  expect(findings.at(-1)).toMatchObject({ what: 'identity', result: 'skipped' })
})

test('1: a name that leads nowhere', async () => {
  const findings = await check({ ...fresh, url: 'https://nobody.invalid:8443' })
  expectFault(
    findings,
    'name',
    'cloud-name',
    /nobody\.invalid .*cannot be resolved\. Check its spelling/,
  )
  expect(findings).toHaveLength(1)
})

test('2: a port that is closed', async () => {
  const url = `https://127.0.0.1:${await closedPort()}`
  expectFault(await check({ ...fresh, url }), 'connection', 'cloud-port', /Check host and port/)
})

test('3: whoever is dialled is never reached', async () => {
  const dial = () => new Promise<never>(() => undefined)
  const findings = await check({ ...fresh, dial, patienceMs: 100 })
  expectFault(findings, 'connection', 'cloud-route', /cannot be reached .*firewalls/)
})

test('3: a server that takes the connection, and says nothing', async () => {
  const url = `https://127.0.0.1:${await listening(createTcpServer())}`
  const findings = await check({ ...fresh, url, patienceMs: 100 })
  expectFault(findings, 'tls', 'cloud-route', /cannot be reached .*firewalls/)
})

test('a server that speaks no TLS', async () => {
  const url = `https://127.0.0.1:${await listening(createHttpServer())}`
  expectFault(
    await check({ ...fresh, url }),
    'tls',
    'cloud-not-tls',
    /speaks no TLS\. Check the port/,
  )
})

test('4: an authority that is not trusted; who it is, is told', async () => {
  const { ca: other } = await tlsServer({})
  const before = await check({ ...fresh, ca: other })
  expectFault(before, 'tls', 'cloud-authority', /not trusted here\. Set "ca".*signed by "/)
})

test('5: a certificate that has ended', async () => {
  const { port, ca } = await tlsServer({ ahead: -YEAR_MS })
  const findings = await check({ ...fresh, ca, url: `https://127.0.0.1:${port}` })
  expectFault(findings, 'tls', 'cloud-certificate-time', /The cloud must get a new certificate/)
})

test('6: a certificate for other names', async () => {
  const { port, ca } = await tlsServer({ names: { dnsNames: ['other.example'] } })
  const findings = await check({ ...fresh, ca, url: `https://localhost:${port}` })
  expectFault(findings, 'tls', 'cloud-certificate-name', /is for other names\. Check the host/)
})

test('8: a clock that is wrong', async () => {
  const { port, ca } = await tlsServer({ date: Date.now() + 10 * 60_000 })
  const findings = await check({ ...fresh, ca, url: `https://127.0.0.1:${port}` })
  expectFault(findings, 'clock', 'clock', /Set the clock/)
})

test('9: a certificate of its own that has ended, and a connector that is disabled', async () => {
  const altered = (name: string, change: (identity: Record<string, unknown>) => object) => {
    const stateDirectory = join(root, name)
    cpSync(join(root, 'registered'), stateDirectory, { recursive: true })
    const file = join(stateDirectory, 'identity.json')
    const json = JSON.parse(readFileSync(file, 'utf8')) as { current: Record<string, unknown> }
    writeFileSync(file, JSON.stringify({ ...json, current: change(json.current) }), { mode: 0o600 })
    return { stateDirectory }
  }
  const ended = altered('ended', (one) => ({ ...one, expiresAt: Date.now() - YEAR_MS }))
  expectFault(await check(ended), 'certificate', 'enrol-again', /has ended, at .*register it again/)
  const { registry, connector } = tunnel
  const { connectorId } = connector.identity
  await registry.setStanding(connectorId, 'disabled', Date.now())
  const disabled = await check()
  expectFault(disabled, 'standing', undefined, /is disabled\. An operator/)
  await registry.setStanding(connectorId, 'active', Date.now())
})

test('10: another group than it should be in', async () => {
  const findings = await check({ groupId: 'berlin' })
  expectFault(findings, 'group', undefined, /in group "default", not in "berlin"/)
})

test('11, 12: applications, each by itself, from where the connector stands', async () => {
  const { port, ca } = await tlsServer({})
  expect(ca).toContain('BEGIN CERTIFICATE')
  const silent = await listening(createTcpServer())
  const mute = await listening(createTcpServer((socket) => socket.end('SSH-2.0-x\r\n')))
  const before = tunnel.configuration as { applications: { id: string }[] }
  const [open] = before.applications
  const at = (id: string, internalUrl: string) => ({
    ...open,
    ...{ id, internalUrl, externalUrl: `http://${id}.localhost/` },
  })
  const applications = [
    ...before.applications,
    at('a-down', `http://127.0.0.1:${await closedPort()}/`),
    at('b-name', 'http://nobody.invalid/'),
    at('c-untrusted', `https://127.0.0.1:${port}/`),
    at('d-silent', `http://127.0.0.1:${silent}/`),
    at('e-ssh', `http://127.0.0.1:${mute}/`),
    { ...at('f-unverified', `https://127.0.0.1:${port}/`), verifyCertificate: false },
  ]
  tunnel.directory.replace(readDirectory({ ...before, applications }))
  const findings = await check({ patienceMs: 1_000 })
  tunnel.directory.replace(readDirectory(before))
  const of = (kind: string | undefined, detail: RegExp) => ({
    ...{ result: 'wrong', kind, detail: expect.stringMatching(detail) },
  })
  expect(wrong(findings)).toEqual([
    { what: 'application a-down', ...of('application-port', /Start the application/) },
    {
      what: 'application b-name',
      ...of('application-name', /cannot be resolved on this connector/),
    },
    {
      what: 'application c-untrusted',
      ...of('application-certificate', /name its authority to the connector/),
    },
    {
      what: 'application d-silent',
      result: 'wrong',
      detail: expect.stringMatching(/does not answer in 1 s/),
    },
    {
      what: 'application e-ssh',
      result: 'wrong',
      detail: expect.stringMatching(/something else than HTTP/),
    },
  ])
  const unverified = findings.find(({ what }) => what === 'application f-unverified')
  expect(unverified).toMatchObject({
    result: 'good',
    detail: expect.stringContaining('answers 404'),
  })
})

// The last: it is not lifted again.
test('9: one that is revoked', async () => {
  const { registry, connector } = tunnel
  await registry.setStanding(connector.identity.connectorId, 'revoked', Date.now())
  expectFault(await check(), 'cloud', 'enrol-again', /was revoked there.*register it again/)
})
