import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createServerAuthority, defaultCryptoProvider } from '../../../src/cloud/index.ts'
import type { Backend } from '../../../src/connector/index.ts'
import {
  HttpBackend,
  UndiciBackend,
  type ApplicationConnectionOptions,
} from '../../../src/connector/node/index.ts'
import type { ApplicationDetails } from '../../../src/protocol/internal.ts'
import { memoryAuthorityStore } from '../../cloud/trust.ts'
import { until } from '../../integration/tunnel.ts'
import { detailsAt, ObservedCall, requestTo } from './observed-call.ts'
import { RawApplication } from './raw-application.ts'

let ca: string
let application: RawApplication
beforeAll(async () => {
  const crypto = await defaultCryptoProvider()
  const clocks = { now: () => performance.now(), wallClock: () => Date.now() }
  const servers = await createServerAuthority({ crypto, clocks, store: memoryAuthorityStore() })
  const certificate = await servers.issue()
  ca = certificate.ca
  const tls = { key: certificate.key, cert: certificate.certificate }
  application = await RawApplication.listen(({ socket, received }) => {
    if (received.endsWith('\r\n\r\n'))
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  }, tls)
})
afterAll(() => application.close())

const KINDS = [
  ['undici', UndiciBackend],
  ['node:http', HttpBackend],
] as const

describe.each(KINDS)('an https application over %s', (_, Kind) => {
  const create = (trusted?: string, options: ApplicationConnectionOptions = {}): Backend =>
    new Kind({ ...options, ...(trusted !== undefined && { ca: trusted }) })
  const outcome = async (backend: Backend, parts: Partial<ApplicationDetails> = {}) => {
    const internalUrl = `https://127.0.0.1:${application.port}/`
    const details = detailsAt(application.port, { internalUrl, ...parts })
    const headers = ['Host', 'wiki.example']
    const one = await new ObservedCall(backend, requestTo(details, { headers })).settled()
    await backend.close()
    return one.outcome
  }

  test('is verified by the name of its internal URL, whatever Host it is sent', async () => {
    expect(await outcome(create(ca))).toBe('done')
  })

  test('is refused for its certificate if nobody vouches for it', async () => {
    expect(await outcome(create())).toBe('not sent: APPLICATION_CERTIFICATE')
  })

  test('is taken as it is if its details say so', async () => {
    expect(await outcome(create(), { verifyCertificate: false })).toBe('done')
  })

  test('that accepts a connection and says nothing has run out of time after connectMs', async () => {
    const silent = await RawApplication.listen()
    const internalUrl = `https://127.0.0.1:${silent.port}/`
    const backend = create(ca, { connectMs: 200 })
    const request = requestTo(detailsAt(silent.port, { internalUrl }))
    expect((await new ObservedCall(backend, request).settled()).outcome).toBe('not sent: TIMEOUT')
    await backend.close()
    await silent.close()
  })

  test('is let go of after keepAliveMs without a request', async () => {
    const backend = create(ca, { keepAliveMs: 200 })
    const internalUrl = `https://127.0.0.1:${application.port}/`
    const request = requestTo(detailsAt(application.port, { internalUrl }))
    const before = application.connections.length
    expect((await new ObservedCall(backend, request).settled()).outcome).toBe('done')
    const connection = await application.connection(before)
    await until(() => connection.ended || connection.closed)
    await backend.close()
  })
})
