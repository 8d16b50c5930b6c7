import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { afterEach, describe, expect, test } from 'vitest'
import { userHandler } from '../../../src/cloud/node/index.ts'
import { RawUser } from '../../integration/raw-user.ts'
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

function answer(visit: Visit): void {
  visit.answer(200, 'whole', [...FIELDS, '</b>'])
}

async function listen(listener: Server): Promise<number> {
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  return (listener.address() as AddressInfo).port
}
