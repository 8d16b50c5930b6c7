import { spawn, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
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
