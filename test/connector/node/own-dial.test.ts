/**
 * A connector whose connections are made by somebody else: through a proxy that speaks CONNECT, and through memory.
 */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, request as httpRequest, type Server } from 'node:http'
import { connect as connectTcp, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { duplexPair, type Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { PortFailure } from '../../../src/cloud/index.ts'
import {
  startConnector,
  type ConnectorEvent,
  type ConnectorOptions,
  type Dial,
  type DialTarget,
  type RunningConnector,
} from '../../../src/connector/node/index.ts'
import { TlsOverDial } from '../../../src/connector/node/own-dial.ts'
import { registrarToken, startTunnel, until, type Tunnel } from '../../integration/tunnel.ts'

let tunnel: Tunnel
let stateDirectory: string
const running: RunningConnector[] = []
beforeAll(async () => {
  tunnel = await startTunnel({
    noConnector: true,
    backend: async (request, response) => response.end(`inside: ${await text(request)}`),
  })
})
afterAll(() => tunnel.close())
beforeEach(async () => {
  stateDirectory = await mkdtemp(join(tmpdir(), 'app-proxy-'))
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((connector) => connector.stop()))
  await rm(stateDirectory, { recursive: true, force: true })
})

async function start(options: Partial<ConnectorOptions>): Promise<RunningConnector> {
  const connector = await startConnector({
    url: tunnel.connectorUrl,
    ca: tunnel.ca,
    stateDirectory,
    token: () => registrarToken(tunnel.issuer),
    limits: { backoffMinMs: 20, backoffMaxMs: 100 },
    ...options,
  })
  running.push(connector)
  await until(() => connector.isReady)
  return connector
}

/** What a user gets who sends a body: a call each way in the plain binding. */
async function answer(): Promise<string> {
  const url = `http://127.0.0.1:${tunnel.port}/`
  const response = await new Promise<AsyncIterable<Buffer>>((resolve, reject) => {
    const headers = { host: 'open.localhost' }
    httpRequest(url, { method: 'POST', headers })
      .on('response', resolve)
      .on('error', reject)
      .end('hello')
  })
  let body = ''
  for await (const chunk of response) body += String(chunk)
  return body
}

/** A proxy that knows CONNECT and nothing else; it notes each target, and what passes. */
async function startProxy() {
  const targets: string[] = []
  const sockets = new Set<Socket>()
  let passed = ''
  const server: Server = createServer((_, response) => response.writeHead(405).end())
  server.on('connect', (request, user: Socket) => {
    const target = request.url!
    targets.push(target)
    sockets.add(user)
    user.on('error', () => undefined)
    const { hostname, port } = new URL(`http://${target}`)
    const server = connectTcp(Number(port), hostname, () => {
      user.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      user.on('data', (chunk: Buffer) => (passed += chunk.toString('latin1')))
      server.pipe(user)
      user.pipe(server)
    })
    sockets.add(server)
    server.on('error', () => user.destroy())
  })
  server.listen(0, '127.0.0.1')
  await until(() => server.listening)
  const { port } = server.address() as AddressInfo
  const dial: Dial = ({ host, port: to, signal }: DialTarget) =>
    new Promise<Duplex>((resolve, reject) => {
      const path = `${host}:${to}`
      httpRequest({ host: '127.0.0.1', port, method: 'CONNECT', path, signal })
        .on('connect', (response, socket: Duplex) => {
          if (response.statusCode === 200) return resolve(socket)
          socket.destroy()
          reject(new Error(`the proxy answers ${response.statusCode}`))
        })
        .on('error', reject)
        .end()
    })
  return {
    dial,
    targets,
    passed: () => passed,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((closed) => server.close(closed))
    },
  }
}

describe.each(['link', 'plain'] as const)('by %s', (binding) => {
  test('a connector goes through a proxy, by TLS from end to end with both certificates', async () => {
    const proxy = await startProxy()
    try {
      const token = await registrarToken(tunnel.issuer)
      const connector = await start({ dial: proxy.dial, binding, token: () => token })
      expect(await answer()).toBe('inside: hello')
      // Registration, configuration, link, calls: nothing goes another way.
      const { host } = new URL(tunnel.connectorUrl)
      expect(new Set(proxy.targets)).toEqual(new Set([host]))
      expect(proxy.targets.length).toBeGreaterThanOrEqual(3)
      // The cloud knows it by its certificate.
      const { connectorId } = connector.identity
      expect(tunnel.audit.events).toContainEqual(
        expect.objectContaining({ type: 'connector.connected', connectorId }),
      )
      // Nobody on the way reads along.
      for (const secret of [token, 'hello', 'registration', connectorId])
        expect(proxy.passed()).not.toContain(secret)
    } finally {
      await Promise.all(running.splice(0).map((one) => one.stop()))
      await proxy.close()
    }
  })

  test('a connector and its cloud share a process, and no socket', async () => {
    const dialled: string[] = []
    const dial: Dial = ({ host, port }) => {
      dialled.push(`${host}:${port}`)
      const [mine, theirs] = duplexPair()
      tunnel.connectors.server.emit('connection', theirs)
      return mine
    }
    // Names and ports mean what the embedder wants; the certificate is for the name.
    const connector = await start({ dial, binding, url: 'https://localhost:9' })
    expect(await answer()).toBe('inside: hello')
    expect(dialled).toContain('localhost:9')
    expect(connector.isReady).toBe(true)
  })
})

