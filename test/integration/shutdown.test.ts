/** A service that is told to stop: what is on its way is answered, nothing new begins, and it ends. */
import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http'
import { connect as connectTcp } from 'node:net'
import { text } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { KeptLoad } from './kept-load.ts'
import { startProcesses, type Processes } from './processes.ts'
import { frames, outcomeOf } from './raw-connector.ts'
import { RawUser } from './raw-user.ts'
import { startRawWorld } from './raw-world.ts'
import { listen, startTunnel, until } from './tunnel.ts'

describe('SIGTERM of the cloud', () => {
  let backend: Server
  let processes: Processes
  let internalUrl: string
  beforeAll(async () => {
    backend = createServer((request, response) => {
      if (request.url !== '/never') response.end(`of ${request.url}`)
    })
    internalUrl = `http://127.0.0.1:${await listen(backend)}/`
  })
  afterEach(() => processes.close())
  afterAll(() => void backend.close())

  test('under load on 32 kept connections loses no request', async () => {
    processes = await startProcesses({ internalUrl, limits: { drainMs: 10_000 } })
    await processes.startConnector()
    const load = new KeptLoad(processes.port, 'open.localhost', 32)
    await until(() => load.answered > 300)
    const code = processes.cloud.stop()
    await load.ended
    expect(load.lost).toEqual([])
    expect(await code).toBe(0)
  }, 60_000)

  test('SIGTERM of a connector is no failure: its goodbye has left when it ends; Ctrl-C twice breaks off', async () => {
    processes = await startProcesses({ internalUrl, limits: { drainMs: 10_000 } })
    const connectors = []
    for (let i = 0; i < 3; i++) connectors.push(await processes.startConnector())
    for (const connector of connectors) expect(await connector.stop()).toBe(0)
    const ends = () =>
      processes.cloud.said.flatMap((line) =>
        line.includes('connector.disconnected') ? [JSON.parse(line) as object] : [],
      )
    await until(() => ends().length === connectors.length)
    expect(ends()).toEqual(connectors.map(() => expect.objectContaining({ outcome: 'success' })))

    // Ctrl-C ends in order, also where a wrapper passes it on; again, a second later, at once.
    await processes.startConnector()
    const asked = once(backend, 'request')
    new RawUser(processes.port).ask('GET', '/never')
    await asked
    const { cloud } = processes
    cloud.signal('SIGINT')
    cloud.signal('SIGINT')
    await new Promise((later) => setTimeout(later, 1_500))
    expect(cloud.isRunning).toBe(true)
    cloud.signal('SIGINT')
    expect(await cloud.stop()).toBe(130)
  }, 60_000)

  test('ends, whoever holds on to it and whoever dials again', async () => {
    processes = await startProcesses({ internalUrl, limits: { drainMs: 500 } })
    await processes.startConnector()
    const { connectorUrl } = processes.cloud.ready as { connectorUrl: string }
    const address = { host: '127.0.0.1', port: Number(new URL(connectorUrl).port) }
    const silent = connectTcp(address)
    const tls = connectTls({ ...address, rejectUnauthorized: false })
    const half = connectTls({ ...address, rejectUnauthorized: false })
    // Whoever reads nothing hears no end.
    for (const socket of [silent, tls, half]) socket.on('error', () => undefined).resume()
    half.write('POST /registration HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf')
    const users = Array.from({ length: 3 }, () => new RawUser(processes.port))
    users[0]!.socket.write('GET / HTTP/1.1\r\nHo')
    users[1]!.ask('POST', '/', { 'content-length': 100 })
    await until(() => !tls.connecting && !silent.connecting && users[2]!.port > 0)
    expect(await processes.cloud.stop()).toBe(0)
    for (const socket of [silent, tls, half]) await until(() => socket.closed)
  }, 60_000)
})

test.each(['link over TLS', 'plain over TLS'] as const)(
  '%s: orderly stops, also with a request under way, are no failures',
  async (transport) => {
    let answer = (): void => undefined
    const tunnel = await startTunnel({
      transport,
      noConnector: true,
      backend: (_request, response) => (answer = () => void response.end('served')),
    })
    const ends = () => tunnel.audit.events.filter(({ type }) => type === 'connector.disconnected')
    for (let stops = 1; stops <= 8; stops++) {
      const connector = await tunnel.startConnector()
      await until(() => connector.isReady)
      await connector.stop()
      expect(ends().map(({ outcome }) => outcome)).toEqual(Array(stops).fill('success'))
    }
    // What is under way is answered.
    const last = await tunnel.startConnector()
    await until(() => last.isReady)
    const before = answer
    const served = fetchText(tunnel.port)
    await until(() => answer !== before)
    const stopped = last.stop()
    if (transport === 'plain over TLS') await until(() => ends().length === 9)
    answer()
    expect(await served).toBe('served')
    await stopped
    await until(() => ends().length === 9)
    expect(ends().at(-1)).toMatchObject({ outcome: 'success' })
    await tunnel.close()
  },
  60_000,
)

