import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  connectorKeyThumbprint,
  startConnector,
  type ConnectorEvent,
  type ConnectorOptions,
} from '../../src/connector/node/index.ts'
import { encodeMessage, type RegistrationRequest } from '../../src/protocol/internal.ts'
import { newKeys, requestFor } from '../cloud/trust.ts'
import { RawConnector } from './raw-connector.ts'
import { registrarToken, startTunnel, until, type Tunnel } from './tunnel.ts'

let tunnel: Tunnel
let directory: string
const closing: (() => unknown)[] = []
beforeAll(async () => {
  tunnel = await startTunnel({
    noConnector: true,
    backend: (_, response) => response.end('inside'),
  })
  const { tenants, ...rest } = tunnel.configuration as { tenants: object[] }
  const allowing = { ...tenants[0], enrolmentTickets: true }
  tunnel.directory.replace({ ...rest, tenants: [allowing] } as never)
})
afterAll(() => tunnel.close())
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'app-proxy-'))
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  await rm(directory, { recursive: true, force: true })
})

const ticketOf = async (standing: 'pending' | 'active' = 'pending') => {
  const order = { tenantId: 'contoso', by: { operator: 'carol' }, standing }
  return (await tunnel.cloud.createEnrolmentTicket(order)).ticket
}
async function start(options: Partial<ConnectorOptions>) {
  const connector = await startConnector({
    url: tunnel.connectorUrl,
    ca: tunnel.ca,
    stateDirectory: directory,
    ...options,
  })
  closing.push(() => connector.stop())
  return connector
}
const answer = async () => {
  const headers = { host: 'open.localhost' }
  const request = httpRequest({ host: '127.0.0.1', port: tunnel.port, headers }).end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return text(response)
}

test('a connector joins by a ticket, waits for its approval, and serves', async () => {
  const ticket = await ticketOf()
  const connector = await start({ ticket: () => `${ticket}\n` })
  const { connectorId } = connector.identity
  expect(connector.configuration.standing).toBe('pending')
  expect(await tunnel.registry.connector(connectorId)).toMatchObject({ standing: 'pending' })
  await tunnel.registry.setStanding(connectorId, 'active', Date.now())
  connector.refresh()
  await until(() => connector.isReady)
  expect(await answer()).toBe('inside')
  await connector.stop()
  // It has an identity: it asks for nothing.
  const again = await start({ ticket: () => expect.unreachable('it is registered') })
  expect(again.identity.connectorId).toBe(connectorId)
  await tunnel.registry.setStanding(connectorId, 'revoked', Date.now())
})

test('a ticket that is bound to a key that is yet to register serves no other connector', async () => {
  const keyThumbprint = await connectorKeyThumbprint({ stateDirectory: directory })
  expect(await connectorKeyThumbprint({ stateDirectory: directory })).toBe(keyThumbprint)
  const order = { tenantId: 'contoso', by: { operator: 'carol' }, keyThumbprint }
  const { ticket } = await tunnel.cloud.createEnrolmentTicket(order)
  const stateDirectory = join(directory, 'another')
  const other = start({ stateDirectory, ticket: () => ticket })
  await expect(other).rejects.toMatchObject({ reason: 'ticket-refused' })
  const { identity } = await start({ ticket: () => ticket })
  expect(await tunnel.registry.connector(identity.connectorId)).toMatchObject({
    enrolledBy: { as: 'operator', name: 'carol' },
  })
  await expect(connectorKeyThumbprint({ stateDirectory: directory })).rejects.toMatchObject({
    code: 'ERR_CONFIGURATION_INVALID',
  })
})

test('one that is refused says so once, with what to do, and ends', async () => {
  const events: ConnectorEvent[] = []
  const refused = start({
    ticket: () => 'A'.repeat(43),
    onEvent: (event) => events.push(event),
  })
  await expect(refused).rejects.toMatchObject({ code: 'ERR_REFUSED', reason: 'ticket-refused' })
  expect(events).toMatchObject([{ type: 'mistake', kind: 'ticket-refused', setting: 'ticket' }])
})

test('what is no ticket is shown to nobody', async () => {
  const registered = tunnel.audit.events.length
  for (const ticket of ['', 'A'.repeat(42), 'A'.repeat(44), 'a.b.c', `${'A'.repeat(42)}=`])
    await expect(start({ ticket: () => ticket })).rejects.toMatchObject({
      code: 'ERR_CONFIGURATION_INVALID',
      path: 'ticket',
    })
  expect(tunnel.audit.events).toHaveLength(registered)
})

test('a token and a ticket are one too many, and neither is too few', async () => {
  const both = start({ token: () => registrarToken(tunnel.issuer), ticket: () => ticketOf() })
  await expect(both).rejects.toMatchObject({ code: 'ERR_CONFIGURATION_INVALID', path: 'ticket' })
  await expect(start({})).rejects.toMatchObject({ path: 'token' })
})

test('whoever guesses gets 401 and a code, and no other word', async () => {
  const connector = new RawConnector(tunnel.connectorUrl, tunnel.ca)
  closing.push(() => connector.agent.destroy())
  const message: RegistrationRequest = {
    v: 1,
    type: 'registration',
    ticket: 'B'.repeat(43),
    request: await requestFor(await newKeys()),
    instance: { name: 'guess', version: '1' },
    features: ['enrolment-ticket'],
  }
  const outcome = await connector.call('POST', '/registration', {
    body: encodeMessage(message),
  })
  expect(outcome).toMatchObject({ status: 401, code: 'ticket-refused', connection: 'close' })
  const problem = JSON.parse(String((outcome as { body: Buffer }).body)) as object
  expect(problem).toEqual({
    type: expect.any(String),
    title: 'ticket-refused',
    status: 401,
    code: 'ticket-refused',
  })
})

/** Runs a command of `app-proxy`. */
function run(words: string, args: readonly string[]) {
  const child = spawn(process.execPath, [
    ...['--import', 'tsx', 'src/cli/main.ts', ...words.split(' '), ...args],
  ])
  closing.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  return child
}

test('an operator makes a ticket beside the server that runs, and pipes it into a connector', async () => {
  const { tenants, ...rest } = tunnel.configuration as { tenants: object[] }
  const configuration = join(directory, 'cloud.json')
  const content = {
    stateDir: join(directory, 'state'),
    users: { host: '127.0.0.1', port: 0 },
    connectors: { host: '127.0.0.1', port: 0 },
    audit: { to: { file: join(directory, 'audit.jsonl') } },
    directory: { ...rest, tenants: [{ ...tenants[0], enrolmentTickets: true }] },
  }
  await writeFile(configuration, JSON.stringify(content), { mode: 0o600 })
  const server = run('cloud run', ['--json', '--config', configuration])
  const [line] = (await once(createInterface(server.stdout), 'line')) as [string]
  const { connectorUrl, caFile } = JSON.parse(line) as { connectorUrl: string; caFile: string }
  const order = ['--config', configuration, '--tenant', 'contoso', '--active']
  const operator = run('cloud ticket', order)
  const connector = run('connector run', [
    '--json',
    ...['--url', connectorUrl, '--ca', caFile, '--ticket-file', '-'],
    ...['--state-dir', join(directory, 'connector')],
  ])
  connector.stdin.end(await text(operator.stdout))
  const [ready] = (await once(createInterface(connector.stdout), 'line')) as [string]
  expect(JSON.parse(ready)).toMatchObject({ tenantId: 'contoso', bindings: { 'cloud-1': 'link' } })
}, 120_000)
