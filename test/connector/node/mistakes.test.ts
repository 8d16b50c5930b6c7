import { createServer as createHttp2Server, createSecureServer } from 'node:http2'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { createServerAuthority, defaultCryptoProvider } from '../../../src/cloud/index.ts'
import {
  HttpBackend,
  NodeBackend,
  startConnector,
  UndiciBackend,
  type ConnectorEvent,
  type ConnectorOptions,
} from '../../../src/connector/node/index.ts'
import { applicationMistake } from '../../../src/connector/node/application-mistakes.ts'
import { machineMistake, ToldMistakes } from '../../../src/connector/node/told-mistakes.ts'
import { memoryAuthorityStore } from '../../cloud/trust.ts'
import { until } from '../../integration/tunnel.ts'
import { CloudOverTls } from '../cloud-over-tls.ts'
import { detailsAt, ObservedCall, requestTo } from './observed-call.ts'

const crypto = await defaultCryptoProvider()
const YEAR = 365 * 24 * 60 * 60 * 1000
/** A server certificate whose authority's clock is so many milliseconds ahead. */
const certificateOf = async (ahead = 0, names = {}) => {
  const clocks = { now: () => performance.now(), wallClock: () => Date.now() + ahead }
  const authority = await createServerAuthority({ crypto, clocks, store: memoryAuthorityStore() })
  const { key, certificate, ca } = await authority.issue(names)
  return { key, cert: certificate, ca }
}

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
const listening = async <S extends Server>(server: S): Promise<number> => {
  const sockets = new Set<{ destroy(): unknown }>()
  server.on('connection', (socket: { destroy(): unknown }) => sockets.add(socket))
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}
/** A port that nobody listens at. */
const closedPort = async (): Promise<number> => {
  const server = createTcpServer()
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const { port } = server.address() as AddressInfo
  await new Promise((closed) => server.close(closed))
  return port
}
const directory = async (): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), 'app-proxy-'))
  closing.push(() => rm(path, { recursive: true, force: true }))
  return path
}
const FAST = { backoffMinMs: 5, backoffMaxMs: 10, configurationPullMs: 200 }
type Told = Extract<ConnectorEvent, { type: 'mistake' | 'mended' }>
const isTold = (event: ConnectorEvent): event is Told =>
  event.type === 'mistake' || event.type === 'mended'

/** Starts a connector, lets it try a few times, and gives what it told of mistakes. */
async function tries(
  options: Partial<ConnectorOptions> & { url: string },
  count = 3,
): Promise<Told[]> {
  const events: ConnectorEvent[] = []
  const starting = new AbortController()
  let isOver = false
  const connector = startConnector({
    stateDirectory: await directory(),
    token: () => 'token',
    limits: FAST,
    signal: starting.signal,
    onEvent: (event) => events.push(event),
    ...options,
  })
  connector
    .then((one) => closing.push(() => one.stop()))
    .catch(() => undefined)
    .finally(() => (isOver = true))
  await until(
    () =>
      events.filter(({ type }) => type === 'registration-delayed' || type === 'pull-failed')
        .length >= count || isOver,
  )
  // The clocks are asked beside the tries.
  await until(() => events.some(isTold))
  starting.abort()
  return events.filter(isTold)
}
const words = (told: readonly Told[]): string[] =>
  told.map((one) =>
    one.type === 'mistake' ? `${one.owner} ${one.setting}: ${one.message}` : `mended ${one.kind}`,
  )

