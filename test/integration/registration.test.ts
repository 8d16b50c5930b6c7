import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createServerAuthority } from '../../src/cloud/index.ts'
import { startConnector, type ConnectorOptions } from '../../src/connector/node/index.ts'
import { crypto, memoryAuthorityStore } from '../cloud/trust.ts'
import { startRawWorld, type RawWorld } from './raw-world.ts'
import { registrarToken, until } from './tunnel.ts'

let world: RawWorld
let directory: string
beforeAll(async () => {
  world = await startRawWorld()
})
afterAll(() => world.close())
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'app-proxy-'))
})
afterEach(async () => {
  vi.restoreAllMocks()
  await rm(directory, { recursive: true, force: true })
})

const start = (options: Partial<ConnectorOptions>) =>
  startConnector({
    url: world.connectorUrl,
    ca: world.ca,
    stateDirectory: directory,
    limits: { backoffMinMs: 20, backoffMaxMs: 100 },
    ...options,
  })
const seconds = () => Math.floor(Date.now() / 1000)

describe('a registration is refused, for good and by name,', () => {
  test.each<[string, string, Record<string, unknown>]>([
    ['of somebody who is no registrar', 'token-role', { roles: ['user'] }],
    ['of a registrar of another tenant', 'token-tenant', { tid: 'fabrikam' }],
    [
      'with a token that has expired',
      'token-expired',
      { iat: seconds() - 900, exp: seconds() - 600 },
    ],
    ['with a token for another service', 'token-audience', { aud: 'https://other.example' }],
    ['with a token of an unknown issuer', 'token-issuer', { iss: 'https://evil.example' }],
  ])('%s', async (_, reason, claims) => {
    const register = vi.spyOn(world.cloud.registration, 'register')
    const token = () => registrarToken(world.issuer, claims)
    await expect(start({ token })).rejects.toMatchObject({ code: 'ERR_REFUSED', reason })
    // Considered once: the connector does not ask again.
    expect(register).toHaveBeenCalledTimes(1)
    expect(await world.registry.list('contoso')).toEqual([])
    expect(world.audit.events.at(-1)).toMatchObject({ outcome: 'refused', reason })
  })

  test('with a token that was spent on another key', async () => {
    const token = await registrarToken(world.issuer)
    const first = await start({ token: () => token })
    await first.stop()
    const stateDirectory = join(directory, 'another')
    await expect(start({ token: () => token, stateDirectory })).rejects.toMatchObject({
      code: 'ERR_REFUSED',
      reason: 'token-replayed',
    })
    const connectors = await world.registry.list('contoso')
    expect(connectors.map(({ id }) => id)).toEqual([first.identity.connectorId])
    await world.registry.setStanding(first.identity.connectorId, 'revoked', Date.now())
  })
})

test('a registration whose reply was lost succeeds on retry: the same key, one record, one certificate', async () => {
  const before = (await world.registry.list('contoso')).length
  const register = vi.spyOn(world.cloud.registration, 'register')
  const relay = await startRelay(world.connectorUrl, () => register.mock.settledResults.length < 3)
  const delays: unknown[] = []
  try {
    const connector = await start({
      url: relay.url,
      token: () => registrarToken(world.issuer),
      onEvent: (event) => event.type === 'registration-delayed' && delays.push(event.error),
    })
    const replies = await Promise.all(register.mock.results.map(({ value }) => value))
    // Twice the cloud's answer did not arrive; the third did.
    expect(delays).toHaveLength(2)
    expect(replies).toHaveLength(3)
    const certificates = replies.map((reply) => 'certificate' in reply && reply.certificate)
    for (const certificate of certificates) {
      expect(certificate).toEqual(new Uint8Array(connector.identity.certificate))
    }
    const records = (await world.registry.list('contoso')).slice(before)
    expect(records.map(({ id }) => id)).toEqual([connector.identity.connectorId])
    expect(await world.registry.certificates(connector.identity.connectorId)).toHaveLength(1)
    const audited = world.audit.events.filter(
      ({ connectorId }) => connectorId === connector.identity.connectorId,
    )
    expect(audited.map(({ detail }) => detail?.['repeated'])).toEqual([false, true, true])
    await connector.stop()
  } finally {
    await relay.close()
  }
})

test('a connector that was stopped before the reply came registers with the same key after its restart', async () => {
  const register = vi.spyOn(world.cloud.registration, 'register')
  const relay = await startRelay(world.connectorUrl, () => true)
  const token = await registrarToken(world.issuer)
  try {
    const stopped = new AbortController()
    const lost = start({ url: relay.url, token: () => token, signal: stopped.signal })
    await until(() => register.mock.settledResults.length > 0)
    stopped.abort(new Error('stopped'))
    await expect(lost).rejects.toThrow('stopped')
    const connector = await start({ token: () => token })
    const reply = await register.mock.results[0]!.value
    expect(reply).toMatchObject({
      type: 'registered',
      connectorId: connector.identity.connectorId,
      certificate: new Uint8Array(connector.identity.certificate),
    })
    expect(await world.registry.certificates(connector.identity.connectorId)).toHaveLength(1)
    await connector.stop()
  } finally {
    await relay.close()
  }
})

test('a cloud that cannot prove who it is never sees the token', async () => {
  const others = await createServerAuthority({
    crypto,
    clocks: world.cloud.clocks,
    store: memoryAuthorityStore(),
  })
  const { ca } = await others.issue()
  const register = vi.spyOn(world.cloud.registration, 'register')
  const requests = vi.fn()
  world.connectors.server.on('request', requests)
  const stopped = new AbortController()
  const errors: unknown[] = []
  // Whatever the environment says: the cloud is always verified.
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
  try {
    const starting = start({
      ca,
      token: () => registrarToken(world.issuer),
      signal: stopped.signal,
      onEvent: (event) => event.type === 'registration-delayed' && errors.push(event.error),
    })
    const ended = expect(starting).rejects.toThrow('enough')
    await until(() => errors.length >= 3)
    stopped.abort(new Error('enough'))
    await ended
  } finally {
    vi.unstubAllEnvs()
    world.connectors.server.off('request', requests)
  }
  expect(errors[0]).toMatchObject({
    code: expect.stringMatching(/SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/),
  })
  expect(requests).not.toHaveBeenCalled()
  expect(register).not.toHaveBeenCalled()
  // And nothing that could register: a key at most.
  const files = await readdir(directory)
  expect(files.filter((name) => name.includes('certificate'))).toEqual([])
})

interface Relay {
  readonly url: string
  close(): Promise<void>
}

/**
 * Passes TCP through to the cloud; while `cutting`, swallows what the cloud says after its handshake and breaks the
 * connection once the registrar has answered.
 */
async function startRelay(target: string, cutting: () => boolean): Promise<Relay> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  const register = vi.mocked(world.cloud.registration.register)
  const server: Server = createServer((near) => {
    const far = connect(Number(port), hostname)
    const known = register.mock.settledResults.filter(({ type }) => type === 'fulfilled').length
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket
        .on('error', () => undefined)
        .on('close', () => {
          sockets.delete(socket)
          near.destroy()
          far.destroy()
        })
    }
    near.on('data', (chunk) => far.write(chunk))
    far.on('data', (chunk) => {
      const answered = register.mock.settledResults.filter(
        ({ type }) => type === 'fulfilled',
      ).length
      // The first thing the cloud says after it answered is the answer.
      if (answered > known && cutting()) near.destroy()
      else near.write(chunk)
    })
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((closed) => server.close(closed))
    },
  }
}