test('the other end is verified whoever makes the connection', async () => {
  const proxy = await startProxy()
  const events: ConnectorEvent[] = []
  const abort = new AbortController()
  try {
    const dial: Dial = (target) =>
      proxy.dial({ ...target, host: '127.0.0.1', port: Number(new URL(tunnel.connectorUrl).port) })
    const starting = start({
      dial,
      url: 'https://another.example',
      signal: abort.signal,
      onEvent: (event) => events.push(event),
    })
    await until(() => events.length > 0)
    expect(events[0]).toMatchObject({ type: 'mistake', kind: 'cloud-certificate-name' })
    abort.abort(new Error('enough'))
    await expect(starting).rejects.toThrow('enough')
  } finally {
    await proxy.close()
  }
})

test('what a dial throws is told, ends nothing, and is tried again', async () => {
  const failures: PortFailure[] = []
  const proxy = await startProxy()
  const bad: Dial[] = [
    () => {
      throw new Error('no way today')
    },
    () => Promise.reject(undefined),
    () => undefined as never,
    () => Promise.reject(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })),
    (target) => {
      const [mine, theirs] = duplexPair()
      theirs.end('220 not TLS\r\n')
      void target
      return mine
    },
  ]
  try {
    const dial: Dial = (target) => (bad.shift() ?? proxy.dial)(target)
    await start({ dial, onError: (failure) => failures.push(failure) })
    expect(bad).toEqual([])
    expect(failures.map(({ port }) => port)).toEqual(['dial', 'dial', 'dial'])
    expect(failures[0]).toMatchObject({ contained: false, error: { message: 'no way today' } })
  } finally {
    await Promise.all(running.splice(0).map((one) => one.stop()))
    await proxy.close()
  }
})

test('a connector that is stopped waits for no dial', async () => {
  const signals: AbortSignal[] = []
  const abort = new AbortController()
  const dial: Dial = ({ signal }) => {
    signals.push(signal)
    return new Promise(() => undefined)
  }
  const starting = start({ dial, signal: abort.signal })
  await until(() => signals.length > 0)
  abort.abort(new Error('stopped'))
  await expect(starting).rejects.toThrow('stopped')
  expect(signals.every(({ aborted }) => aborted)).toBe(true)
})

describe('over what a dial gives', () => {
  /** Why there is no connection over it; `meanwhile`: while TLS waits. */
  const told = (stream: Duplex, meanwhile: (over: TlsOverDial) => void = () => undefined) =>
    new Promise<Error | null>((resolve) => {
      const over = new TlsOverDial(() => stream)
      const target = { host: 'localhost', port: 9 }
      over.connect({ rejectUnauthorized: true }, target, (error) => resolve(error))
      setTimeout(() => meanwhile(over), 20)
    })

  test('that is closed already, it is told at once', async () => {
    const { port } = new URL(tunnel.connectorUrl)
    const closed = connectTcp(Number(port), '127.0.0.1')
    await once(closed, 'connect')
    closed.destroy()
    await once(closed, 'close')
    expect(await told(closed)).toMatchObject({ message: expect.stringContaining('closed') })
  })

  test('that is silent, nobody waits once it is ended, and it is let go', async () => {
    const [mine] = duplexPair()
    mine._destroy = (_error, destroyed) => destroyed(new Error('and it says so'))
    expect(await told(mine, (over) => over.end())).toMatchObject({ name: 'AbortError' })
    expect(mine.destroyed).toBe(true)
  })

  test('nobody dials once it is ended', async () => {
    const over = new TlsOverDial(({ signal }) => Promise.reject(signal.reason as Error))
    over.end()
    const error = await new Promise((resolve) =>
      over.connect({}, { host: 'localhost', port: 9 }, resolve),
    )
    expect(error).toMatchObject({ name: 'AbortError' })
  })
})
