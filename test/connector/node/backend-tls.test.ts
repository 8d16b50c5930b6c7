import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createServerAuthority, defaultCryptoProvider } from '../../../src/cloud/index.ts'
import type { Backend } from '../../../src/connector/index.ts'
import { HttpBackend, UndiciBackend } from '../../../src/connector/node/index.ts'
import type { ApplicationDetails } from '../../../src/protocol/index.ts'
import { memoryAuthorityStore } from '../../cloud/trust.ts'
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
  ['undici', (trusted?: string) => new UndiciBackend(trusted === undefined ? {} : { ca: trusted })],
  [
    'node:http',
    (trusted?: string) => new HttpBackend(trusted === undefined ? {} : { ca: trusted }),
  ],
] as const

describe.each(KINDS)('an https application over %s', (_, create) => {
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

  test('is unreachable if nobody vouches for it', async () => {
    expect(await outcome(create())).toBe('UNREACHABLE')
  })

  test('is taken as it is if its details say so', async () => {
    expect(await outcome(create(), { verifyCertificate: false })).toBe('done')
  })
})
