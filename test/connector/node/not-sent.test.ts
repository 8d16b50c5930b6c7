/** What certainly never left for the application is said so, whatever the request; everything else is not. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createServerAuthority } from '../../../src/cloud/index.ts'
import type { Backend, BackendRequest } from '../../../src/connector/index.ts'
import {
  HttpBackend,
  NodeBackend,
  UndiciBackend,
  type ApplicationConnectionOptions,
} from '../../../src/connector/node/index.ts'
import type { ApplicationDetails } from '../../../src/protocol/internal.ts'
import { memoryAuthorityStore } from '../../cloud/trust.ts'
import { until } from '../../integration/tunnel.ts'
import { detailsAt, ObservedCall, requestTo } from './observed-call.ts'
import { RawApplication, type RawConnection } from './raw-application.ts'

const KINDS = [
  ['undici', UndiciBackend],
  ['node:http', HttpBackend],
  ['each by its shortest path', NodeBackend],
] as const
type Kind = (typeof KINDS)[number][1]

const REQUESTS: Readonly<Record<string, Partial<BackendRequest>>> = {
  'a GET': {},
  'a POST with a body': { method: 'POST', body: { kind: 'length', bytes: 8 } },
  'a POST with a streamed body': { method: 'POST', body: { kind: 'streamed' } },
  'an upgrade': { upgrade: 'websocket' },
  'a GET with credentials of its connection': {
    headers: ['Host', 'a.example', 'Authorization', 'NTLM abc'],
  },
}
const pairs = KINDS.flatMap(([name, kind]) =>
  Object.keys(REQUESTS)
    .filter((request) => kind !== UndiciBackend || request !== 'an upgrade')
    .map((request) => [name, request, kind] as const),
)

const closing: (() => unknown)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})
let tls: { key: string; cert: string }
beforeAll(async () => {
  const { key, certificate } = await (
    await createServerAuthority({ store: memoryAuthorityStore() })
  ).issue()
  tls = { key, cert: certificate }
})

const applicationThat = async (
  respond?: (connection: RawConnection) => void,
  secure?: typeof tls,
) => {
  const application = await RawApplication.listen(respond, secure)
  closing.push(() => application.close())
  return application
}
const create = (kind: Kind, options: ApplicationConnectionOptions = {}): Backend => {
  const backend = new kind(options)
  closing.push(() => backend.close())
  return backend
}

describe.each(pairs)('over %s, %s', (_, name, kind) => {
  /** Writes what there is to write, and waits for what becomes of it. */
  const call = async (
    backend: Backend,
    details: ApplicationDetails | number,
    more: Partial<BackendRequest> = {},
  ) => {
    const one = begin(backend, details, more)
    await one.settled()
    expect(one.misplaced).toBe(0)
    return one
  }
  const begin = (
    backend: Backend,
    details: ApplicationDetails | number,
    more: Partial<BackendRequest> = {},
  ) => {
    const request = requestTo(details, { ...REQUESTS[name], ...more })
    const one = new ObservedCall(backend, request)
    if (request.body.kind !== 'none') one.takes.push(one.call.write(Buffer.from('8 octets')))
    if (request.upgrade === undefined) one.call.end()
    return one
  }
  const at = (scheme: string, host: string, port: number) =>
    detailsAt(port, { internalUrl: `${scheme}://${host}:${port}/` })

  test('a name that cannot be resolved', async () => {
    const one = await call(create(kind), at('http', 'no-such-host.invalid', 80))
    expect([one.outcome, one.drains]).toEqual(['not sent: UNREACHABLE', 0])
  })

  test('a connection that is refused', async () => {
    const { port, close } = await RawApplication.listen().then((application) => ({
      port: application.port,
      close: () => application.close(),
    }))
    await close()
    const one = await call(create(kind), port)
    expect([one.outcome, one.drains, one.takes.includes(true)]).toEqual([
      'not sent: UNREACHABLE',
      0,
      false,
    ])
  })

  test('a TLS handshake that is never answered, until the limit of the backend', async () => {
    const application = await applicationThat()
    const secure = at('https', '127.0.0.1', application.port)
    const one = await call(create(kind, { connectMs: 100 }), secure)
    expect(one.outcome).toBe('not sent: TIMEOUT')
  })

  test('the same, until the user has waited too long', async () => {
    const application = await applicationThat()
    const secure = at('https', '127.0.0.1', application.port)
    const one = await call(create(kind), secure, { answerMs: 100 })
    expect(one.outcome).toBe('not sent: TIMEOUT')
  })

  test('a TLS handshake that is answered in clear, or cut', async () => {
    const application = await applicationThat(({ socket }) =>
      socket.write('HTTP/1.1 400 No\r\n\r\n'),
    )
    const one = await call(create(kind), at('https', '127.0.0.1', application.port))
    expect(one.outcome).toBe('not sent: UNREACHABLE')
    const cutting = await applicationThat(({ socket }) => socket.resetAndDestroy())
    const two = await call(create(kind), at('https', '127.0.0.1', cutting.port))
    expect(two.outcome).toBe('not sent: UNREACHABLE')
  })

  test('a certificate that nobody vouches for: not one octet arrives', async () => {
    const application = await applicationThat(undefined, tls)
    const one = await call(create(kind), at('https', '127.0.0.1', application.port))
    expect(one.outcome).toBe('not sent: APPLICATION_CERTIFICATE')
    await until(() => application.connections.every(({ closed }) => closed))
    expect(application.connections.map(({ received }) => received).join('')).toBe('')
  })

  test('an application that takes the request and cuts the connection may have seen it', async () => {
    const application = await applicationThat(({ socket }) => socket.resetAndDestroy())
    expect((await call(create(kind), application.port)).outcome).toBe('APPLICATION_ABORTED')
  })

  test('a kept connection that dies under the request: sent, though the next one is refused', async () => {
    let isServing = true
    const application = await applicationThat(({ socket }) => {
      if (isServing) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
      else socket.resetAndDestroy()
    })
    const backend = create(kind)
    const { port } = application
    expect((await call(backend, port)).outcome).toBe('done')
    isServing = false
    // Nobody listens any more where a second try would go.
    application.stopListening()
    const one = begin(backend, port)
    await one.settled()
    // What takes a connection of its own finds nobody there.
    const isAlone = name === 'an upgrade' || name.includes('credentials')
    expect([one.outcome, one.misplaced]).toEqual([
      isAlone
        ? 'not sent: UNREACHABLE'
        : expect.stringMatching(/^(APPLICATION_ABORTED|UNREACHABLE)$/),
      0,
    ])
  })

  test('one that is broken off while it connects sends nothing later', async () => {
    const application = await applicationThat()
    const one = begin(create(kind), application.port)
    one.call.abort()
    // Behind it comes another, by which time the first would have arrived.
    const two = begin(create(kind), application.port)
    await until(() => application.connections.some(({ received }) => received !== ''))
    two.call.abort()
    expect(application.connections.filter(({ received }) => received !== '')).toHaveLength(1)
  })

  if (REQUESTS[name]!.body !== undefined)
    test('bytes count as taken when the connection stands, not before', async () => {
      const application = await applicationThat()
      const one = begin(create(kind), application.port)
      expect([one.takes, one.drains]).toEqual([[false], 0])
      await until(() => one.drains > 0)
      expect(application.connections.length).toBe(1)
      one.call.abort()
    })
})

test('no descriptor left: the machine is exhausted, over every backend', async () => {
  const script = fileURLToPath(new URL('./exhausted.child.ts', import.meta.url))
  const command = `ulimit -n 512 && exec "$0" --import tsx "$1"`
  const child = spawn('/bin/sh', ['-c', command, process.execPath, script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  for await (const chunk of child.stdout) said += String(chunk)
  const outcomes = JSON.parse(said) as Record<string, string>
  expect(Object.keys(outcomes).length).toBe(pairs.length)
  expect(new Set(Object.values(outcomes))).toEqual(new Set(['not sent: CONNECTOR_EXHAUSTED']))
}, 30_000)
