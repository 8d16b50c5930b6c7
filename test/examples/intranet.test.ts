import { spawn, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import { afterAll, beforeAll, expect, test } from 'vitest'

let site: ChildProcess
let url: string
beforeAll(async () => {
  const example = fileURLToPath(new URL('../../examples/intranet.ts', import.meta.url))
  site = spawn(process.execPath, ['--import', 'tsx', example], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(createInterface(site.stdout!), 'line')) as [string]
  url = (JSON.parse(line) as { url: string }).url
})
afterAll(async () => {
  const exit = once(site, 'exit')
  site.kill('SIGTERM')
  expect((await exit)[0]).toBe(0)
})

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest()

test('the front page shows what reached it, escaped', async () => {
  const page = await (
    await fetch(`${url}/?<b>`, { headers: { cookie: 'theme=<dark>', 'x-hello': 'you & me' } })
  ).text()
  expect(page).toContain('<p id="cookies">theme=&lt;dark&gt;</p>')
  expect(page).toContain('you &amp; me')
  expect(page).not.toContain('<dark>')
})

test('/headers tells method, target and raw fields', async () => {
  const told = (await (
    await fetch(`${url}/headers?a=%2F`, { method: 'DELETE', headers: { 'X-Mixed': '1' } })
  ).json()) as { method: string; target: string; rawHeaders: [string, string][] }
  expect(told).toMatchObject({ method: 'DELETE', target: '/headers?a=%2F' })
  expect(told.rawHeaders.find(([name]) => name.toLowerCase() === 'x-mixed')?.[1]).toBe('1')
})

test('an upload is counted and hashed', async () => {
  const body = new Uint8Array(3_000_001).fill(7)
  for (const method of ['POST', 'PUT']) {
    const told = await (await fetch(`${url}/upload`, { method, body })).json()
    expect(told).toEqual({ bytes: body.length, sha256: sha256(body).toString('hex') })
  }
})

test.each([0, 1, 65_536, 65_537, 2_000_000])('a download of %i octets', async (bytes) => {
  const response = await fetch(`${url}/download?bytes=${bytes}`)
  const body = new Uint8Array(await response.arrayBuffer())
  expect(body.length).toBe(bytes)
  expect(response.headers.get('repr-digest')).toBe(`sha-256=:${sha256(body).toString('base64')}:`)
  const head = await fetch(`${url}/download?bytes=${bytes}`, { method: 'HEAD' })
  expect(head.headers.get('content-length')).toBe(String(bytes))
})

test('a download that dies is no complete answer', async () => {
  const response = await fetch(`${url}/die?bytes=100000`)
  await expect(response.arrayBuffer()).rejects.toThrow()
})

test('a slow answer, an unknown page and a wrong count', async () => {
  expect(await (await fetch(`${url}/slow?ms=10`)).text()).toBe('after 10 ms\n')
  expect((await fetch(`${url}/nowhere`)).status).toBe(404)
  expect((await fetch(`${url}/download?bytes=-1`)).status).toBe(400)
})

test('the echo agrees on a sub-protocol it knows, and closes as it is told', async () => {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/echo?greet`, ['whisper', 'reverse'])
  const messages: string[] = []
  socket.on('message', (data) => messages.push(String(data)))
  await once(socket, 'open')
  expect(socket.protocol).toBe('reverse')
  socket.send('stressed')
  socket.send('/close 4002 enough')
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer]
  expect([code, String(reason)]).toEqual([4002, 'enough'])
  expect(JSON.parse(messages[0]!)).toMatchObject({ protocol: 'reverse', target: '/echo?greet' })
  expect(messages.slice(1)).toEqual(['desserts'])
})

test('a WebSocket elsewhere is not found', async () => {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/nowhere`)
  const [error] = (await once(socket, 'error')) as [Error]
  expect(error.message).toContain('404')
})

test('ticks go on after the one that was seen', async () => {
  const response = await fetch(`${url}/ticks?every=20&times=3`, {
    headers: { 'last-event-id': '41' },
  })
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  const ids = [...(await response.text()).matchAll(/^id: (\d+)$/gm)].map(([, id]) => id)
  expect(ids).toEqual(['42', '43', '44'])
})

test('who is gone is not counted', async () => {
  const gone = new AbortController()
  await fetch(`${url}/ticks`, { signal: gone.signal })
  const connected = async () => (await fetch(`${url}/connected`)).json()
  await expect.poll(connected).toEqual({ echo: 0, ticks: 1 })
  gone.abort()
  await expect.poll(connected).toEqual({ echo: 0, ticks: 0 })
})
