import fc from 'fast-check'
import { createServer, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createServerAuthority, defaultCryptoProvider } from '../../../src/cloud/index.ts'
import type { BackendRequest } from '../../../src/connector/index.ts'
import { NodeBackend } from '../../../src/connector/node/index.ts'
import {
  OwnConnections,
  type OwnConnectionLimits,
} from '../../../src/connector/node/own-connections.ts'
import type { ApplicationDetails, HeaderList } from '../../../src/protocol/internal.ts'
import { memoryAuthorityStore } from '../../cloud/trust.ts'
import { answerTo, HandshakeApplication, opening } from '../../handshake-application.ts'
import { listen } from '../../integration/listen.ts'
import { until } from '../../until.ts'
import {
  clientAuthority,
  MutualApplication,
  serverCertificate,
  type Credentials,
} from './mutual-application.ts'
import { detailsAt, ObservedCall, requestTo } from './observed-call.ts'

let tls: { key: string; cert: string }
let ca: string
beforeAll(async () => {
  const crypto = await defaultCryptoProvider()
  const clocks = { now: () => performance.now(), wallClock: () => Date.now() }
  const servers = await createServerAuthority({ crypto, clocks, store: memoryAuthorityStore() })
  const { key, certificate, ca: root } = await servers.issue()
  tls = { key, cert: certificate }
  ca = root
})

