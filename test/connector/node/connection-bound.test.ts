import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Backend, BackendRequest } from '../../../src/connector/index.ts'
import { HttpBackend, NodeBackend, UndiciBackend } from '../../../src/connector/node/index.ts'
import { ObservedCall, requestTo } from './observed-call.ts'
import { RawApplication } from './raw-application.ts'

const KINDS = [
  ['undici', () => new UndiciBackend()],
  ['node:http', () => new HttpBackend()],
  ['each by its shortest path', () => new NodeBackend()],
] as const

/** Answers with the number of the connection, and of the request on it. */
const PLAIN = 'HTTP/1.1 200 OK\r\n'

describe.each(KINDS)('connections that are bound to a user, over %s', (kind, create) => {
  let backend: Backend
  let application: RawApplication
  /** How the next request is answered, its framing and body excepted. */
  let head: string
  let trailer: string
  beforeEach(async () => {
    backend = create()
    head = PLAIN
    trailer = ''
    application = await RawApplication.listen((connection) => {
      const { received, socket } = connection
      if (!received.endsWith('\r\n\r\n')) return
      const body = `${application.connections.indexOf(connection)}.${received.split('\r\n\r\n').length - 2}`
      socket.write(
        `${head}Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n${trailer}\r\n`,
      )
    })
  })
  afterEach(async () => {
    await backend.close()
    await application.close()
  })

  const NONE: readonly string[] = []
  /** `connection.request`, after which whatever is free is free. */
  const ask = async (method: string, headers = NONE, parts: Partial<BackendRequest> = {}) => {
    const all = ['Host', 'a.example', ...headers]
    const one = new ObservedCall(
      backend,
      requestTo(application.port, { method, headers: all, ...parts }),
    )
    await new Promise<void>((over) => {
      const [ended, failed] = [one.ended.bind(one), one.failed.bind(one)]
      one.ended = (trailers) => over(ended(trailers))
      one.failed = (code, cause) => over(failed(code, cause))
    })
    await new Promise((later) => setImmediate(() => setImmediate(later)))
    expect([one.outcome, one.misplaced]).toEqual(['done', 0])
    return one.body
  }
  const methods = kind === 'node:http' ? ['GET', 'POST'] : ['GET', 'POST', 'get']

  test.each([
    ['Authorization', 'NTLM TlRMTVNTUAAB'],
    ['authorization', 'ntlm'],
    ['AUTHORIZATION', 'Negotiate YIIJ=='],
    ['Authorization', 'negoTiate'],
    ['Authorization', 'Nego2 abc'],
    ['Authorization', 'Kerberos abc'],
    ['Authorization', 'Basic YTpi, NTLM abc'],
    ['Authorization', 'Bearer x', 'Authorization', 'NTLM abc'],
    ['Proxy-Authorization', 'NTLM abc'],
  ])('a request with %s: %s goes on a connection of its own', async (...credentials) => {
    for (const method of methods) {
      const shared = await ask(method)
      const own = await ask(method, credentials)
      const second = await ask(method, credentials)
      const after = await ask(method)
      expect([own.split('.')[1], second.split('.')[1]]).toEqual(['0', '0'])
      expect(new Set([shared, own, second].map((at) => at.split('.')[0])).size).toBe(3)
      expect([own, second].map((at) => at.split('.')[0])).not.toContain(after.split('.')[0])
      for (const at of [own, second]) {
        const { received } = application.connections[Number(at.split('.')[0])]!
        expect(received).toMatch(/\r\nconnection: close\r\n/i)
      }
    }
  })

  const UNAUTHORIZED = 'HTTP/1.1 401 Unauthorized\r\n'
  test.each([
    ['NTLM', `${UNAUTHORIZED}WWW-Authenticate: NTLM\r\n`, ''],
    ['a challenge with octets', `${UNAUTHORIZED}www-authenticate: nTlM TlRM==\r\n`, ''],
    ['Negotiate in a list', `${UNAUTHORIZED}WWW-Authenticate: Basic realm="a", Negotiate\r\n`, ''],
    [
      'Nego2 in a second field',
      `${UNAUTHORIZED}WWW-Authenticate: Basic realm="a"\r\nWWW-Authenticate: Nego2\r\n`,
      '',
    ],
    ['a proxy’s', 'HTTP/1.1 407 No\r\nProxy-Authenticate: Kerberos\r\n', ''],
    ['the end of a handshake', `${PLAIN}WWW-Authenticate: Negotiate oRQw\r\n`, ''],
    ['Authentication-Info', `${PLAIN}Authentication-Info: Negotiate oRQw\r\n`, ''],
    ['Persistent-Auth', `${PLAIN}Persistent-Auth: true\r\n`, ''],
    ['Proxy-Support', `${PLAIN}Proxy-Support: Session-Based-Authentication\r\n`, ''],
    ['an interim answer', `HTTP/1.1 103 Early\r\nWWW-Authenticate: NTLM\r\n\r\n${PLAIN}`, ''],
    ['a trailer', PLAIN, 'Persistent-Auth: true\r\n'],
    ['an error', 'HTTP/1.1 500 Oh\r\nWWW-Authenticate: NTLM\r\n', ''],
  ])('an answer that shows %s is the last on its connection', async (_, shown, behind) => {
    for (const method of methods) {
      const before = await ask(method)
      head = shown
      trailer = behind
      const challenged = await ask(method)
      head = PLAIN
      trailer = ''
      const after = await ask(method)
      // It was a shared one until then.
      const connection = before.split('.')[0]!
      expect(challenged.split('.')).toEqual([connection, String(Number(before.split('.')[1]) + 1)])
      expect(after.split('.')[0]).not.toBe(connection)
    }
  })

  test.each([
    ['Basic', ['Authorization', 'Basic YTpi']],
    ['Digest', ['Authorization', 'Digest username="ntlmuser"']],
    ['Bearer', ['Authorization', 'Bearer nego.nego.nego']],
    ['a cookie', ['Cookie', 'auth=NTLM']],
  ])('%s leaves connections shared', async (scheme, credentials) => {
    head = `${UNAUTHORIZED}WWW-Authenticate: ${scheme} realm="a"\r\nAuthentication-Info: nextnonce="a"\r\n`
    const first = await ask('GET')
    if (scheme === 'Digest' || scheme === 'Bearer') return
    const second = await ask('GET', credentials)
    expect([first, second]).toEqual(['0.0', '0.1'])
  })

  test('nothing waits on a connection that turns out to be bound', async () => {
    head = `${UNAUTHORIZED}WWW-Authenticate: NTLM\r\n`
    const calls = Array.from({ length: 40 }, () => ask('GET'))
    const places = await Promise.all(calls)
    expect(new Set(places.map((at) => at.split('.')[0])).size).toBe(40)
    expect(places.every((at) => at.endsWith('.0'))).toBe(true)
  })
})
