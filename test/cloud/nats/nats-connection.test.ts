/** The connection to a broker: what it says of itself while the broker comes and goes. */
import { afterEach, expect, test } from 'vitest'
import { createCertificateAuthority, createServerAuthority } from '../../../src/cloud/index.ts'
import {
  openNatsConnection,
  type NatsConnection,
  type NatsConnectionOptions,
} from '../../../src/cloud/nats/index.ts'
import { FRESHNESS } from '../../../src/cloud/nats/freshness.ts'
import { hashedName, subjectOf } from '../../../src/cloud/nats/subjects.ts'
import { toPem } from '../../../src/runtime/node/pem.ts'
import { Machine } from '../../../src/protocol/internal.ts'
import { memoryAuthorityStore } from '../authority/memory-authority-store.ts'
import { describeWithPackages } from '../../debian-packages.ts'
import { NatsServer, type NatsServerOptions } from '../../nats-server.ts'
import { until } from '../../until.ts'

const octets = (text: string) => new TextEncoder().encode(text)
const text = (data: Uint8Array) => new TextDecoder().decode(data)
const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function serve(options?: NatsServerOptions): Promise<NatsServer> {
  const server = await NatsServer.start(options)
  ends.push(() => server.close())
  return server
}

async function open(
  server: NatsServer,
  options: Partial<NatsConnectionOptions> = {},
): Promise<NatsConnection> {
  const nats = await openNatsConnection({ servers: server.address, pingEveryMs: 200, ...options })
  ends.push(() => nats.close())
  return nats
}

/** What a client shows, and the authority it is of. All PEM. */
async function clientCertificate() {
  const authority = await createCertificateAuthority({ store: memoryAuthorityStore() })
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const { der } = await authority.issue({
    publicKeySpki: new Uint8Array(await crypto.subtle.exportKey('spki', keys.publicKey)),
    ...{ tenantId: 'contoso', connectorId: 'cloud', now: Date.now() },
  })
  const key = new Uint8Array(await crypto.subtle.exportKey('pkcs8', keys.privateKey))
  return {
    authority: toPem('CERTIFICATE', authority.certificate),
    ...{ cert: toPem('CERTIFICATE', der), key: toPem('PRIVATE KEY', key) },
  }
}

