import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { startConnector, type ConnectorEvent } from '../../../src/connector/node/index.ts'
import type { Binding } from '../../../src/protocol/index.ts'
import { lockStateDirectory } from '../../../src/runtime/node/state-lock.ts'
import { until } from '../../until.ts'
import { CloudOverTls } from '../cloud-over-tls.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** A port of which `open` makes the way to another; until then nobody is there. */
async function closedWayTo(port: number): Promise<{ port: number; open(): Promise<void> }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    const onward = connect(port, 'localhost')
    for (const one of [socket, onward]) sockets.add(one.on('error', () => undefined))
    socket.pipe(onward).pipe(socket)
  })
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const listen = (at: number) =>
    new Promise<void>((ready) => server.listen(at, 'localhost', () => ready()))
  await listen(0)
  const { port: own } = server.address() as AddressInfo
  await new Promise((closed) => server.close(closed))
  return { port: own, open: () => listen(own) }
}

test('a registered connector whose cloud is away gives up starting when it is told to', async () => {
  const cloud = await CloudOverTls.start()
  closing.push(() => cloud.close())
  const stateDirectory = await mkdtemp(join(tmpdir(), 'app-proxy-'))
  closing.push(() => rm(stateDirectory, { recursive: true, force: true }))
  const { ca } = cloud
  const token = () => cloud.cloud.token()
  const first = await startConnector({ url: cloud.url, ca, stateDirectory, token })
  await first.stop()
  const { port } = await closedWayTo(cloud.port)
  const events: ConnectorEvent[] = []
  const giving = new AbortController()
  const starting = startConnector({
    ...{ url: `https://localhost:${port}`, ca, stateDirectory, signal: giving.signal },
    onEvent: (event) => events.push(event),
  })
  await until(() => events.some(({ type }) => type === 'pull-failed'))
  giving.abort('SIGTERM')
  await expect(starting).rejects.toBe('SIGTERM')
  // Another may have its directory.
  await (await lockStateDirectory(stateDirectory)).release()
})

test.each<Binding>(['link', 'plain'])(
  'a cloud that comes back and knows the connector no more is told at once, over %s',
  async (binding) => {
    const cloud = await CloudOverTls.start()
    closing.push(() => cloud.close())
    const way = await closedWayTo(cloud.port)
    const url = `https://localhost:${way.port}`
    cloud.cloud.instances = { 'cloud-1': url }
    const stateDirectory = await mkdtemp(join(tmpdir(), 'app-proxy-'))
    closing.push(() => rm(stateDirectory, { recursive: true, force: true }))
    const events: ConnectorEvent[] = []
    const connector = await startConnector({
      ...{ url: cloud.url, ca: cloud.ca, stateDirectory, binding },
      token: () => cloud.cloud.token(),
      limits: { backoffMinMs: 5, backoffMaxMs: 10 },
      onEvent: (event) => events.push(event),
    })
    closing.push(() => connector.stop())
    const kinds = () =>
      events.flatMap((event) =>
        event.type === 'mistake' || event.type === 'mended' ? [`${event.type} ${event.kind}`] : [],
      )
    await until(() => kinds().includes('mistake cloud-port'))
    cloud.intercept = (_, response) => {
      response.writeHead(403, { 'content-type': 'application/problem+json' })
      response.end(
        JSON.stringify({ type: 'about:blank', status: 403, code: 'certificate-revoked' }),
      )
      return true
    }
    await way.open()
    // The next pull would be due in an hour.
    await until(() => kinds().includes('mistake enrol-again'))
    expect(kinds()).toEqual(['mistake cloud-port', 'mended cloud-port', 'mistake enrol-again'])
    const refused = events.filter(
      (event) => event.type === 'link' && String(event.cause).includes('answered 403'),
    )
    expect(refused[0]).not.toHaveProperty('isExplained')
    await until(() => {
      const last = events.filter(({ type }) => type === 'link').at(-1)
      return last !== undefined && 'isExplained' in last
    })
  },
)
