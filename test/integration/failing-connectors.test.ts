/**
 * Two connectors of a group, one of which is of no use: whoever fails, declines or is silent fastest attracts nothing.
 * The cloud and each connector are processes of their own. Judged by what users get, never by how soon.
 */
import { createServer, request as httpRequest, type Server } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startProcesses, type Example, type Processes } from './processes.ts'
import { listen, until } from './tunnel.ts'

const REQUESTS = 200
/** In turn: replayable, with a body of known length, streamed, without a body but unsafe. */
const KINDS = ['GET', 'POST', 'PUT', 'DELETE'] as const
/** Two connectors that take turns get some of each. */
const kind = (i: number) => KINDS[(i ^ (i >> 1)) % KINDS.length]!

let backend: Server
let processes: Processes
let useless: Example | undefined

beforeAll(async () => {
  backend = createServer((request, response) => {
    void text(request).then((body) => response.end(`${request.method} ${request.url} ${body}`))
  })
  processes = await startProcesses({
    internalUrl: `http://127.0.0.1:${await listen(backend)}/`,
    // What a connector that is silent keeps is given up, or 504, soon.
    limits: { answerPatienceMs: 2_000 },
    responseHeadMs: 4_000,
  })
  await processes.startConnector()
})
afterEach(async () => {
  await useless?.stop()
})
afterAll(async () => {
  await processes.close()
  backend.closeAllConnections()
  backend.close()
})

async function another(how: 'unresolving' | 'declining' | 'silent'): Promise<Example> {
  const program = 'test/integration/useless-connector.child.ts'
  return (useless = await processes.startConnector(program, how))
}

/** What a user gets for the request of that number. */
function ask(i: number, method: string = kind(i)): Promise<string> {
  const isStreamed = method === 'PUT'
  const body = method === 'POST' || isStreamed ? `body ${i}` : ''
  const headers = {
    host: 'open.localhost',
    ...(body !== '' && !isStreamed && { 'content-length': String(body.length) }),
  }
  const { port } = processes
  return new Promise((resolve, reject) => {
    const call = httpRequest({ port, host: '127.0.0.1', path: `/${i}`, method, headers })
    call.on('error', reject)
    call.on('response', (response) => {
      void text(response).then((told) => resolve(`${response.statusCode} ${told}`), reject)
    })
    call.end(body)
  })
}

const expected = (i: number, method: string = kind(i)): string =>
  `200 ${method} /${i} ${method === 'POST' || method === 'PUT' ? `body ${i}` : ''}`

/** All of them, a few at a time. */
async function askAll(atOnce = 10): Promise<string[]> {
  const answers: string[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < REQUESTS) {
      const i = next++
      answers[i] = await ask(i)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return answers
}

const wanted = Array.from({ length: REQUESTS }, (_, i) => expected(i))

test('one that cannot resolve the application: every request is answered by the other', async () => {
  const { said } = await another('unresolving')
  expect(await askAll()).toEqual(wanted)
  expect(said.length).toBeGreaterThan(0)
}, 120_000)

test('one that declines everything, with 5,000 grants against 200: every request is answered by the other', async () => {
  const { said } = await another('declining')
  expect(await askAll()).toEqual(wanted)
  expect(said.length).toBeGreaterThan(0)
}, 120_000)

test('one that claims and never answers: every replayable request is answered, and of the others its ramp is lost', async () => {
  const { said } = await another('silent')
  const answers = await askAll()
  const lost = answers.flatMap((told, i) => (told === expected(i) ? [] : [kind(i)]))
  expect(lost).not.toContain('GET')
  // Four unanswered at first; after a fault it is asked one at a time, and what is replayable.
  expect(lost.length).toBeLessThanOrEqual(4)
  // It has had one that is replayable, or gets one now.
  for (let i = REQUESTS; !said.includes('GET'); i++)
    expect(await ask(i, 'GET')).toBe(expected(i, 'GET'))
  await until(() => said.length >= lost.length)
}, 180_000)
