/**
 * One connector, two applications. Whatever one of them holds, the other is served: requests that hang, streams that
 * stay open, users who do not read. Cloud and connector are processes of their own; the applications are one server here. Judged by
 * what users get, and by the order in which requests reach the applications.
 */
import { createServer, request as httpRequest, type ClientRequest, type Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startProcesses, type Processes } from './processes.ts'
import { listen, until } from './tunnel.ts'

const LARGE = Buffer.alloc(4 * 1024 * 1024)

let backend: Server
let processes: Processes
/** The targets that the applications were asked for, in order. */
let asked: string[] = []
const calls: ClientRequest[] = []
const sockets: Socket[] = []

beforeAll(async () => {
  backend = createServer((request, response) => {
    asked.push(request.url!)
    if (request.url === '/hang') return
    if (request.url === '/events')
      return void response
        .writeHead(200, { 'content-type': 'text/event-stream' })
        .write('data: 1\n\n')
    response.end(request.url === '/large' ? LARGE : `of ${request.url}`)
  })
  processes = await startProcesses({
    internalUrl: `http://127.0.0.1:${await listen(backend)}/`,
    others: ['other'],
    // All users here come from one address.
    shares: { user: 1 },
    limits: { queueWaitMs: 3_000 },
  })
  await processes.startConnector()
})
afterEach(() => {
  for (const call of calls.splice(0)) call.destroy()
  for (const socket of sockets.splice(0)) socket.destroy()
  asked = []
})
afterAll(async () => {
  await processes.close()
  backend.closeAllConnections()
  backend.close()
})

function open(path: string, answered: (status: number) => void): void {
  const { port } = processes
  const headers = { host: 'open.localhost' }
  const call = httpRequest({ port, host: '127.0.0.1', path, headers, agent: false })
  call.on('error', () => undefined)
  call.on('response', (response) => {
    response.on('error', () => undefined).resume()
    answered(response.statusCode!)
  })
  call.end()
  calls.push(call)
}

function ask(host: string, path: string): Promise<string> {
  const { port } = processes
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

const countOf = (path: string) => asked.filter((target) => target === path).length

/** The greedy application has all it may hold, and more waits. */
async function otherComesBeforeTheThirdOf(greedy: string): Promise<void> {
  const before = asked.length
  expect(await ask('other.localhost', '/first')).toBe('200 of /first')
  const since = asked.slice(before)
  const earlier = since.slice(0, since.indexOf('/first'))
  expect(earlier.filter((target) => target === greedy).length).toBeLessThan(3)
}

test('200 hanging requests: another application is offered before the third that waits', async () => {
  const statuses: number[] = []
  for (let i = 0; i < 200; i++) open('/hang', (status) => statuses.push(status))
  await until(() => countOf('/hang') >= 100)
  await otherComesBeforeTheThirdOf('/hang')
  expect(await others()).toEqual(wanted)
  // Capacity is the reason, and it is said.
  await until(() => statuses.length >= 100)
  expect(new Set(statuses)).toEqual(new Set([503]))
}, 120_000)

test('200 event streams hold no slot: the other application is served, and so is this one', async () => {
  const statuses: number[] = []
  for (let i = 0; i < 200; i++) open('/events', (status) => statuses.push(status))
  await until(() => statuses.length === 200)
  expect(new Set(statuses)).toEqual(new Set([200]))
  expect(await others()).toEqual(wanted)
  expect(await ask('open.localhost', '/fine')).toBe('200 of /fine')
}, 120_000)

test('230 users who do not read: another application is offered before the third that waits', async () => {
  for (let i = 0; i < 230; i++) {
    const socket = connect(processes.port, '127.0.0.1').on('error', () => undefined)
    socket.pause()
    socket.write('GET /large HTTP/1.1\r\nHost: open.localhost\r\n\r\n')
    sockets.push(socket)
  }
  await until(() => countOf('/large') >= 100)
  await otherComesBeforeTheThirdOf('/large')
  expect(await others()).toEqual(wanted)
}, 120_000)
