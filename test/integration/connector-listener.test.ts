import { randomUUID } from 'node:crypto'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { identityUri } from '../../src/cloud/authority/leaf-profile.ts'
import {
  decodeMessage,
  encodeMessage,
  MAX_MESSAGE_BYTES,
  PROTOCOL_VERSION,
} from '../../src/protocol/internal.ts'
import * as x509 from '../../src/runtime/x509.ts'
import { newKeys, requestFor } from '../cloud/trust.ts'
import { frames, socketOf, type Answer, type Credentials } from './raw-connector.ts'
import { startRawWorld, type RawWorld } from './raw-world.ts'
import { registrarToken } from './tunnel.ts'

const DAY = 24 * 60 * 60 * 1000
const ID = '0'.repeat(32)
const OFFERS =
  '/links/l-0/offers?versions=1&run=i&index=0&epoch=1&offers=1&granted=1&max-data=16384&features=plain'

/** Every call there is, and two that there are not. */
const ENDPOINTS: readonly (readonly [string, string])[] = [
  ['POST', '/configuration'],
  ['POST', '/application'],
  ['GET', OFFERS],
  ['POST', '/links/l-0/credit'],
  ['POST', '/links/l-0/goodbye?epoch=1'],
  ['POST', `/exchanges/${ID}/body?attempt=1`],
  ['POST', `/exchanges/${ID}/response`],
  ['POST', `/exchanges/${ID}/decline`],
  ['GET', '/registration'],
  ['GET', '/nothing/here'],
  ['POST', '//'],
  ['OPTIONS', '*'],
]

let world: RawWorld
beforeAll(async () => {
  world = await startRawWorld()
})
afterAll(() => world.close())
afterEach(() => {
  world.ahead = 0
  vi.restoreAllMocks()
})

const { clientAuth, serverAuth } = x509.ExtendedKeyUsage
const uri = identityUri({ tenantId: 'contoso', connectorId: 'forged' })
const san = (...names: x509.JsonGeneralNames) => ({
  extensions: [new x509.SubjectAlternativeNameExtension(names)],
})
const eku = (...usages: string[]) => ({
  extensions: [new x509.ExtendedKeyUsageExtension(usages)],
})

/** Who must not get in: how it comes by its certificate, and what it is told. */
const INTRUDERS: readonly (readonly [
  string,
  number,
  string,
  () => Promise<Credentials | undefined>,
])[] = [
  ['without a certificate', 401, 'certificate-missing', async () => undefined],
  [
    'with a certificate that has ended',
    401,
    'certificate-expired',
    () => world.enrol({ now: Date.now() - DAY, validityMs: DAY / 2 }),
  ],
  [
    'with a certificate that is not valid yet',
    401,
    'certificate-expired',
    () => world.enrol({ now: Date.now() + DAY }),
  ],
  [
    'of a revoked connector',
    403,
    'certificate-revoked',
    async () => {
      const enrolled = await world.enrol()
      await world.registry.setStanding(enrolled.connectorId, 'revoked', Date.now())
      return enrolled
    },
  ],
  [
    'with a certificate that was superseded a day ago',
    403,
    'certificate-revoked',
    async () => {
      const old = await world.enrol()
      const next = await world.enrol()
      const serial = `4${'1'.repeat(31)}`
      await world.registry.renew({
        serial: old.serial,
        keyId: randomUUID(),
        now: Date.now(),
        make: async () => ({
          ...(await world.registry.certificate(next.serial))!,
          serial,
          connectorId: old.connectorId,
        }),
      })
      await world.registry.used(serial, Date.now())
      world.ahead = DAY + 60_000
      return old
    },
  ],
  [
    'with a leaf of another authority of the same name',
    401,
    'certificate-untrusted',
    async () => {
      const { privateKey } = await newKeys()
      return world.forge({ signingKey: privateKey })
    },
  ],
  ['with a perfect leaf that nobody registered', 403, 'certificate-revoked', () => world.forge()],
  [
    'with CA:true',
    403,
    'certificate-profile',
    () => world.forge({ extensions: [new x509.BasicConstraintsExtension(true, undefined, true)] }),
  ],
  ['without a name', 403, 'certificate-profile', () => world.forge({ drop: '2.5.29.17' })],
  ['with serverAuth', 403, 'certificate-profile', () => world.forge(eku(serverAuth))],
  [
    'with serverAuth beside clientAuth',
    403,
    'certificate-profile',
    () => world.forge(eku(clientAuth, serverAuth)),
  ],
  [
    'with a second name',
    403,
    'certificate-profile',
    () => world.forge(san({ type: 'url', value: uri }, { type: 'dns', value: 'evil.example' })),
  ],
  [
    'with an RSA key',
    403,
    'certificate-profile',
    async () => {
      const keys = await crypto.subtle.generateKey(
        {
          name: 'RSASSA-PKCS1-v1_5',
          modulusLength: 2048,
          publicExponent: new Uint8Array([1, 0, 1]),
          hash: 'SHA-256',
        },
        true,
        ['sign', 'verify'],
      )
      const { cert } = await world.forge({ publicKey: keys.publicKey })
      const key = await crypto.subtle.exportKey('pkcs8', keys.privateKey)
      return { cert, key: x509.PemConverter.encode(key, 'PRIVATE KEY') }
    },
  ],
]

