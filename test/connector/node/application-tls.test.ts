import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ApplicationTls, Backend, BackendRequest } from '../../../src/connector/index.ts'
import { HttpBackend, NodeBackend, UndiciBackend } from '../../../src/connector/node/index.ts'
import { applicationMistake } from '../../../src/connector/node/application-mistakes.ts'
import { LocalTlsBackend } from '../../../src/connector/local-tls.ts'
import { headerValue, type ApplicationDetails } from '../../../src/protocol/internal.ts'
import {
  clientAuthority,
  MutualApplication,
  serverCertificate,
  type ClientAuthority,
  type Credentials,
} from './mutual-application.ts'
import { detailsAt, ObservedCall, requestTo } from './observed-call.ts'

let clients: ClientAuthority
let alice: Credentials
let bob: Credentials
let server: Awaited<ReturnType<typeof serverCertificate>>
let named: Awaited<ReturnType<typeof serverCertificate>>
beforeAll(async () => {
  clients = await clientAuthority()
  ;[alice, bob] = await Promise.all([clients.issue('alice'), clients.issue('bob')])
  ;[server, named] = await Promise.all([serverCertificate(), serverCertificate(['inside.example'])])
})

const KINDS = [
  ['undici', UndiciBackend, [{}]],
  ['node:http', HttpBackend, [{}, { upgrade: 'websocket' }, { method: 'POST' }]],
  ['each by its shortest path', NodeBackend, [{}, { upgrade: 'websocket' }, { method: 'POST' }]],
] as const