test('a cloud that does not hear a goodbye does not hold up who says it', async () => {
  const tunnel = await startTunnel({ transport: 'plain over TLS', backend: () => undefined })
  await until(() => tunnel.connector.isReady)
  // It takes every call and answers none.
  tunnel.connectors.server.removeAllListeners('request')
  await tunnel.connector.stop()
  await until(() =>
    tunnel.audit.events.some(
      ({ type, reason }) => type === 'connector.disconnected' && reason === 'lost',
    ),
  )
  await tunnel.close()
})

test('a goodbye ends the own link of the epoch that it names, and no other', async () => {
  const world = await startRawWorld()
  const connector = world.connect(await world.enrol())
  const other = world.connect(await world.enrol())
  const link = await connector.link('own-0')
  const gone = { status: 410, code: 'not-found' }
  const say = (who: typeof connector, query: string) =>
    who.call('POST', `/links/own-0/goodbye${query}`)
  expect(await say(other, '?epoch=1')).toMatchObject(gone)
  expect(await say(connector, '?epoch=0')).toMatchObject(gone)
  expect(await say(connector, '?epoch=2')).toMatchObject(gone)
  for (const query of ['', '?epoch=', '?epoch=-1', '?epoch=x'])
    expect(await say(connector, query)).toMatchObject({ status: 400, code: 'request-malformed' })
  expect(await connector.call('DELETE', '/links/own-0')).toMatchObject(gone)
  expect(link.isClosed).toBe(false)
  const served = world.user('/')
  const offer = await link.offer()
  expect(await say(connector, '?epoch=1')).toMatchObject({ status: 204 })
  await until(() => link.isClosed)
  expect(await say(connector, '?epoch=1')).toMatchObject(gone)
  // What it did not claim goes elsewhere.
  const next = await (await connector.link('next-0')).offer()
  expect(next).toMatchObject({ id: offer.id, attempt: offer.attempt + 1 })
  const stale = connector.answer(offer.id)
  expect(await stale.end(frames.claim(offer))).toMatchObject({ status: 410 })
  await connector
    .answer(next.id)
    .end(frames.claim(next), frames.response(), frames.data('ok', true))
  expect(await served).toMatchObject({ status: 200, body: Buffer.from('ok') })
  await world.close()
})

test('a listener that accepts no more serves what it has, and ends at once when it is closed', async () => {
  const world = await startRawWorld()
  const enrolled = await world.enrol()
  const connector = world.connect(enrolled)
  const link = await connector.link()
  const { port, hostname: host } = new URL(world.connectorUrl)
  const silent = connectTcp({ host, port: Number(port) })
  silent.on('error', () => undefined)
  await until(() => !silent.connecting)
  world.connectors.stopAccepting()
  const refused = { status: 503, code: 'unavailable', connection: 'close', retryAfter: '5' }
  const query = 'versions=1&run=raw&index=0&epoch=2&offers=1&granted=1&max-data=65536'
  expect(await connector.call('GET', `/links/raw-9/offers?${query}`)).toMatchObject(refused)
  const body = Buffer.from('{}')
  expect(await connector.call('POST', '/registration', { body })).toMatchObject(refused)
  const upgrade = connector.open('GET', '/link', { connection: 'Upgrade', upgrade: 'app-proxy/1' })
  upgrade.end()
  expect(await outcomeOf(upgrade)).toMatchObject(refused)
  const served = world.user('/')
  const offer = await link.offer()
  await connector
    .answer(offer.id)
    .end(frames.claim(offer), frames.response(), frames.data('ok', true))
  expect(await served).toMatchObject({ status: 200, body: Buffer.from('ok') })
  await world.connectors.close()
  await until(() => silent.closed && link.isClosed)
  await world.close()
})

async function fetchText(port: number): Promise<string> {
  const asked = httpRequest({ port, headers: { host: 'open.localhost' } }).end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  return text(response)
}