describe.each(INTRUDERS)('a caller %s', (_, status, code, make) => {
  test.each(ENDPOINTS)(`is refused: %s %s`, async (method, path) => {
    const { origin, configuration } = world.cloud
    const touched = [
      ...(['claim', 'declined', 'isReplayable'] as const).map((name) => vi.spyOn(origin, name)),
      ...(['configuration', 'application'] as const).map((name) => vi.spyOn(configuration, name)),
      ...(['attach', 'granted'] as const).map((name) => vi.spyOn(origin, name)),
    ]
    const caller = world.connect(await make())
    const request = caller.open(method, path)
    const socket = socketOf(request)
    const closed = socket.then((it) => new Promise((done) => it.once('close', done)))
    const outcome = new Promise<Answer>((resolve, reject) => {
      request.on('error', reject)
      request.on('response', async (response) => {
        const chunks: Buffer[] = []
        for await (const chunk of response) chunks.push(chunk as Buffer)
        const body = Buffer.concat(chunks)
        const problem = JSON.parse(body.toString()) as { code: string }
        expect(response.headers['content-type']).toBe('application/problem+json')
        const { connection } = response.headers
        resolve({
          status: response.statusCode!,
          code: problem.code,
          connection,
          retryAfter: undefined,
          body,
        })
      })
    })
    request.end(method === 'POST' ? frames.claim({ id: ID, attempt: 1 }) : undefined)
    expect(await outcome).toMatchObject({ status, code, connection: 'close' })
    await closed
    for (const spy of touched) expect(spy).not.toHaveBeenCalled()
    expect(world.offers).toEqual([])
  })
})

describe('who calls', () => {
  test('is told by the certificate alone: no header makes a connector', async () => {
    const { cert } = await world.enrol()
    const der = cert.replaceAll(/-----[A-Z ]+-----|\n/g, '')
    const headers = {
      'client-cert': `:${der}:`,
      'x-client-cert': encodeURIComponent(cert),
      'x-ssl-client-verify': 'SUCCESS',
      'x-ssl-client-cert': encodeURIComponent(cert),
      'x-forwarded-client-cert': `Cert="${encodeURIComponent(cert)}"`,
      'x-arr-clientcert': der,
      authorization: 'Bearer x',
    }
    const caller = world.connect()
    for (const [method, path] of ENDPOINTS) {
      expect(await caller.call(method, path, { headers })).toMatchObject({
        status: 401,
        code: 'certificate-missing',
      })
    }
  })

  test('does not matter to a registration, which shows a token instead', async () => {
    const message = encodeMessage({
      v: PROTOCOL_VERSION,
      type: 'registration',
      token: await registrarToken(world.issuer),
      request: await requestFor(await newKeys()),
      instance: { name: 'raw', version: '1.0.0' },
      features: [],
    })
    const outcome = await world.connect().call('POST', '/registration', { body: message })
    expect(outcome).toMatchObject({ status: 200 })
    expect(decodeMessage('RegistrationReply', (outcome as Answer).body)).toMatchObject({
      type: 'registered',
      tenantId: 'contoso',
    })
  })

  test('an anonymous message that is too large or no message is refused in words', async () => {
    const caller = world.connect()
    const large = new Uint8Array(MAX_MESSAGE_BYTES + 1)
    expect(await caller.call('POST', '/registration', { body: large })).toMatchObject({
      status: 413,
      code: 'too-large',
      connection: 'close',
    })
    for (const body of [new Uint8Array(0), new Uint8Array([0xc1]), Buffer.from('{}')]) {
      expect(await caller.call('POST', '/registration', { body })).toMatchObject({
        status: 400,
        code: 'request-malformed',
      })
    }
  })

  test('a connector that is disabled may ask for its configuration, and claim nothing', async () => {
    const enrolled = await world.enrol()
    await world.registry.setStanding(enrolled.connectorId, 'disabled', Date.now())
    const caller = world.connect(enrolled)
    const body = encodeMessage({ v: PROTOCOL_VERSION, type: 'configuration' })
    expect(await caller.call('POST', '/configuration', { body })).toMatchObject({ status: 200 })
    const claim = vi.spyOn(world.cloud.origin, 'claim')
    const looked = vi.spyOn(world.cloud.origin, 'isReplayable')
    const calls: [string, string, Uint8Array?][] = [
      ['GET', OFFERS],
      ['POST', `/exchanges/${ID}/body?attempt=1`],
      ['POST', `/exchanges/${ID}/response`, frames.claim({ id: ID, attempt: 1 })],
    ]
    for (const [method, path, payload] of calls) {
      const options = payload === undefined ? {} : { body: payload }
      expect(await caller.call(method, path, options)).toMatchObject({
        status: 503,
        code: 'unavailable',
        retryAfter: '10',
      })
    }
    expect(claim).not.toHaveBeenCalled()
    expect(looked).not.toHaveBeenCalled()
  })
})

