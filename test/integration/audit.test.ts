/** What a cloud writes down of connectors that come and go, and of requests where it is told to. */
import { once } from 'node:events'
import * as http from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { startTunnel, TRANSPORTS, until, type Tunnel, type TunnelOptions } from './tunnel.ts'

let tunnel: Tunnel
afterEach(() => tunnel.close())

const backend: TunnelOptions['backend'] = (request, response) => {
  if (request.url === '/missing') return response.writeHead(404).end('nothing')
  if (request.url === '/broken') {
    response.writeHead(200, { 'content-length': '100' }).write('some')
    return setTimeout(() => request.socket.destroy(), 20)
  }
  request.resume()
  return request.on('end', () => response.end('hello'))
}
const events = (type: string) => tunnel.audit.events.filter((event) => event.type === type)

async function call(host: string, path: string, body?: string) {
  const request = http.request({
    ...{ host: '127.0.0.1', port: tunnel.port, path, agent: false },
    method: body === undefined ? 'GET' : 'POST',
    headers: { host, accept: 'application/json' },
  })
  request.on('error', () => undefined).end(body)
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  response.on('error', () => undefined).resume()
  await once(response, 'close').catch(() => undefined)
  return response.statusCode
}

/** The event of the next request to be over. */
async function recorded(before: number) {
  await until(() => events('access.request').length > before)
  return events('access.request').at(-1)!
}

describe('requests', () => {
  const ask = async (host: string, path: string, body?: string) => {
    const before = events('access.request').length
    const status = await call(host, path, body)
    return [status, await recorded(before)] as const
  }

  test('are recorded when they are over: who, what, how much, and what became of it', async () => {
    tunnel = await startTunnel({ backend, auditRequests: true })
    const [, served] = await ask('open.localhost', '/secret-path?token=x', 'twelve bytes')
    expect(served).toEqual({
      time: expect.any(Number),
      type: 'access.request',
      outcome: 'success',
      tenantId: 'contoso',
      applicationId: 'open',
      requestId: expect.stringMatching(/^[\w-]{12,}$/),
      address: '127.0.0.1',
      detail: {
        ...{ method: 'POST', status: 200, bytesIn: 12, bytesOut: 5 },
        durationMs: expect.any(Number),
      },
    })
    expect(JSON.stringify(tunnel.audit.events)).not.toContain('secret-path')

    // The application's own refusals are its business.
    const [, missing] = await ask('open.localhost', '/missing')
    expect(missing).toMatchObject({ outcome: 'success', detail: { status: 404 } })

    const [, refused] = await ask('secure.localhost', '/')
    expect(refused).toMatchObject({
      outcome: 'refused',
      reason: 'sign-in-required',
      applicationId: 'secure',
      detail: { status: 401 },
    })

    const [, unknown] = await ask('unknown.example', '/')
    expect(unknown).toMatchObject({ outcome: 'refused', reason: 'unknown-application' })
    expect(unknown.tenantId).toBeUndefined()

    const before = events('access.request').length
    await call('open.localhost', '/broken').catch(() => undefined)
    expect(await recorded(before)).toMatchObject({ outcome: 'failed', reason: 'incomplete' })
  })

  test('are not recorded unless it is asked for', async () => {
    tunnel = await startTunnel({ backend })
    expect(await call('open.localhost', '/')).toBe(200)
    expect(events('access.request')).toEqual([])
  })
})

describe.each(TRANSPORTS.filter((transport) => transport !== 'in memory'))('over the %s', (t) => {
  const binding = t.startsWith('link') ? 'link' : 'plain'

  test('connectors that come and go are recorded', async () => {
    tunnel = await startTunnel({ backend, transport: t })
    const { connectorId } = tunnel.connector.identity
    const common = { tenantId: 'contoso', connectorId, detail: { binding, instance: 'cloud-1' } }
    expect(events('connector.connected')).toMatchObject([{ outcome: 'success', ...common }])
    tunnel.cut()
    await until(() => events('connector.connected').length === 2)
    await until(() => events('connector.disconnected').length === 1)
    expect(events('connector.disconnected')).toMatchObject([
      { outcome: 'failed', reason: 'lost', ...common },
    ])
    await tunnel.connector.stop()
    await until(() => events('connector.disconnected').length === 2)
    const told = { outcome: 'success', ...common }
    expect(events('connector.disconnected').at(-1)).toMatchObject(told)
  })
})
