/**
 * One connector, two applications. Whatever one of them holds, the other is served: requests that hang, streams that
 * stay open, users who do not read. Judged by what users get and in which order requests are offered.
 */
import type { RequestListener } from 'node:http'
import { request as httpRequest, type ClientRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { startTunnel, until, type Tunnel } from './tunnel.ts'

let tunnel: Tunnel
const calls: ClientRequest[] = []
const sockets: Socket[] = []

afterEach(async () => {
  for (const call of calls.splice(0)) call.destroy()
  for (const socket of sockets.splice(0)) socket.destroy()
  await tunnel.close()
})

const begin = async (backend: RequestListener, more: object = {}): Promise<void> => {
  tunnel = await startTunnel({ others: ['other'], backend, ...more })
}

function open(host: string, path: string, answered?: (status: number) => void): ClientRequest {
  const { port } = tunnel
  const call = httpRequest({ port, host: '127.0.0.1', path, headers: { host }, agent: false })
  call.on('error', () => undefined)
  call.on('response', (response) => {
    response.on('error', () => undefined).resume()
    answered?.(response.statusCode!)
  })
  call.end()
  calls.push(call)
  return call
}

function ask(host: string, path: string): Promise<string> {
  const { port } = tunnel
  return new Promise((resolve, reject) => {
    const headers = { host }
    const call = httpRequest({ port, host: '127.0.0.1', path, headers }, (response) => {
      void text(response).then((told) => resolve(`${response.statusCode} ${told}`), reject)
    })
    call.on('error', reject)
    call.end()
  })
}

/** 200 requests of the other application, ten at a time. */
async function others(): Promise<string[]> {
  const answers: string[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < 200) {
      const i = next++
      answers[i] = await ask('other.localhost', `/${i}`)
    }
  }
  await Promise.all(Array.from({ length: 10 }, worker))
  return answers
}
const wanted = Array.from({ length: 200 }, (_, i) => `200 of /${i}`)

const offered = (applicationId: string) =>
  tunnel.offers.filter((offer) => offer.applicationId === applicationId).length

test('200 hanging requests: another application is offered before the third that waits', async () => {
  await begin(
    (request, response) => {
      if (request.url !== '/hang') response.end(`of ${request.url}`)
    },
    { shares: { user: 1 } },
  )
  const statuses: number[] = []
  for (let i = 0; i < 200; i++) open('open.localhost', '/hang', (status) => statuses.push(status))
  await until(() => offered('open') >= 100)
  const before = offered('open')
  expect(await ask('other.localhost', '/first')).toBe('200 of /first')
  expect(offered('other')).toBe(1)
  expect(offered('open') - before).toBeLessThan(3)
  expect(await others()).toEqual(wanted)
  // Capacity is the reason, and it is said.
  await until(() => statuses.length >= 100)
  expect(new Set(statuses)).toEqual(new Set([503]))
}, 120_000)

test('200 event streams hold no slot: the other application is served, and so is this one', async () => {
  await begin(
    (request, response) => {
      if (request.url !== '/events') return void response.end(`of ${request.url}`)
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
    },
    { shares: { user: 1 } },
  )
  const statuses: number[] = []
  for (let i = 0; i < 200; i++) open('open.localhost', '/events', (status) => statuses.push(status))
  await until(() => statuses.length === 200)
  expect(new Set(statuses)).toEqual(new Set([200]))
  expect(await others()).toEqual(wanted)
  expect(await ask('open.localhost', '/fine')).toBe('200 of /fine')
}, 120_000)

test('230 users who do not read: the other application is served', async () => {
  const large = Buffer.alloc(4 * 1024 * 1024)
  await begin((request, response) => {
    response.end(request.url === '/large' ? large : `of ${request.url}`)
  })
  for (let i = 0; i < 230; i++) {
    const socket = connect(tunnel.port, '127.0.0.1').on('error', () => undefined)
    socket.pause()
    socket.write('GET /large HTTP/1.1\r\nHost: open.localhost\r\n\r\n')
    sockets.push(socket)
  }
  await until(() => offered('open') >= 50)
  expect(await others()).toEqual(wanted)
}, 120_000)