describe('TLS', () => {
  const open = (options: ConnectionOptions = {}) => {
    const { hostname: host, port } = new URL(world.connectorUrl)
    return connectTls({
      host,
      port: Number(port),
      ca: world.ca,
      ALPNProtocols: ['http/1.1'],
      ...options,
    })
  }
  const secure = (socket: TLSSocket) =>
    new Promise<TLSSocket>((resolve, reject) => {
      socket.once('secureConnect', () => resolve(socket))
      socket.once('error', reject)
    })
  /** One call; what came back, and every session the server gave. */
  const exchangeOn = async (socket: TLSSocket) => {
    const sessions: NonSharedBuffer[] = []
    let text = ''
    socket.on('session', (session: NonSharedBuffer) => sessions.push(session))
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    socket.on('error', () => undefined)
    socket.write('POST /configuration HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n')
    await new Promise((closed) => socket.once('close', closed))
    return { sessions, text }
  }
  const versions = ['TLSv1.2', 'TLSv1.3'] as const
  const callers = [
    ['without certificate', async () => ({}), 'certificate-missing'],
    ['with a certificate', () => world.forge(), 'certificate-revoked'],
  ] as const

  test.each(versions.flatMap((version) => callers.map((caller) => [version, ...caller] as const)))(
    'a session of %s %s is never resumed',
    async (version, _, make, code) => {
      const credentials = await make()
      const pinned = { minVersion: version, maxVersion: version, ...credentials }
      const first = await secure(open(pinned))
      const given = first.getSession()
      const { sessions, text } = await exchangeOn(first)
      expect(text).toContain(code)
      for (const session of [given, ...sessions]) {
        if (session === undefined) continue
        const again = await secure(open({ ...pinned, session }))
        expect(again.isSessionReused()).toBe(false)
        expect((await exchangeOn(again)).text).toContain(code)
      }
    },
  )

  test('a session begun with a good certificate is of no use without it', async () => {
    const enrolled = await world.enrol()
    for (const version of versions) {
      const pinned = { minVersion: version, maxVersion: version }
      const first = await secure(open({ ...pinned, key: enrolled.key, cert: enrolled.cert }))
      const sessions = [first.getSession()!]
      first.on('session', (session: NonSharedBuffer) => sessions.push(session))
      const body = encodeMessage({ v: PROTOCOL_VERSION, type: 'configuration' })
      const answered = new Promise((resolve) => first.once('data', resolve))
      first.write(
        `POST /configuration HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n`,
      )
      first.write(body)
      expect(String(await answered)).toContain('200 OK')
      first.destroy()
      for (const session of sessions) {
        const stolen = await secure(open({ ...pinned, session }))
        expect(stolen.isSessionReused()).toBe(false)
        expect((await exchangeOn(stolen)).text).toContain('certificate-missing')
      }
    }
  })

  test('no ticket is sent over TLS 1.2', async () => {
    const socket = await secure(open({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }))
    expect(socket.getTLSTicket() ?? undefined).toBeUndefined()
    await exchangeOn(socket)
    expect(socket.getTLSTicket() ?? undefined).toBeUndefined()
  })

  test.each(['TLSv1', 'TLSv1.1'] as const)('%s is refused', async (version) => {
    // Security level 0, or OpenSSL would not even offer it.
    const options = { minVersion: version, maxVersion: version, ciphers: 'ALL:@SECLEVEL=0' }
    await expect(secure(open(options))).rejects.toMatchObject({
      code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
    })
  })

  test('renegotiation is refused', async () => {
    const socket = await secure(open({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }))
    socket.on('error', () => undefined)
    const error = await new Promise<Error | null>((resolve) => {
      socket.once('error', resolve)
      socket.renegotiate({ rejectUnauthorized: true }, resolve)
    })
    expect(error).toMatchObject({ code: 'ERR_SSL_NO_RENEGOTIATION' })
    socket.destroy()
  })
})