describeWithPackages('a connection to NATS', ['nats-server'], () => {
  test('asks, answers, and knows at once when nobody is there', async () => {
    const server = await serve()
    const [one, other] = [await open(server), await open(server)]
    const heard: string[] = []
    const subscription = other.subscribe('ap1.t.echo', (message) => {
      heard.push(text(message.data))
      message.respond(message.data)
    })
    await until(async () => (await one.request('ap1.t.echo', octets('a'))).kind === 'answer')
    expect(await one.request('ap1.t.nobody', octets('a'))).toEqual({ kind: 'no-responders' })
    other.subscribe('ap1.t.silent', () => undefined)
    const silent = async () => (await one.request('ap1.t.silent', octets('a'), 100)).kind
    await until(async () => (await silent()) === 'unknown')
    await subscription.drain()
    expect(await one.request('ap1.t.echo', octets('b'))).toEqual({ kind: 'no-responders' })
    expect(heard).not.toContain('b')
  })

  test('of those that share a queue one is asked; a listener that throws is told', async () => {
    const server = await serve()
    const failures: string[] = []
    const one = await open(server, { onError: ({ port }) => failures.push(port) })
    let count = 0
    for (const nats of [one, await open(server)])
      nats.subscribe('ap1.t.work', () => void (count += 1), { queue: 'workers' })
    one.subscribe('ap1.t.bad', () => {
      throw new Error('a listener that fails')
    })
    await one.client.flush()
    for (let i = 0; i < 10; i++) expect(one.publish('ap1.t.work', octets('x'))).toBe(true)
    one.publish('ap1.t.bad', octets('x'))
    await until(() => count === 10 && failures.length === 1)
    expect(failures).toEqual(['nats.subscribe.listener'])
  })

  test('without a broker sends nothing, says so at once, and goes stale; then it heals by itself', async () => {
    const server = await serve()
    const nats = await open(server, { staleAfterMs: 600 })
    const states: string[] = []
    nats.onChange(() => states.push(`${nats.state} ${nats.isConnected ? 'up' : 'down'}`))
    await until(() => nats.isFresh)
    const heard: string[] = []
    nats.subscribe('ap1.t.news', ({ data }) => heard.push(text(data)))
    await server.stop()
    await until(() => !nats.isConnected)
    expect(nats.publish('ap1.t.news', octets('lost'))).toBe(false)
    expect(await nats.request('ap1.t.news', octets('lost'))).toEqual({ kind: 'unreachable' })
    await until(() => nats.state === 'stale')
    const { freshAt } = nats
    await server.restart()
    await until(() => nats.isFresh)
    expect(nats.freshAt).toBeGreaterThan(freshAt)
    // Whoever listened does so again.
    await until(() => nats.publish('ap1.t.news', octets('found')) && heard.length > 0)
    expect(new Set(heard)).toEqual(new Set(['found']))
    expect(states.filter((state, i) => state !== states[i - 1])).toEqual(
      expect.arrayContaining(['fresh down', 'stale down', 'healing up', 'fresh up']),
    )
  })

  test('a broker that answers nothing is found out, and heals', async () => {
    const server = await serve()
    const nats = await open(server, { staleAfterMs: 600, answerMs: 300 })
    await until(() => nats.isFresh)
    server.pause()
    await until(() => !nats.isConnected && nats.state === 'stale', 30_000)
    expect(nats.publish('ap1.t.news', octets('lost'))).toBe(false)
    server.resume()
    await until(() => nats.isFresh, 30_000)
  })

  test('a copy is read again after each reconnection, and when it lags', async () => {
    const server = await serve()
    const nats = await open(server, { staleAfterMs: 800 })
    let reads = 0
    let isCurrent = true
    const end = await nats.keep({
      readAnew: async () => void (reads += 1),
      isCurrent: async () => isCurrent,
      end: () => undefined,
    })
    await until(() => nats.isFresh)
    const before = reads
    isCurrent = false
    await until(() => reads > before)
    isCurrent = true
    await server.kill()
    await until(() => !nats.isConnected)
    const meanwhile = reads
    await server.restart()
    await until(() => nats.isFresh && reads > meanwhile)
    end()
  })

  test('is over TLS where the server is not this machine, and with a certificate it asks for', async () => {
    const authority = await createServerAuthority({ store: memoryAuthorityStore() })
    const { certificate, key, ca } = await authority.issue()
    const { authority: clientAuthority, ...shown } = await clientCertificate()
    const server = await serve({ tls: { certificate, key, clientAuthority } })
    const nats = await open(server, { tls: { ca, ...shown } })
    expect((await nats.request('ap1.t.nobody', octets('a'))).kind).toBe('no-responders')
    const failed = { code: 'ERR_PORT_FAILED', port: 'nats' }
    // Its root is not one of Node's.
    await expect(open(server, { tls: shown })).rejects.toMatchObject(failed)
    await expect(open(server, { tls: { ca } })).rejects.toMatchObject(failed)
    // A server that offers no TLS is not spoken to without.
    await expect(open(await serve(), { tls: { ca } })).rejects.toMatchObject(failed)
  })

  test('shows its credentials, which may change between connections', async () => {
    const server = await serve({
      configuration: `authorization { users: [
        { user: "cloud", password: "right", permissions: { publish: "ap1.>", subscribe: "ap1.>" } }
      ] }`,
    })
    let password = 'wrong'
    const credentials = () => ({ user: 'cloud', password })
    const refused = open(server, { credentials })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_PORT_FAILED' })
    await expect(refused).rejects.not.toThrow(/wrong/)
    password = 'right'
    const nats = await open(server, { credentials })
    expect((await nats.request('ap1.t.nobody', octets('a'))).kind).toBe('no-responders')
  })

  test.each<[string, Partial<NatsConnectionOptions>]>([
    ['servers', { servers: [] }],
    ['servers', { servers: 'nats://user:secret@127.0.0.1:4222' }],
    ['pingEveryMs', { pingEveryMs: 2_001 }],
  ])('refuses %s that are wrong, and quotes nothing', async (path, options) => {
    const opening = openNatsConnection({ servers: '127.0.0.1:4222', ...options })
    await expect(opening).rejects.toMatchObject({ code: 'ERR_CONFIGURATION_INVALID', path })
    await expect(opening).rejects.not.toThrow(/secret/)
  })

  test('a broker that is not there is told, not waited for', async () => {
    const server = await serve()
    await server.stop()
    await expect(open(server)).rejects.toMatchObject({ code: 'ERR_PORT_FAILED', port: 'nats' })
  })
})

test('names hold no syntax of the broker, whatever they are made of', () => {
  for (const name of ['', '*', '>', 'a.b', 'ä\0b', ' '.repeat(9_999)])
    expect(subjectOf('o', 'contoso', name)).toMatch(/^ap1\.o\.[A-Z2-7]{52}$/)
  // RFC 4648 base32 of the SHA-256 of "abc".
  expect(hashedName('abc')).toBe('XJ4BNP4PAHH6UQKBIDPF3LRCEOYAGYNDSYLXVHFUCD7WD4QACWWQ')
  expect(hashedName('a', 'b')).not.toBe(hashedName('ab'))
})

test('what was never read is not fresh, whatever else happens, and what is closed stays so', () => {
  for (const event of ['connected', 'lost', 'late'] as const) {
    const machine = new Machine(FRESHNESS, 'never-fresh')
    machine.step(event)
    expect(machine.state).toBe('never-fresh')
  }
  for (const event of ['connected', 'lost', 'read', 'late', 'close'] as const)
    expect(new Machine(FRESHNESS, 'closed').step(event)).toBe(false)
})
