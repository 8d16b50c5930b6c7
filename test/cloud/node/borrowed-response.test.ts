import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import express from 'express'
import { afterEach, describe, expect, test } from 'vitest'
import { userHandler } from '../../../src/cloud/node/index.ts'
import { Containment, type PortFailure } from '../../../src/runtime/containment.ts'
import { RawUser } from '../../integration/raw-user.ts'
import { edgeWorld } from '../edge/edge-world.ts'
import { Visit } from './direct-edge.ts'

const FIELDS = ['Set-Cookie', 'a=1', 'Link', '</a>', 'X-Cased', '1', 'Set-Cookie', 'b=2', 'Link']

let server: Server
afterEach(() => server.close())

describe('on a response of somebody else’s, the answer has its own fields and no others', () => {
  const befores: Record<string, RequestListener> = {
    'nothing was set': () => undefined,
    'a field was set': (_, response) => response.setHeader('X-Powered-By', 'Express'),
    'fields of the same names were set': (_, response) => {
      response.setHeader('set-cookie', ['site=1', 'site=2'])
      response.setHeader('link', '</site>')
      response.setHeader('Content-Length', '1000').setHeader('Date', 'today')
    },
    'a field was set and taken off': (_, response) => {
      response.setHeader('X-Powered-By', 'Express')
      response.removeHeader('X-Powered-By')
    },
  }
  test.each(Object.entries(befores))('%s', async (_name, before) => {
    const published = userHandler({ handle: (user) => answer(new Visit(user)) })
    server = createServer((request, response) => {
      before(request, response)
      published(request, response)
    })
    const user = new RawUser(await listen(server)).ask('GET', '/', { connection: 'close' })
    await user.closed
    const [head = '', body] = user.received.split('\r\n\r\n')
    const [status, ...lines] = head.split('\r\n')
    expect([status, body]).toEqual(['HTTP/1.1 200 OK', 'whole'])
    expect(head).toMatch(/\r\nDate: .* GMT/)
    const sent = lines.filter((line) => !/^(date|connection):/i.test(line)).sort()
    expect(sent).toEqual([
      ...['Content-Length: 5', 'Link: </a>', 'Link: </b>', 'Set-Cookie: a=1', 'Set-Cookie: b=2'],
      'X-Cased: 1',
    ])
  })
})

test('a server that says when its connections end is let', async () => {
  const published = userHandler({ handle: (user) => answer(new Visit(user)) })
  server = createServer((request, response) => {
    response.setHeader('Connection', 'close')
    published(request, response)
  })
  const user = new RawUser(await listen(server)).ask('GET', '/')
  expect(await user.closed).toBe('whole')
  expect(user.received).toMatch(/\r\nConnection: close\r\n/)
})

test('a body that was read before is told to the user and to onError, and ends nothing', async () => {
  const told: PortFailure[] = []
  const containment = new Containment((failure) => void told.push(failure))
  const { edge } = await edgeWorld({}, { edge: { containment } })
  const published = userHandler(edge)
  server = createServer((request, response) => {
    request.on('data', () => undefined).on('end', () => published(request, response))
  })
  const user = new RawUser(await listen(server))
  user.ask('POST', '/', { host: 'open.example', 'content-length': 2 }).socket.write('ab')
  await user.closed
  expect(user.received).toMatch(/^HTTP\/1.1 500 [^]*\r\n\r\nthe body .* was read before: mount/)
  expect(told).toMatchObject([{ port: 'edge', error: { name: 'ApiMisuse' }, contained: false }])
})

describe('in Express', () => {
  const published = userHandler({
    handle: (user) => {
      const visit = new Visit(user)
      visit.answer(200, visit.user.head.target)
    },
    publishes: (_host, target) => target?.startsWith('/wiki/') === true,
  })
  test.each([
    ['at the root', express().use(published)],
    ['at a path', express().use('/wiki', published)],
    ['in a router in another', express().use(express.Router().use('/wiki', published))],
  ])('%s it has the whole target, and hands on what is for no application', async (_name, site) => {
    server = createServer(site.use((_request, response) => void response.send('the site')))
    const port = await listen(server)
    const ask = async (target: string): Promise<string> => {
      const user = new RawUser(port).ask('GET', target, { connection: 'close' })
      await user.closed
      return user.received.split('\r\n\r\n')[1]!
    }
    expect(await ask('/wiki/deep/%7Elink?a=//b')).toBe('/wiki/deep/%7Elink?a=//b')
    expect(await ask('/wiki/?a')).toBe('/wiki/?a')
    expect(await ask('/wikis')).toBe('the site')
    expect(await ask('/')).toBe('the site')
  })
})

function answer(visit: Visit): void {
  visit.answer(200, 'whole', [...FIELDS, '</b>'])
}

async function listen(listener: Server): Promise<number> {
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  return (listener.address() as AddressInfo).port
}