describe('a mistake on the way to the cloud is told once, with the setting and who has to act', () => {
  test('the authority', async () => {
    const cloud = await CloudOverTls.start()
    closing.push(() => cloud.close())
    const { port } = new URL(cloud.url)
    expect(words(await tries({ url: cloud.url }))).toEqual([
      `connector ca: The certificate of localhost:${port} is signed by an authority that is not trusted here. Set "ca" to the file that the cloud names as its authority; or the host in "url" is another server.`,
    ])
  })

  test('the host', async () => {
    expect(words(await tries({ url: 'https://no-such-host.invalid:8443' }))).toEqual([
      'connector url: The name no-such-host.invalid in "url" cannot be resolved. Check its spelling, or the name servers of this machine.',
    ])
    const cloud = await CloudOverTls.start({ dnsNames: ['cloud.example'], ipAddresses: [] })
    closing.push(() => cloud.close())
    expect(words(await tries({ url: cloud.url, ca: cloud.ca }))).toEqual([
      `connector url: The certificate of localhost:${cloud.port} is for other names. Check the host in "url"; or the cloud must get a certificate for it.`,
    ])
  })

  test('the port', async () => {
    const port = await closedPort()
    expect(words(await tries({ url: `https://127.0.0.1:${port}` }))).toEqual([
      `connector url: Nothing accepts connections at 127.0.0.1:${port}. Check host and port in "url", and that the cloud runs.`,
    ])
    const plain = await listening(createHttpServer((_, response) => response.end('hello')))
    const banner = await listening(
      createTcpServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')),
    )
    for (const other of [plain, banner])
      expect(words(await tries({ url: `https://127.0.0.1:${other}` }))).toEqual([
        `connector url: 127.0.0.1:${other} speaks no TLS. Check the port in "url": it must be that of the cloud’s listener for connectors.`,
      ])
  })

  test('the path, or another server', async () => {
    const { key, cert, ca } = await certificateOf()
    for (const [status, says] of [
      [404, 'answers 404'],
      [200, 'answers as no cloud does'],
      [302, 'answers 302'],
    ] as const) {
      const port = await listening(
        createHttpsServer({ key, cert }, (_, response) => response.writeHead(status).end('hello')),
      )
      const url = `https://127.0.0.1:${port}/wrong`
      expect(words(await tries({ url, ca }))).toEqual([
        `connector url: ${url} ${says}. Check host, port and path in "url": it must be the base URL of the cloud’s listener for connectors.`,
      ])
      if (status === 200)
        await expect(
          startConnector({ url, ca, stateDirectory: await directory(), token: () => 'token' }),
        ).rejects.toMatchObject({
          code: 'ERR_PEER_VIOLATION',
          message: expect.stringMatching(`^MALFORMED_MESSAGE: ${url} ${says}\\. Check host, port`),
        })
    }
  })

  test('a path below the cloud’s own', async () => {
    const cloud = await CloudOverTls.start()
    closing.push(() => cloud.close())
    const options = { url: `${cloud.url}/connect`, ca: cloud.ca, stateDirectory: await directory() }
    const says = `${options.url} takes no registrations. Check host, port and path in "url": it must be the base URL of the cloud’s listener for connectors.`
    expect(words(await tries(options))).toEqual([`connector url: ${says}`])
    // Whoever logs no events reads it in the error.
    await expect(startConnector({ ...options, token: () => 'token' })).rejects.toMatchObject({
      reason: 'certificate-missing',
      message: `certificate-missing: ${says}`,
      cause: { reason: 'certificate-missing' },
    })
  })

  test('the clock, and the cloud’s own certificate', async () => {
    for (const [certificateAhead, cloudAhead] of [
      [YEAR, YEAR],
      [-10 * YEAR, -10 * YEAR],
      [YEAR, 0],
    ] as const) {
      const { key, cert, ca } = await certificateOf(certificateAhead)
      const port = await listening(
        createHttpsServer({ key, cert }, (_, response) => {
          response.setHeader('Date', new Date(Date.now() + cloudAhead).toUTCString())
          response.end()
        }),
      )
      const [told, ...more] = words(await tries({ url: `https://127.0.0.1:${port}`, ca }))
      expect(more).toEqual([])
      if (cloudAhead === 0)
        expect(told).toMatch(
          new RegExp(
            `^cloud certificate: The certificate of 127\\.0\\.0\\.1:${port} is valid from \\S+ to \\S+, by the clocks of this machine and of the cloud not now\\. The cloud must get a new certificate\\.$`,
          ),
        )
      else
        expect(told).toMatch(
          new RegExp(
            `^connector clock: The clock of this machine is wrong: it says \\S+Z, the server at 127\\.0\\.0\\.1:${port} says \\S+Z, and its certificate is valid by that\\. Set the clock\\.$`,
          ),
        )
    }
  })

  test('a cloud that was made anew, or that revoked the connector: register again', async () => {
    const cloud = await CloudOverTls.start()
    closing.push(() => cloud.close())
    const stateDirectory = await directory()
    const events: ConnectorEvent[] = []
    const connector = await startConnector({
      url: cloud.url,
      ca: cloud.ca,
      stateDirectory,
      token: () => cloud.cloud.token(),
      limits: FAST,
      onEvent: (event) => events.push(event),
    })
    closing.push(() => connector.stop())
    const refusals = ['certificate-untrusted', 'certificate-revoked'] as const
    for (const code of refusals) {
      let asked = 0
      cloud.intercept = (_, response) => {
        asked += 1
        response.writeHead(401, { 'content-type': 'application/problem+json' })
        response.end(JSON.stringify({ type: 'about:blank', status: 401, code }))
        return true
      }
      connector.refresh()
      await until(() => asked >= 3)
    }
    cloud.intercept = () => false
    await until(() => events.some(({ type }) => type === 'mended'))
    const again =
      'If so, register it again: stop it, empty its state directory, and start it with a new registrar’s token or enrolment ticket.'
    expect(words(events.filter(isTold).filter(({ to }) => to === 'cloud'))).toEqual([
      `connector stateDirectory: The cloud does not know the authority of this connector’s certificate: its authority was rolled while the connector was away, its state was made anew, or this is another cloud. ${again}`,
      `connector stateDirectory: The cloud does not know this connector any more, or it was revoked there. ${again}`,
      'mended enrol-again',
    ])
    await connector.stop()
    const other = await CloudOverTls.start()
    closing.push(() => other.close())
    const told = await tries({ url: other.url, stateDirectory })
    expect(words(told.filter(({ to }) => to === 'cloud'))).toEqual([
      `connector stateDirectory: The certificate of localhost:${other.port} is signed by another authority than the cloud’s that this connector registered with: the address in "url" leads to another server, or the cloud’s state was made anew. ${again}`,
    ])
  })

  test('the token', async () => {
    const cloud = await CloudOverTls.start()
    closing.push(() => cloud.close())
    cloud.intercept = (_, response) => {
      response.writeHead(403, { 'content-type': 'application/problem+json' })
      response.end(JSON.stringify({ type: 'about:blank', status: 403, code: 'token-replayed' }))
      return true
    }
    expect(words(await tries({ url: cloud.url, ca: cloud.ca }))).toEqual([
      'connector token: The registrar’s token was used already. Get a new one and start the connector with it.',
    ])
  })
})

