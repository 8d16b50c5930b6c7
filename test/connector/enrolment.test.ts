import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { register, type RegisterOptions } from '../../src/connector/enrolment.ts'
import { MemoryIdentityStore } from '../../src/connector/memory-identity-store.ts'
import type { ConnectorIdentity } from '../../src/connector/ports.ts'
import { Refused } from '../../src/protocol/wire/errors.ts'
import { Pkcs10CertificateRequest } from '../../src/runtime/x509.ts'
import { CloudInMemory, DAY_MS } from './cloud-in-memory.ts'
import { VirtualTime } from './virtual-time.ts'

let time: VirtualTime
let cloud: CloudInMemory
let store: MemoryIdentityStore
let token: string
let tokensAsked: number

beforeEach(async () => {
  time = new VirtualTime()
  cloud = await CloudInMemory.create(time)
  store = new MemoryIdentityStore()
  tokensAsked = 0
  token = await cloud.token()
})
afterEach(() => cloud.close())

const options = (more: Partial<RegisterOptions> = {}): RegisterOptions => ({
  channel: cloud,
  store,
  environment: time.environment,
  token: () => {
    tokensAsked++
    return token
  },
  instance: { name: 'host-1', version: '0.1.0' },
  ...more,
})

/** Lets time pass until `work` is done. */
async function done<T>(work: Promise<T>): Promise<T> {
  let over = false
  const end = work.finally(() => (over = true))
  end.catch(() => undefined)
  await time.pass(DAY_MS, () => over)
  return end
}

const keyIn = (request: Uint8Array) =>
  Buffer.from(new Pkcs10CertificateRequest(new Uint8Array(request)).publicKey.rawData).toString(
    'hex',
  )

test('registers with a key made here, and remembers who it is', async () => {
  const identity = await done(register(options()))
  expect(identity).toMatchObject({ tenantId: 'contoso' })
  expect(identity.issuedAt).toBe(cloud.serverTime)
  expect(identity.expiresAt).toBe(Math.floor((cloud.serverTime + 60 * DAY_MS) / 1000) * 1000)
  expect(identity.keys.privateKey.extractable).toBe(false)
  expect(await store.load()).toEqual({ current: identity })
  expect(time.timers).toBe(0)
})

test('does not register twice, nor ask for a token it does not need', async () => {
  const first = await done(register(options()))
  expect(await done(register(options()))).toBe(first)
  expect(cloud.registrations).toHaveLength(1)
  expect(tokensAsked).toBe(1)
})

test('asks again with the same key when the reply was lost, and gets the same certificate', async () => {
  cloud.faults.push('reply-lost', 'lost', 'silent')
  const errors: unknown[] = []
  const identity = await done(register(options({ onRetry: (error) => errors.push(error) })))
  expect(errors.map((error) => (error as Error).message)).toEqual([
    'ECONNRESET',
    'ECONNREFUSED',
    'unavailable: no answer in time',
  ])
  expect(new Set(cloud.registrations.map(({ request }) => keyIn(request))).size).toBe(1)
  expect(await cloud.registry.certificates(identity.connectorId)).toHaveLength(1)
  expect(await cloud.registry.list('contoso')).toHaveLength(1)
})

test('a process that dies after sending comes back with the same key', async () => {
  cloud.faults.push('reply-lost')
  const dying = new AbortController()
  const first = register(options({ signal: dying.signal, onRetry: () => dying.abort() }))
  await expect(done(first)).rejects.toThrow('aborted')
  const { connectorId } = await done(register(options()))
  expect(new Set(cloud.registrations.map(({ request }) => keyIn(request))).size).toBe(1)
  expect(cloud.registrations).toHaveLength(2)
  expect(await cloud.registry.certificates(connectorId)).toHaveLength(1)
})

test('sends nothing before the key is durable', async () => {
  store.save = async () => {
    throw new Error('disk full')
  }
  await expect(done(register(options()))).rejects.toThrow('disk full')
  expect(cloud.registrations).toHaveLength(0)
})

test('what has not the form of a token or a ticket is not sent', async () => {
  const ticketOf = (ticket: string) => options({ token: undefined, ticket: () => ticket })
  for (const [order, message] of [
    [ticketOf('abc'), 'ticket: is no ticket: one is 43 characters of base64url'],
    [ticketOf('='.repeat(43)), 'ticket: is no ticket: one is 43 characters of base64url'],
    [
      options({ instance: { name: 'a'.repeat(1025), version: '1' } }),
      'name: must have 1 to 1024 characters',
    ],
    [options({ token: () => ' \n' }), 'token: is empty'],
    [options({ token: () => 'a'.repeat(16_385) }), 'token: is longer than 16384 characters'],
  ] as const)
    await expect(register(order)).rejects.toMatchObject({
      code: 'ERR_CONFIGURATION_INVALID',
      message,
    })
  expect(cloud.registrations).toEqual([])
  await done(register(options({ token: () => `${token}\n` })))
})

test('a certificate that could not be stored is asked for again', async () => {
  const save = store.save.bind(store)
  let saves = 0
  store.save = async (identities) => {
    if (++saves === 2) throw new Error('disk full')
    await save(identities)
  }
  const identity = await done(register(options()))
  expect(cloud.registrations).toHaveLength(2)
  expect(await store.load()).toEqual({ current: identity })
})

describe('a refusal', () => {
  test('without a time to come back is final', async () => {
    cloud.refuse = () => new Refused('token-role')
    await expect(done(register(options()))).rejects.toMatchObject({
      code: 'ERR_REFUSED',
      reason: 'token-role',
    })
    expect(await store.load()).toMatchObject({ pendingKey: { privateKey: expect.anything() } })
  })

  test('in the reply is thrown with its reason', async () => {
    await done(register(options()))
    store = new MemoryIdentityStore()
    await expect(done(register(options()))).rejects.toMatchObject({ reason: 'token-replayed' })
  })

  test('with a time to come back is waited out', async () => {
    const start = time.now
    cloud.refuse = () =>
      time.now < start + 90_000
        ? new Refused('unavailable', '', { retryAfterMs: 60_000 })
        : undefined
    await done(register(options()))
    expect(time.now).toBeGreaterThanOrEqual(start + 120_000)
  })
})

test('a certificate for another key is not taken', async () => {
  const answer = cloud.register.bind(cloud)
  const other = await done(register(options({ store: new MemoryIdentityStore() })))
  token = await cloud.token()
  cloud.register = async (request, call) => {
    const reply = await answer(request, call)
    return { ...reply, certificate: other.certificate } as typeof reply
  }
  await expect(done(register(options()))).rejects.toMatchObject({ code: 'ERR_PEER_VIOLATION' })
  expect((await store.load()).current).toBeUndefined()
})

test('gives up when told to', async () => {
  const signal = AbortSignal.abort(new Error('stopped'))
  await expect(done(register(options({ signal })))).rejects.toThrow('stopped')
  cloud.faults.push('silent')
  const stop = new AbortController()
  const registration: Promise<ConnectorIdentity> = register(options({ signal: stop.signal }))
  await time.settled()
  stop.abort(new Error('stopped'))
  await expect(registration).rejects.toThrow('stopped')
  expect(time.timers).toBe(0)
})
