import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ApplicationCache } from '../../../src/connector/application-cache.ts'
import {
  ConfigurationKeeper,
  type KeeperEvent,
} from '../../../src/connector/configuration-keeper.ts'
import { register } from '../../../src/connector/enrolment.ts'
import { MemoryIdentityStore } from '../../../src/connector/memory-identity-store.ts'
import { HttpsControlChannel } from '../../../src/connector/node/control-channel.ts'
import { tlsOptions } from '../../../src/connector/node/tls-options.ts'
import { MAX_MESSAGE_BYTES } from '../../../src/protocol/wire/limits.ts'
import { MESSAGE_MEDIA_TYPE } from '../../../src/protocol/wire/messages.ts'
import { CloudOverTls, realTime } from '../cloud-over-tls.ts'

const { environment } = realTime

let cloud: CloudOverTls
let channel: HttpsControlChannel
let store: MemoryIdentityStore
beforeEach(async () => {
  cloud = await CloudOverTls.start()
  channel = new HttpsControlChannel({ url: cloud.url, ca: cloud.ca })
  store = new MemoryIdentityStore({ extractable: true })
})
afterEach(async () => {
  await channel.close()
  await cloud.close()
})

const enrol = (through = channel) =>
  register({
    channel: through,
    store,
    environment,
    token: () => cloud.cloud.token(),
    instance: { name: 'host-1', version: '0.1.0' },
    signal: AbortSignal.timeout(20_000),
  })

const pull = async () =>
  channel.configuration(
    { v: 1, type: 'configuration' },
    { signal: AbortSignal.timeout(20_000), identity: (await store.load()).current! },
  )

const answerOnce = (answer: (response: ServerResponse) => void) => {
  let armed = true
  cloud.intercept = (_, response) => {
    if (!armed) return false
    armed = false
    answer(response)
    return true
  }
}

test('registers without a client certificate and pulls with it', async () => {
  const identity = await enrol()
  const reply = await pull()
  expect(reply.configuration).toMatchObject({ groupId: 'head-office' })
  expect(cloud.arrived).toMatchObject([
    { path: '/registration', serial: undefined },
    { path: '/configuration', serial: expect.stringMatching(/^[0-9a-f]{32}$/) },
  ])
  expect(identity.connectorId).toMatch(/^[0-9a-f]{32}$/)
})

test('connections are kept, sessions are never resumed', async () => {
  await enrol()
  await pull()
  await pull()
  await channel.close()
  await pull()
  expect(cloud.arrived.map(({ resumed }) => resumed)).toEqual([false, false, false, false])
})

test('a cloud that cannot be verified never sees the token', async () => {
  const stranger = new HttpsControlChannel({ url: cloud.url })
  const request = {
    v: 1,
    type: 'registration',
    token: 'secret',
    request: new Uint8Array(1),
  } as const
  const call = stranger.register(
    { ...request, instance: { name: 'a', version: '1' }, features: [] },
    { signal: AbortSignal.timeout(20_000) },
  )
  await expect(call).rejects.toMatchObject({ code: expect.stringMatching(/CERT|ISSUER|SIGNATURE/) })
  expect(cloud.arrived).toEqual([])
  await stranger.close()
})

test('nor does one under another name', async () => {
  const other = await CloudOverTls.start({ dnsNames: ['cloud.example'], ipAddresses: [] })
  const elsewhere = new HttpsControlChannel({ url: other.url, ca: other.ca })
  const call = elsewhere.application(
    { v: 1, type: 'application', applicationId: 'a' },
    { signal: AbortSignal.timeout(20_000), identity: await enrol() },
  )
  await expect(call).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  expect(other.arrived).toEqual([])
  await elsewhere.close()
  await other.close()
})

const HTTPS = 'must be an https URL, such as https://cloud.example:8443'
test('only https will do', () => {
  for (const [url, says] of [
    ['http://localhost', `${HTTPS} (is "http://localhost")`],
    ['localhost', `${HTTPS} (is "localhost")`],
    ['localhost:3443', `${HTTPS} (is "localhost:3443")`],
    ['http://me:secret@localhost', HTTPS],
    ['https://me:secret@localhost', 'must not hold credentials'],
    ['https://c.example/?a', 'must not have a query or a fragment (is "https://c.example/?a")'],
  ] as const)
    expect(() => new HttpsControlChannel({ url })).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIGURATION_INVALID', message: `url: ${says}` }),
    )
})