const KINDS = [
  ['undici', UndiciBackend],
  ['node:http', HttpBackend],
] as const
describe.each(KINDS)('a mistake on the way to an application, over %s', (_, Kind) => {
  const told = async (scheme: 'http' | 'https', port: number, host = '127.0.0.1', code = '') => {
    const backend = new Kind()
    closing.push(() => backend.close())
    const details = detailsAt(port, { internalUrl: `${scheme}://${host}:${port}/` })
    const one = await new ObservedCall(backend, requestTo(details)).settled()
    expect(one.outcome).toBe(code)
    const { owner, setting, message } = applicationMistake(one.cause, details)!
    return `${owner} ${setting}: ${message}`
  }

  test('its name, its port', async () => {
    expect(await told('http', 80, 'no-such-host.invalid', 'not sent: UNREACHABLE')).toBe(
      'application internalUrl: The name no-such-host.invalid of application "wiki" cannot be resolved on this connector’s machine. Check "internalUrl" in the cloud’s configuration, or the name servers of this machine.',
    )
    const port = await closedPort()
    expect(await told('http', port, '127.0.0.1', 'not sent: UNREACHABLE')).toBe(
      `application internalUrl: Nothing accepts connections at 127.0.0.1:${port} of application "wiki". Start the application, or mend "internalUrl" in the cloud’s configuration.`,
    )
  })

  test('its certificate', async () => {
    for (const [names, ahead, why] of [
      [
        {},
        0,
        'its authority is not trusted by this connector \\((SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\\w+)\\)',
      ],
    ] as const) {
      const { key, cert } = await certificateOf(ahead, names)
      const port = await listening(
        createHttpsServer({ key, cert }, (_q, response) => response.end()),
      )
      expect(await told('https', port, '127.0.0.1', 'not sent: APPLICATION_CERTIFICATE')).toMatch(
        new RegExp(
          `^application verifyCertificate: The certificate of application "wiki" at 127\\.0\\.0\\.1:${port} is refused: ${why}\\. Give the application a certificate that holds, or name its authority to the connector \\("ca" of its backend\\), or set "verifyCertificate" to false\\.$`,
        ),
      )
    }
  })

  test('its protocol', async () => {
    const plain = await listening(createHttpServer((_q, response) => response.end()))
    expect(await told('https', plain, '127.0.0.1', 'not sent: UNREACHABLE')).toBe(
      `application internalUrl: 127.0.0.1:${plain} of application "wiki" speaks no TLS. "internalUrl" in the cloud’s configuration must begin with http:, or name another port.`,
    )
    const http2 = await listening(createHttp2Server() as unknown as Server)
    expect(await told('http', http2, '127.0.0.1', 'APPLICATION_MALFORMED')).toBe(
      `cloud backendProtocol: 127.0.0.1:${http2} of application "wiki" speaks HTTP/2 only, as servers of gRPC do. Set "backendProtocol" to "h2c" in the cloud’s configuration.`,
    )
    const alert = Buffer.from('15030100020246', 'hex')
    const tls = await listening(
      createTcpServer((socket) => socket.on('data', () => socket.end(alert))),
    )
    expect(await told('http', tls, '127.0.0.1', 'APPLICATION_MALFORMED')).toBe(
      `application internalUrl: 127.0.0.1:${tls} of application "wiki" speaks TLS. "internalUrl" in the cloud’s configuration must begin with https:.`,
    )
    const { key, cert } = await certificateOf()
    const silent = await listening(createSecureServer({ key, cert }) as unknown as Server)
    const closes = await listening(
      createTcpServer((socket) => socket.on('data', () => socket.end())),
    )
    for (const port of [silent, closes])
      expect(await told('http', port, '127.0.0.1', 'APPLICATION_ABORTED')).toBe(
        `application internalUrl: Application "wiki" at 127.0.0.1:${port} closes the connection without an answer. It may speak HTTP/2 only ("backendProtocol" says which is spoken to it), or TLS where "internalUrl" says http:; or it fails.`,
      )
  })
})