describe.each(['http', 'https'] as const)(
  'connections of their own, to an application over %s',
  (scheme) => {
    let application: HandshakeApplication
    let server: Server
    let details: ApplicationDetails
    let backend: OwnConnections
    const sockets = new Set<Socket>()
    const open = (limits?: OwnConnectionLimits) => (backend = new OwnConnections({ ca }, limits))

    beforeEach(async () => {
      application = new HandshakeApplication()
      server =
        scheme === 'http'
          ? createServer(application.serve)
          : createHttpsServer(tls, application.serve)
      server.keepAliveTimeout = 60_000
      server.on('upgrade', application.upgrade)
      server.on(scheme === 'http' ? 'connection' : 'secureConnection', (socket: Socket) => {
        sockets.add(socket)
        socket.on('close', () => sockets.delete(socket))
      })
      const port = await listen(server)
      details = detailsAt(port, { internalUrl: `${scheme}://127.0.0.1:${port}/` })
      open()
    })
    afterEach(async () => {
      await backend.close()
      for (const socket of sockets) socket.destroy()
      await new Promise((closed) => server.close(closed))
    })

    const ask = async (
      affinity: string,
      authorization?: string,
      parts: Partial<BackendRequest> = {},
    ) => {
      const headers = [
        'Host',
        'a',
        ...(authorization === undefined ? [] : ['Authorization', authorization]),
      ]
      const { body } = parts
      const one = new ObservedCall(
        backend,
        requestTo(details, { headers, affinity, replayable: false, ...parts }),
      )
      if (body !== undefined && body.kind !== 'none') {
        one.call.write(Buffer.from('a=b'))
        one.call.end()
      }
      await one.settled()
      expect(one.misplaced).toBe(0)
      return one
    }
    const field = (headers: HeaderList, name: string) =>
      headers.find((_, i) => i % 2 === 1 && headers[i - 1]!.toLowerCase() === name)
    const seen = ({ head, outcome }: ObservedCall) =>
      head === undefined
        ? outcome
        : `${head.status} ${field(head.headers, 'x-seen') ?? '-'} on ${field(head.headers, 'x-connection')}`
    const challengeOf = ({ head }: ObservedCall) =>
      field(head!.headers, 'www-authenticate')!.replace('NTLM ', '')
    const logIn = async (affinity: string, user: string) => {
      await ask(affinity)
      const challenged = await ask(affinity, `NTLM ${opening}`)
      return ask(affinity, `NTLM ${answerTo(challengeOf(challenged), user)}`, { isPinned: true })
    }

    test('carry a handshake of three steps, and from then on its user', async () => {
      expect(seen(await logIn('a', 'alice'))).toBe('200 alice on 1')
      expect(seen(await logIn('b', 'bob'))).toBe('200 bob on 2')
      for (let i = 0; i < 20; i++) {
        const method = i % 3 === 0 ? 'POST' : 'GET'
        const body =
          method === 'POST' ? ({ kind: 'length', bytes: 3 } as const) : ({ kind: 'none' } as const)
        const parts = { method, body, isPinned: true }
        expect(seen(await ask('a', undefined, parts))).toBe('200 alice on 1')
        expect(seen(await ask('b', undefined, parts))).toBe('200 bob on 2')
      }
      expect(application.bodies).toHaveLength(14)
      expect([application.connections, application.misplaced, backend.size]).toEqual([2, 0, 2])
    })

    test('carry handshakes that run at once, each its own', async () => {
      const users = Array.from({ length: 12 }, (_, i) => `user${i}`)
      const answers = await Promise.all(users.map((user) => logIn(user, user)))
      expect(answers.map((one) => seen(one).split(' ')[1])).toEqual(users)
      expect(application.misplaced).toBe(0)
    })

    test('end with their connection: who was known by it is told, and nothing is sent', async () => {
      await logIn('a', 'alice')
      for (const socket of sockets) socket.destroy()
      await until(() => backend.size === 0)
      const post = { method: 'POST', body: { kind: 'length', bytes: 3 } as const, isPinned: true }
      expect((await ask('a', undefined, post)).outcome).toBe('not sent: PIN_LOST')
      expect((await ask('a', undefined, { isPinned: true })).outcome).toBe('not sent: PIN_LOST')
      expect(application.bodies).toEqual([])
      // Who begins anew gets a new one.
      expect(seen(await logIn('a', 'alice'))).toBe('200 alice on 2')
    })

    test('that close under a safe request: its user begins anew', async () => {
      await logIn('a', 'alice')
      server.once('connection', () => undefined)
      server.removeAllListeners('request')
      server.once('request', ({ socket }) => void socket.destroy())
      expect((await ask('a', undefined, { isPinned: true })).outcome).toBe('not sent: PIN_LOST')
      await until(() => backend.size === 0)
    })

    test('that close under any other: nobody knows what came of it', async () => {
      await logIn('a', 'alice')
      server.removeAllListeners('request')
      server.once('request', ({ socket }) => void socket.destroy())
      const post = { method: 'POST', body: { kind: 'length', bytes: 3 } as const, isPinned: true }
      expect((await ask('a', undefined, post)).outcome).toBe('APPLICATION_ABORTED')
    })

    test('become a tunnel of the user who is known by it', async () => {
      await logIn('a', 'alice')
      await logIn('b', 'bob')
      const one = new ObservedCall(
        backend,
        requestTo(details, {
          affinity: 'a',
          upgrade: 'websocket',
          replayable: false,
          isPinned: true,
        }),
      )
      await until(() => one.isUpgraded)
      expect(seen(one)).toBe('101 alice on 1')
      expect(backend.size).toBe(1)
      one.call.write(Buffer.from('ping'))
      await until(() => one.body === 'ping')
      one.call.end()
      await until(() => one.isEnded)
      expect(one.misplaced).toBe(0)
      expect(seen(await ask('b', undefined, { isPinned: true }))).toBe('200 bob on 2')
    })

    test('that a tunnel is begun on at once, and refused on', async () => {
      const one = new ObservedCall(
        backend,
        requestTo(details, { affinity: 'a', upgrade: 'websocket', replayable: false }),
      )
      await one.settled()
      expect(seen(one)).toBe('401 - on 1')
      expect(backend.size).toBe(1)
      // It is no tunnel: when the application has closed it, it is closed.
      await application.closeAll()
      await until(() => backend.size === 0)
    })

    test('are given up when their call is', async () => {
      await logIn('a', 'alice')
      server.removeAllListeners('request')
      const one = new ObservedCall(backend, requestTo(details, { affinity: 'a', isPinned: true }))
      await until(() => sockets.size === 1)
      one.call.abort()
      expect(backend.size).toBe(0)
      await until(() => sockets.size === 0)
    })

    test('are six of one affinity at the most, then there is no room', async () => {
      server.removeAllListeners('request')
      const held: (() => void)[] = []
      server.on('request', (request, response) => {
        held.push(() => application.serve(request, response))
      })
      const calls = Array.from({ length: 7 }, () => ask('a'))
      expect((await calls[6]!).outcome).toBe('not sent: CONNECTOR_EXHAUSTED')
      await until(() => held.length === 6)
      for (const answer of held) answer()
      await Promise.all(calls)
      expect([application.connections, backend.size]).toEqual([6, 6])
    })

    test('are bounded for all users together: the longest unused one gives way', async () => {
      open({ most: 2 })
      await logIn('a', 'alice')
      await logIn('b', 'bob')
      await ask('a', undefined, { isPinned: true })
      expect(seen(await logIn('c', 'carol'))).toBe('200 carol on 3')
      expect(backend.size).toBe(2)
      expect((await ask('b', undefined, { isPinned: true })).outcome).toBe('not sent: PIN_LOST')
      expect(seen(await ask('a', undefined, { isPinned: true }))).toBe('200 alice on 1')
    })

    test('are never another affinity’s, whatever becomes of them', async () => {
      const step = fc.record({
        affinity: fc.constantFrom('a', 'b', 'c'),
        kind: fc.constantFrom('logIn', 'ask', 'public', 'open', 'upgrade', 'close'),
        isPinned: fc.boolean(),
      })
      let runs = 0
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
          const run = ++runs
          const users = new Map<string, Set<string>>()
          const nobody = '-'
          for (const [i, { affinity, kind, isPinned }] of steps.entries()) {
            const own = `${run}${affinity}`
            const known = users.get(own) ?? new Set([nobody, 'nobody'])
            users.set(own, known)
            const parts = { isPinned, target: kind === 'public' ? '/public' : '/' }
            if (kind === 'close') {
              await application.closeAll()
              await until(() => backend.size === 0)
            } else if (kind === 'logIn') {
              known.add(`${own}-${i}`)
              expect(seen(await logIn(own, `${own}-${i}`))).toContain(`${own}-${i}`)
            } else if (kind === 'open') await ask(own, `NTLM ${opening}`)
            else {
              const upgrade = kind === 'upgrade' ? 'websocket' : undefined
              const wanted = { ...parts, affinity: own, replayable: false, upgrade }
              const one = new ObservedCall(backend, requestTo(details, wanted))
              await until(() => one.isUpgraded || one.isEnded || one.code !== undefined)
              if (one.head === undefined)
                expect(one.outcome).toMatch(/^not sent: (PIN_LOST|CONNECTOR_EXHAUSTED)$/)
              else expect([...known]).toContain(seen(one).split(' ')[1])
              if (one.isUpgraded) one.call.abort()
            }
          }
          await backend.close()
          expect(backend.size).toBe(0)
        }),
        { numRuns: 25, endOnFailure: true },
      )
      expect(application.misplaced).toBe(0)
    }, 60_000)

    test('lead where they led: an application that is elsewhere now gets none of them', async () => {
      await logIn('a', 'alice')
      const other = createServer((_, response) => response.end('elsewhere'))
      const port = await listen(other)
      details = { ...details, internalUrl: `http://127.0.0.1:${port}/` }
      expect((await ask('a', undefined, { isPinned: true })).outcome).toBe('not sent: PIN_LOST')
      expect((await ask('a')).body).toBe('elsewhere')
      await new Promise((closed) => other.close(closed))
    })
  },
)