test('pinned authorities replace the given ones', async () => {
  const identity = await enrol()
  const { ca } = await tlsOptions(identity, { ca: cloud.ca })
  expect(ca?.map((pem) => pem.trim())).toEqual([cloud.ca.trim()])
  const pinned = await tlsOptions(
    { ...identity, cloudAuthorities: identity.chain },
    { ca: cloud.ca },
  )
  expect(pinned.ca).toHaveLength(1)
  expect(pinned.ca).not.toEqual([cloud.ca])
  expect(pinned).toMatchObject({ minVersion: 'TLSv1.2', rejectUnauthorized: true })
})

test('a key that cannot be exported cannot be used for TLS', async () => {
  store = new MemoryIdentityStore()
  const identity = await enrol()
  await expect(tlsOptions(identity)).rejects.toMatchObject({ code: 'ERR_API_MISUSE' })
})

describe('an answer that is not a message', () => {
  beforeEach(async () => void (await enrol()))
  const problem = (response: ServerResponse, status: number, body: unknown, more = {}) =>
    response
      .writeHead(status, { 'content-type': 'application/problem+json', ...more })
      .end(JSON.stringify(body))

  test('a known problem is a refusal', async () => {
    answerOnce((response) => problem(response, 403, { code: 'certificate-revoked' }))
    await expect(pull()).rejects.toMatchObject({
      reason: 'certificate-revoked',
      retryAfterMs: undefined,
    })
  })

  test.each([
    [403, { code: 'something-new' }],
    [403, null],
    [500, { code: 'certificate-revoked' }],
    [302, {}],
  ])('%i %j may pass', async (status, body) => {
    answerOnce((response) => problem(response, status, body))
    await expect(pull()).rejects.toMatchObject({ reason: 'unavailable', retryAfterMs: 500 })
  })

  test('Retry-After is heard', async () => {
    answerOnce((response) => problem(response, 503, {}, { 'retry-after': '7' }))
    await expect(pull()).rejects.toMatchObject({ retryAfterMs: 7000 })
  })

  test('another media type breaks the protocol', async () => {
    answerOnce((response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'))
    await expect(pull()).rejects.toMatchObject({ code: 'ERR_PEER_VIOLATION' })
  })

  test('so does one that is too large', async () => {
    answerOnce((response) =>
      response
        .writeHead(200, { 'content-type': MESSAGE_MEDIA_TYPE })
        .end(Buffer.alloc(MAX_MESSAGE_BYTES + 1)),
    )
    await expect(pull()).rejects.toMatchObject({ code: 'ERR_PEER_VIOLATION' })
  })

  test('a connection that breaks is neither', async () => {
    answerOnce((response) => response.socket!.destroy())
    await expect(pull()).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(await pull()).toMatchObject({ type: 'configuration' })
  })
})

test('a kept connection that the cloud closed meanwhile costs nothing', async () => {
  await enrol()
  await pull()
  answerOnce((response) => response.socket!.destroy())
  expect(await pull()).toMatchObject({ type: 'configuration' })
  expect(cloud.arrived).toHaveLength(4)
})

test('a call is given up when it is aborted', async () => {
  await enrol()
  const identity = (await store.load()).current!
  const stop = new AbortController()
  cloud.intercept = () => {
    stop.abort()
    return true
  }
  const call = channel.configuration(
    { v: 1, type: 'configuration' },
    { signal: stop.signal, identity },
  )
  await expect(call).rejects.toMatchObject({ name: 'AbortError' })
})

test('application details come over the same channel', async () => {
  const identity = await enrol()
  const cache = new ApplicationCache({ channel, environment, identity: () => identity })
  expect(await cache.details('nobody-knows', 'v1')).toBeUndefined()
  expect(cloud.arrived.at(-1)).toMatchObject({ path: '/application' })
  cache.close()
})

test('a certificate rolls over real TLS, again and again, without a failed pull', async () => {
  cloud.cloud.configure({ renewAfterMs: 1000, pullEveryMs: 150 })
  await enrol()
  const events: KeeperEvent[] = []
  const keeper = await ConfigurationKeeper.open({ channel, store, environment })
  const rolled = new Promise<void>((resolve) => {
    keeper.subscribe((event) => {
      events.push(event)
      if (events.filter(({ type }) => type === 'renewed').length === 3) resolve()
    })
  })
  await keeper.start()
  await rolled
  keeper.close()
  const types = new Set(events.map(({ type }) => type))
  expect([...types].sort()).toEqual(['configured', 'renewed'])
  const serials = new Set(cloud.arrived.slice(1).map(({ serial }) => serial))
  expect(serials.size).toBe(4)
  expect(await store.load()).toEqual({ current: keeper.identity })
})
