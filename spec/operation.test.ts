import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, get } from 'node:http'
import { connect as connectTcp, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import {
  lockStateDirectory,
  startConnector,
  type ConnectorEvent,
} from '../src/connector/node/index.ts'
import { startTunnel, until } from '../test/integration/tunnel.ts'

const HOLDER = fileURLToPath(new URL('../test/runtime/node/lock.child.ts', import.meta.url))

test('R8.6a a second process on a state directory is refused with the id of the first, and one that was killed keeps nobody out', async () => {
  const base = await mkdtemp(join(tmpdir(), 'app-proxy-'))
  const stateDirectory = join(base, 'state')
  const holder = spawn(process.execPath, ['--import', 'tsx', HOLDER, stateDirectory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    expect(await once(createInterface(holder.stdout), 'line')).toEqual(['locked'])
    const second = startConnector({ url: 'https://cloud.example', stateDirectory })
    await expect(second).rejects.toMatchObject({
      code: 'ERR_CONFIGURATION_INVALID',
      message: expect.stringContaining(`in use by process ${holder.pid}`) as string,
    })
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    const both = await Promise.allSettled([
      lockStateDirectory(stateDirectory),
      lockStateDirectory(stateDirectory),
    ])
    const got = both.find((one) => one.status === 'fulfilled')
    expect(both.filter((one) => one.status === 'rejected')).toHaveLength(1)
    await got?.value.release()
  } finally {
    holder.kill('SIGKILL')
    await rm(base, { recursive: true, force: true })
  }
})

test('R8.6b a connector calls the cloud through a proxy that wants a password, and applications past it', async () => {
  const asked: { target: string; credentials: string | undefined }[] = []
  const sockets = new Set<Socket>()
  const proxy = createServer().on('connect', ({ url = '', headers }, user: Socket) => {
    const credentials = headers['proxy-authorization']
    asked.push({ target: url, credentials })
    sockets.add(user)
    user.on('error', () => undefined)
    if (credentials === undefined) {
      user.end('HTTP/1.1 407 Say who you are\r\n\r\n')
      return
    }
    const inner = connectTcp(Number(url.split(':')[1]), '127.0.0.1', () => {
      user.write('HTTP/1.1 200 Connection established\r\n\r\n')
      inner.pipe(user).pipe(inner)
    })
    sockets.add(inner)
    inner.on('error', () => user.destroy())
  })
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  const at = `127.0.0.1:${(proxy.address() as AddressInfo).port}`
  const tunnel = await startTunnel({
    backend: (_request, response) => response.end('inside'),
    connector: { proxy: { url: `http://operator:secret@${at}` } },
  })
  try {
    const call = get(`http://127.0.0.1:${tunnel.port}/`, { headers: { host: 'open.localhost' } })
    const [response] = (await once(call, 'response')) as [AsyncIterable<Buffer>]
    expect(await text(response)).toBe('inside')
    const target = new URL(tunnel.connectorUrl).host
    const credentials = `Basic ${Buffer.from('operator:secret').toString('base64')}`
    expect(new Set(asked.map((one) => JSON.stringify(one)))).toEqual(
      new Set([JSON.stringify({ target, credentials })]),
    )
    expect(JSON.stringify(tunnel.events)).not.toContain('secret')

    const events: ConnectorEvent[] = []
    const giveUp = new AbortController()
    const refused = tunnel.startConnector({
      stateDirectory: join(tunnel.stateDirectory, 'another'),
      proxy: { url: `http://${at}` },
      onEvent: (event) => events.push(event),
      signal: giveUp.signal,
    })
    await until(() => events.some(({ type }) => type === 'mistake'))
    giveUp.abort()
    await expect(refused).rejects.toThrow()
    expect(events.find(({ type }) => type === 'mistake')).toMatchObject({
      kind: 'proxy-credentials',
      message: expect.stringContaining('http://USER:PASSWORD@') as string,
    })
  } finally {
    await tunnel.close()
    for (const socket of sockets) socket.destroy()
    await new Promise((closed) => proxy.close(closed))
  }
})