test('are made, and recognised, as the connector’s own settings say, and others end them', async () => {
  const clients = await clientAuthority()
  const [first, second] = await Promise.all([clients.issue('first'), clients.issue('second')])
  const server = await serverCertificate()
  const mutual = await MutualApplication.listen({ server })
  const backend = new OwnConnections()
  const settings = ({ certificate, key }: Credentials) => ({
    ...{ ca: [server.ca], clientCertificate: [certificate], clientKey: key },
  })
  const [one, other] = [settings(first), settings(second)]
  const details = detailsAt(0, { internalUrl: `${mutual.origin}/` })
  const at = async (affinity: string, parts: Partial<BackendRequest>) => {
    const call = new ObservedCall(
      backend,
      requestTo(details, { affinity, replayable: false, ...parts }),
    )
    await call.settled()
    return call.head === undefined ? call.outcome : mutual.seen.at(-1)!.client
  }
  expect(await at('a', { tls: one })).toBe('first')
  expect(await at('b', { tls: other })).toBe('second')
  expect(await at('a', { tls: one, isPinned: true })).toBe('first')
  expect(mutual.connections).toBe(2)
  // Another certificate is another connection: nobody is known by it.
  expect(await at('a', { tls: other, isPinned: true })).toBe('not sent: PIN_LOST')
  expect(await at('a', { tls: other })).toBe('second')
  // Whom the connector’s settings do not vouch for is sent nothing.
  const before = mutual.seen.length
  expect(await at('c', {})).toMatch(/^not sent/)
  expect(mutual.seen).toHaveLength(before)
  await backend.close()
  await mutual.close()
})

test('connections that are unused, or old, are closed', async () => {
  const application = new HandshakeApplication()
  const server = createServer(application.serve)
  const port = await listen(server)
  const backend = new OwnConnections({}, { idleMs: 0 })
  const one = new ObservedCall(backend, requestTo(port, { affinity: 'a' }))
  await one.settled()
  expect(backend.size).toBe(1)
  await until(() => backend.size === 0)
  await backend.close()
  await new Promise((closed) => server.close(closed))
})

test('the connector’s backend keeps them apart from all others', async () => {
  const application = new HandshakeApplication()
  const server = createServer(application.serve)
  const port = await listen(server)
  const backend = new NodeBackend()
  expect(backend.features).toContain('affinity')
  const at = async (parts: Partial<BackendRequest>) => {
    const one = new ObservedCall(backend, requestTo(port, { target: '/public', ...parts }))
    await one.settled()
    return one.head!.headers[one.head!.headers.indexOf('X-Connection') + 1]
  }
  const shared = await at({})
  const own = await at({ affinity: 'a', replayable: false })
  expect(own).not.toBe(shared)
  expect([await at({}), await at({ affinity: 'a', replayable: false })]).toEqual([shared, own])
  expect(await at({ affinity: 'b', replayable: false })).not.toBe(own)
  await backend.close()
  await new Promise((closed) => server.close(closed))
})