test('the protocol of an application that is configured for HTTP/2', async () => {
  const plain = await listening(createHttpServer((_q, response) => response.end()))
  const { key, cert } = await certificateOf()
  const secure = await listening(createHttpsServer({ key, cert }, (_q, response) => response.end()))
  const told = async (port: number, backendProtocol: 'h2' | 'h2c') => {
    const backend = new NodeBackend()
    closing.push(() => backend.close())
    const internalUrl = `${backendProtocol === 'h2' ? 'https' : 'http'}://127.0.0.1:${port}/`
    const details = detailsAt(port, { internalUrl, backendProtocol, verifyCertificate: false })
    const one = await new ObservedCall(backend, requestTo(details)).settled()
    expect(one.outcome).toBe('not sent: UNREACHABLE')
    const { owner, setting, kind, message } = applicationMistake(one.cause, details)!
    expect([owner, setting, kind]).toEqual(['cloud', 'backendProtocol', 'application-not-http2'])
    return message
  }
  expect(await told(plain, 'h2c')).toBe(
    `127.0.0.1:${plain} of application "wiki" does not speak HTTP/2 in the clear, and "backendProtocol" in the cloud’s configuration says so. Set it to "http1", or let the application speak it.`,
  )
  expect(await told(secure, 'h2')).toBe(
    `127.0.0.1:${secure} of application "wiki" does not speak HTTP/2 by TLS, and "backendProtocol" in the cloud’s configuration says so. Set it to "auto", or let the application speak it.`,
  )
})

test('no file descriptors left: the machine of the connector, and its limit', () => {
  const error = Object.assign(new Error('connect EMFILE'), { code: 'EMFILE' })
  const { owner, setting, message } = applicationMistake(error, detailsAt(80))!
  expect([owner, setting]).toEqual(['connector', 'LimitNOFILE'])
  expect(message).toMatch(
    /^The machine of this connector has no file descriptors or ports left \(EMFILE; the limit of open files is \d+\)\. Raise the limit: "ulimit -n", or LimitNOFILE= of its service\.$/,
  )
})

test('what was told is told again only when it changed, or after it was mended', () => {
  const told: string[] = []
  const mistakes = new ToldMistakes((event) => told.push(`${event.type} ${event.kind}`))
  const [one, other] = [machineMistake('EMFILE')!, machineMistake('ENFILE')!]
  const place = { to: 'application', applicationId: 'wiki' } as const
  for (const mistake of [one, one, other, other, one]) mistakes.met(place, mistake)
  // The same elsewhere says nothing new.
  mistakes.met({ to: 'cloud' }, one)
  mistakes.mended({ to: 'instance', instance: 'cloud-1' })
  mistakes.mended(place)
  mistakes.mended(place)
  mistakes.met(place, other)
  expect(told).toEqual([
    'mistake descriptors',
    'mistake descriptors',
    'mistake descriptors',
    'mended descriptors',
    'mistake descriptors',
  ])
})