describe.each(KINDS)('an application with TLS of its own, over %s', (_, Kind, requests) => {
  let backend: Backend
  const applications: MutualApplication[] = []
  beforeEach(() => void (backend = new Kind({ ca: server.ca })))
  afterEach(async () => {
    await backend.close()
    await Promise.all(applications.splice(0).map((one) => one.close()))
  })

  const serve = async (options: Partial<Parameters<typeof MutualApplication.listen>[0]> = {}) => {
    const application = await MutualApplication.listen({ server, clients: clients.ca, ...options })
    applications.push(application)
    return application
  }
  const show = ({ key, certificate }: Credentials, more: ApplicationTls = {}): ApplicationTls => ({
    clientCertificate: certificate,
    clientKey: key,
    ...more,
  })
  const details = new Map<string, ApplicationDetails>()
  const detailsOf = (internalUrl: string, verifyCertificate: boolean) => {
    const key = `${internalUrl} ${verifyCertificate}`
    const known = details.get(key) ?? detailsAt(0, { internalUrl, verifyCertificate })
    details.set(key, known)
    return known
  }
  const call = async (
    { origin }: { origin: string },
    tls: ApplicationTls | undefined,
    parts: Partial<BackendRequest> = {},
    verifyCertificate = true,
  ) => {
    const request = requestTo(detailsOf(`${origin}/`, verifyCertificate), { tls, ...parts })
    const one = new ObservedCall(backend, request)
    await one.responding()
    if (one.isUpgraded) one.call.abort()
    else await one.settled()
    return one
  }
  const clientOf = async (...args: Parameters<typeof call>) => {
    const one = await call(...args)
    return one.head === undefined ? one.outcome : headerValue(one.head.headers, 'x-client')
  }

  test.each(requests)('is shown the certificate: %o', async (parts) => {
    expect(await clientOf(await serve(), show(alice), parts)).toBe('alice')
  })

  test('keeps its connections', async () => {
    const application = await serve()
    const tls = show(alice)
    for (let i = 0; i < 3; i++) expect(await clientOf(application, tls)).toBe('alice')
    expect(application.connections).toBe(1)
  })

  test('never meets another identity on a connection, in whatever order', async () => {
    const application = await serve({ clients: undefined })
    const { ca } = server
    const identities = { alice: show(alice, { ca }), bob: show(bob, { ca }), nobody: undefined }
    const names = ['nobody', 'alice', 'bob', 'alice', 'nobody', 'nobody', 'bob'] as const
    for (const name of [...names, ...names])
      expect(await clientOf(application, identities[name])).toBe(name)
    const all = await Promise.all(
      Array.from({ length: 14 }, async (_, i) => {
        const name = names[i % names.length]!
        return (await clientOf(application, identities[name])) === name
      }),
    )
    expect(all).not.toContain(false)
    const owners = new Map<number, Set<string | undefined>>()
    for (const { connection, client } of application.seen)
      owners.set(connection, (owners.get(connection) ?? new Set()).add(client))
    expect([...owners.values()].every(({ size }) => size === 1)).toBe(true)
  })

  test('and no other application is shown it', async () => {
    const [own, other] = [await serve(), await serve({ clients: undefined })]
    const tls = show(alice)
    const chosen = new LocalTlsBackend(backend, (origin) =>
      origin === own.origin ? tls : undefined,
    )
    const ask = async (origin: string) => {
      const one = await new ObservedCall(chosen, requestTo(detailsOf(`${origin}/`, true))).settled()
      return headerValue(one.head!.headers, 'x-client')
    }
    const asked = [own, other, own, other].map(({ origin }) => ask(origin))
    expect(await Promise.all(asked)).toEqual(['alice', 'nobody', 'alice', 'nobody'])
  })

  test('is verified by its own authorities alone', async () => {
    const application = await serve({ clients: undefined })
    expect(await clientOf(application, { ca: server.ca })).toBe('nobody')
    expect(await clientOf(application, { ca: clients.ca })).toBe(
      'not sent: APPLICATION_CERTIFICATE',
    )
    // Those of the backend, where it names none.
    expect(await clientOf(application, show(alice))).toBe('alice')
  })

  test('is verified whatever the cloud’s configuration says', async () => {
    const application = await serve({ clients: undefined })
    const parts = [show(alice, { ca: clients.ca }), {}, false] as const
    expect(await clientOf(application, ...parts)).toBe('not sent: APPLICATION_CERTIFICATE')
    expect(application.seen).toEqual([])
    expect(await clientOf(application, undefined, {}, false)).toBe('nobody')
  })

  test.each(requests)('is asked for by its own name, and must be it: %o', async (parts) => {
    const application = await serve({ server: named, clients: undefined })
    const tls = { ca: named.ca, serverName: 'inside.example' }
    expect(await clientOf(application, tls, parts)).toBe('nobody')
    expect(application.seen[0]!.serverName).toBe('inside.example')
    const wrong = { ...tls, serverName: 'outside.example' }
    expect(await clientOf(application, wrong, parts)).toBe('not sent: APPLICATION_CERTIFICATE')
    expect(await clientOf(application, { ca: named.ca }, parts)).toBe(
      'not sent: APPLICATION_CERTIFICATE',
    )
  })

  test.each(requests)('on a connection of its own where that is bound: %o', async (parts) => {
    const application = await serve()
    const tls = show(alice)
    const headers = ['Host', 'wiki.example', 'Authorization', 'NTLM abc']
    for (let i = 0; i < 2; i++)
      expect(await clientOf(application, tls, { ...parts, headers })).toBe('alice')
    expect(application.connections).toBe(2)
  })

  test('that takes no stranger is not answered for, by any connection', async () => {
    const application = await serve()
    const stranger = await (await clientAuthority()).issue('mallory')
    for (const tls of [undefined, show(stranger), show(alice), undefined]) {
      const seen = await clientOf(application, tls)
      expect(seen === 'alice').toBe(tls?.clientKey === alice.key)
    }
    expect(application.seen.map(({ client }) => client)).toEqual(['alice'])
  })

  test('that wants a certificate is a mistake of this connector’s settings', async () => {
    const { origin } = await serve({ maxVersion: 'TLSv1.2' })
    const { outcome, cause } = await call({ origin }, undefined)
    expect(outcome).toBe('not sent: UNREACHABLE')
    expect(applicationMistake(cause, detailsAt(0, { internalUrl: `${origin}/` }))).toMatchObject({
      ...{ kind: 'application-client-certificate', owner: 'connector', setting: 'applicationTls' },
    })
  })

  test('lets go of what was made under other settings', async () => {
    const application = await serve({ clients: undefined })
    let answer: (() => void) | undefined
    const slow = await serve({
      clients: undefined,
      answer: (_, response) => void (answer = () => response.end('late')),
    })
    const before = show(alice)
    await call(application, before)
    const waiting = new ObservedCall(
      backend,
      requestTo(detailsOf(`${slow.origin}/`, true), { tls: before }),
    )
    while (answer === undefined) await new Promise((later) => setTimeout(later, 5))
    const after = show(bob)
    expect(await clientOf(application, after)).toBe('bob')
    const next = call(slow, after)
    answer()
    expect((await waiting.settled()).body).toBe('late')
    while (slow.seen.length < 2) await new Promise((later) => setTimeout(later, 5))
    answer()
    expect((await next).outcome).toBe('done')
    expect(slow.seen.map(({ client }) => client)).toEqual(['alice', 'bob'])
  })

  const key = 'clientKey: '
  test.each<[what: string, tls: () => ApplicationTls, detail: string]>([
    [
      'a key alone',
      () => ({ clientKey: alice.key }),
      'clientCertificate: is missing: there is a clientKey',
    ],
    [
      'a certificate alone',
      () => ({ clientCertificate: alice.certificate }),
      `${key}is missing: there is a clientCertificate`,
    ],
    [
      'another’s key',
      () => show({ ...alice, key: bob.key }),
      `${key}is not the key of the certificate`,
    ],
    [
      'no key',
      () => show({ ...alice, key: 'x' }),
      `${key}is no private key in PEM or DER that is not encrypted`,
    ],
    ['no authority', () => ({ ca: 'x' }), 'ca: is neither a certificate in PEM nor one in DER'],
    [
      'an address for a name',
      () => ({ serverName: '127.0.0.1' }),
      'serverName: is no name of a server',
    ],
  ])('is not called with %s', async (_, tls, detail) => {
    const application = await serve({ clients: undefined })
    let told: unknown
    try {
      const one = await call(application, tls())
      told = one.cause
    } catch (error) {
      told = error
    }
    expect(told).toMatchObject({ code: 'ERR_CONFIGURATION_INVALID', message: detail })
    expect(application.connections).toBe(0)
  })
})
