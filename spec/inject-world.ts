/**
 * A private https application that wants a secret or a certificate, a canary at another place that must never get either, and the whole way from users to both.
 */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readDirectory } from '../src/cloud/index.ts'
import { injectSignOn, type PortFailure } from '../src/connector/index.ts'
import {
  SignOnFile,
  type ConnectorOptions,
  type SignOnFileEvent,
} from '../src/connector/node/index.ts'
import {
  clientAuthority,
  MutualApplication,
  serverCertificate,
} from '../test/connector/node/mutual-application.ts'
import { startTunnel, until, type Transport, type Tunnel } from '../test/integration/tunnel.ts'

/** What a user asks. */
export interface Asked {
  /** Default `open`: nobody signs in there. */
  readonly application?: string
  readonly method?: string
  readonly path?: string
  /** Names and values, as they are. */
  readonly headers?: readonly string[]
  readonly body?: string
  readonly trailers?: readonly [string, string][]
  readonly isUpgrade?: boolean
  /** The cookie of a signed-in user. */
  readonly cookie?: string
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** What an application looks for, and what it found in each request. */
export interface Told {
  readonly request: string
  /** Names in small letters, with all their values. */
  readonly fields: readonly (readonly [string, string])[]
  readonly trailers: readonly string[]
}

export type InjectWorld = Awaited<ReturnType<typeof startInjectWorld>>

export async function startInjectWorld(
  transport: Transport,
  options: Partial<ConnectorOptions> = {},
) {
  const clients = await clientAuthority()
  const server = await serverCertificate()
  const connector = await clients.issue('the connector')
  const directory = await mkdtemp(join(tmpdir(), 'app-proxy-'))
  const path = join(directory, 'sign-on.json')
  const put = (name: string, text: string) =>
    writeFile(join(directory, name), text, { mode: 0o600 })
  await put('ca.pem', server.ca)
  await put('connector.pem', connector.certificate)
  await put('connector.key', connector.key)
  const told: Told[] = []
  const answering = {
    answer: (_: IncomingMessage, response: ServerResponse): void => void response.end('ok'),
  }
  const wiki = await MutualApplication.listen({
    server,
    answer(request, response) {
      request.on('end', () => {
        const { method, url, rawHeaders, rawTrailers } = request
        told.push({ request: `${method} ${url}`, fields: pairs(rawHeaders), trailers: rawTrailers })
        answering.answer(request, response)
      })
    },
  })
  const canary = await MutualApplication.listen({ server })
  /** The same in the clear: all octets that ever came. */
  let clear = ''
  const clearServer = createTcpServer((socket) => {
    socket
      .on('error', () => undefined)
      .on('data', (bytes) => {
        clear += bytes.toString('latin1')
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok')
      })
  })
  await new Promise<void>((ready) => clearServer.listen(0, '127.0.0.1', ready))
  const clearOrigin = `http://127.0.0.1:${(clearServer.address() as AddressInfo).port}`

  const fileEvents: SignOnFileEvent[] = []
  let drafts = 0
  const failures: PortFailure[] = []
  const trusted = [wiki, canary].map(({ origin }) => ({ origin, ca: 'ca.pem' }))
  await put('sign-on.json', JSON.stringify({ applications: trusted }))
  const file = await SignOnFile.open(path, {
    watchMs: 10,
    onEvent: (event) => fileEvents.push(event),
  })
  const onError = (failure: PortFailure) => failures.push(failure)
  const tunnel = await startTunnel({
    transport,
    backend: (_, response) => response.end(),
    connector: {
      signOn: [injectSignOn({ secrets: file, onError })],
      applicationTls: file.applicationTls,
      onError,
      ...options,
    },
  })

  return {
    tunnel,
    wiki,
    canary,
    clearOrigin,
    fileEvents,
    failures,
    told,
    answering,
    clear: () => clear,
    /** Secrets, and what is said of applications beside their authority. */
    async allow(secrets: readonly object[], applications: readonly object[] = trusted) {
      const before = fileEvents.length
      // No two are the same, so that each is told of.
      await put('draft', JSON.stringify({ secrets, applications }) + ' '.repeat(++drafts))
      await rename(join(directory, 'draft'), path)
      await until(() => fileEvents.length > before)
    },
    put,
    /** Publishes applications, `id: what is particular`. */
    publish(applications: Readonly<Record<string, object>>) {
      const configuration = tunnel.configuration as { applications: { id: string }[] }
      const base = (id: string) =>
        configuration.applications.find((one) => one.id === id) ?? configuration.applications[0]!
      const published = Object.entries(applications).map(([id, parts]) => ({
        ...base(id),
        ...{ id, externalUrl: `http://${id}.localhost/`, internalUrl: `${wiki.origin}/` },
        ...parts,
      }))
      tunnel.directory.replace(readDirectory({ ...configuration, applications: published }))
    },
    async signIn(subject: string, more: object = {}): Promise<string> {
      const application = tunnel.directory.application('secure')!
      const { setCookie } = await tunnel.sessions.start(application, 'secure.localhost', {
        ...{ subject, issuer: tunnel.issuer.url, groups: [], authenticatedAt: Date.now() },
        ...{ expiresAt: Date.now() + 600_000, ...more },
      } as never)
      return setCookie.split(';')[0]!
    },
    ask: (asked: Asked = {}) => ask(tunnel, asked),
    async close() {
      file.close()
      await tunnel.close()
      await Promise.all([wiki.close(), canary.close()])
      await new Promise((closed) => clearServer.close(closed))
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function ask(tunnel: Tunnel, asked: Asked): Promise<Answer> {
  const { application = 'open', method = 'GET', path = '/', body, trailers, cookie } = asked
  const host = `${application}.localhost`
  return new Promise((resolve, reject) => {
    const headers = ['Host', host, ...(asked.headers ?? [])]
    if (cookie !== undefined) headers.push('Cookie', cookie)
    if (asked.isUpgrade === true)
      headers.push(
        ...['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Origin', `http://${host}`],
        ...['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version', '13'],
      )
    if (trailers !== undefined) headers.push('Transfer-Encoding', 'chunked')
    else if (body !== undefined) headers.push('Content-Length', String(body.length))
    const request = httpRequest({
      ...{ port: tunnel.port, host: '127.0.0.1', method, path, agent: false },
      headers: headers as never,
    })
    request.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (piece) => (text += piece))
      response.on('end', () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: text }),
      )
    })
    request.on('upgrade', (response, socket) => {
      socket.destroy()
      resolve({ status: 101, headers: response.headers, body: '' })
    })
    request.on('error', reject)
    if (trailers !== undefined) request.addTrailers(trailers as [string, string][])
    request.end(body)
  })
}

const pairs = (raw: readonly string[]): (readonly [string, string])[] =>
  Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i]!.toLowerCase(), raw[2 * i + 1]!])
