/** An application that is being worked on: what its users are told on every binding, and what goes on. */
import { once } from 'node:events'
import { get } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ConfigurationInvalid } from '../src/protocol/internal.ts'
import { until } from '../test/until.ts'
import { BINDINGS, codeOf, publishedWorld, type PublishedWorld } from './published-world.ts'

const wiki = {
  ...{ id: 'wiki', externalUrl: 'https://wiki.example/', preAuthentication: 'oidc' },
  client: { id: 'wiki' },
  cors: { origins: ['https://portal.example'], credentials: true },
}
const open = {
  ...{ id: 'open', externalUrl: 'https://open.example/', preAuthentication: 'passthrough' },
}
const maintenance = { message: 'We move to the new server.' }
const HTML = { accept: 'text/html' }

let world: PublishedWorld
/** Answers that the private server has begun. */
const streams: ServerResponse[] = []
beforeAll(async () => {
  world = await publishedWorld({
    applications: [wiki, open],
    serve: (request, response) => {
      if (request.url !== '/stream') return void response.end('here')
      streams.push(response)
      response.write('begun\n')
    },
  })
})
afterAll(() => world.close())
beforeEach(() => void world.reached.splice(0))

/** An answer that is under way. */
async function beginStream() {
  const call = get({
    ...{ host: '127.0.0.1', port: world.port, path: '/stream', agent: false },
    headers: { host: 'open.example' },
  })
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  call.on('error', () => undefined)
  const told = { text: '', isWhole: false, isOver: false }
  response.on('data', (bytes: Buffer) => (told.text += bytes.toString()))
  response.on('end', () => (told.isWhole = true)).on('close', () => (told.isOver = true))
  response.on('error', () => undefined)
  await until(() => told.text === 'begun\n')
  return told
}

describe.each(BINDINGS)('R7.3a %s', (binding) => {
  test('R7.3a whoever asks gets 503 with the operator’s words, and nothing reaches the application', async () => {
    world.publish({ ...wiki, maintenance }, open)
    const page = await world.ask(binding, 'wiki.example', '/', { headers: HTML })
    expect([page.status, page.headers['retry-after']]).toEqual([503, '60'])
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(page.body).toContain('<h1>Closed for maintenance</h1>')
    expect(page.body).toContain('We move to the new server.')
    const problem = await world.ask(binding, 'wiki.example', '/api', { method: 'DELETE' })
    expect([problem.status, codeOf(problem)]).toEqual([503, 'maintenance'])
    expect(problem.headers['content-type']).toBe('application/problem+json')
    const cookie = await world.signIn('wiki')
    const known = await world.ask(binding, 'wiki.example', '/', { headers: { cookie } })
    expect(codeOf(known)).toBe('maintenance')
    expect(world.reached).toEqual([])
  })

  test('R7.3a a form that is sent is refused, its body unread', async () => {
    world.publish(wiki, { ...open, maintenance })
    const answer = await world.ask(binding, 'open.example', '/', { method: 'POST', body: 'a=1' })
    expect([answer.status, codeOf(answer)]).toEqual([503, 'maintenance'])
    expect(world.reached).toEqual([])
  })

  test('R7.3a the time of its return is said in words and as Retry-After', async () => {
    const back = new Date(Date.now() + 3_600_000)
    const until = back.toISOString()
    world.publish({ ...wiki, maintenance: { until } }, open)
    const answer = await world.ask(binding, 'wiki.example')
    const { detail, until: told } = JSON.parse(answer.body) as Record<string, string>
    expect(told).toBe(until)
    expect(detail).toBe(
      `This application is being worked on, and cannot be used meanwhile. Open it again later. It is expected back by ${until.slice(0, 10)} ${until.slice(11, 16)} UTC.`,
    )
    const seconds = Number(answer.headers['retry-after'])
    expect(seconds).toBeGreaterThan(3_000)
    expect(seconds).toBeLessThanOrEqual(3_600)
  })

  test('R7.3a a time that has passed is not said, and ends nothing', async () => {
    world.publish({ ...wiki, maintenance: { until: '2020-01-01T00:00:00Z' } }, open)
    const answer = await world.ask(binding, 'wiki.example')
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '60'])
    expect(answer.body).not.toMatch(/expected|2020/)
  })

  test('R7.3a a page of another site that may read its answers reads this one', async () => {
    world.publish({ ...wiki, maintenance }, open)
    const headers = { origin: 'https://portal.example' }
    const preflight = await world.ask(binding, 'wiki.example', '/', {
      ...{ method: 'OPTIONS', headers: { ...headers, 'access-control-request-method': 'POST' } },
    })
    expect(preflight.status).toBe(204)
    const answer = await world.ask(binding, 'wiki.example', '/', { headers })
    expect(answer.status).toBe(503)
    expect(answer.headers['access-control-allow-origin']).toBe('https://portal.example')
  })

  test('R7.3a paths of the service itself go on, and so do other applications', async () => {
    world.publish({ ...wiki, maintenance }, open)
    const cookie = await world.signIn('wiki')
    const signOut = await world.ask(binding, 'wiki.example', '/.app-proxy/sign-out', {
      headers: { cookie, ...HTML },
    })
    expect(signOut.status).toBe(200)
    expect((await world.ask(binding, 'open.example')).body).toBe('here')
  })

  test('R7.3a without it everything is as before', async () => {
    world.publish(wiki, open)
    const headers = { cookie: await world.signIn('wiki') }
    expect((await world.ask(binding, 'wiki.example', '/', { headers })).body).toBe('here')
  })
})

describe('R7.3b what is open when it begins', () => {
  test('R7.3b goes on to its end', async () => {
    world.publish(wiki, open)
    const told = await beginStream()
    world.publish(wiki, { ...open, maintenance })
    // Two looks at what is open.
    await new Promise((later) => setTimeout(later, 1_100))
    streams.at(-1)!.end('ended\n')
    await until(() => told.isOver)
    expect(told).toMatchObject({ text: 'begun\nended\n', isWhole: true })
  })

  test('R7.3b or is broken off, where the operator says so', async () => {
    world.publish(wiki, open)
    const told = await beginStream()
    world.publish(wiki, { ...open, maintenance: { endsOpen: true } })
    await until(() => told.isOver)
    expect(told).toMatchObject({ text: 'begun\n', isWhole: false })
  })
})

test('R7.3c the operator sees which applications are in maintenance, and each request that was refused', async () => {
  const until = '2099-12-01T06:00:00Z'
  world.publish({ ...wiki, maintenance: { until } }, open)
  expect(world.cloud.stats().maintenance).toEqual([
    { tenantId: 'contoso', applicationId: 'wiki', until },
  ])
  const { requestId } = JSON.parse((await world.ask('HTTP/1.1', 'wiki.example')).body) as {
    requestId: string
  }
  expect(world.audit.find((event) => event.requestId === requestId)).toMatchObject({
    ...{ type: 'access.failure', reason: 'maintenance', applicationId: 'wiki' },
  })
})

describe('R7.3a a mistake is told', () => {
  test.each([
    ['tomorrow', 'must be a time with its zone'],
    ['2026-12-01T06:00:00', 'must be a time with its zone'],
    ['2026-13-01T06:00:00Z', 'must be a time with its zone'],
  ])('R7.3a until %s', (until, detail) => {
    const publish = () => world.publish({ ...wiki, maintenance: { until } }, open)
    expect(publish).toThrow(ConfigurationInvalid)
    expect(publish).toThrow(`applications[0].maintenance.until: ${detail}`)
  })
})
