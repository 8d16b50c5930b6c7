import { constants } from 'node:crypto'
import { createServer, type Server } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import {
  createServerAuthority,
  type ServerCertificateOptions,
  type StoredAuthority,
} from '../../src/cloud/index.ts'
import { systemEnvironment } from '../../src/connector/environment.ts'
import type { ConnectorIdentity } from '../../src/connector/ports.ts'
import { Refused } from '../../src/protocol/wire/errors.ts'
import {
  decodeMessage,
  encodeMessage,
  MESSAGE_MEDIA_TYPE,
  type ControlMessage,
} from '../../src/protocol/wire/messages.ts'
import { CloudInMemory, type TestTime } from './cloud-in-memory.ts'

const environment = systemEnvironment()

export const realTime: TestTime = {
  environment,
  get now() {
    return environment.clocks.now()
  },
  get wallClock() {
    return environment.clocks.wallClock()
  },
  track: (work) => work,
}

/** One call as it arrived. */
export interface Arrived {
  readonly path: string
  /** The client certificate's serial number, lower case; undefined without one. */
  readonly serial: string | undefined
  readonly resumed: boolean
}

/** The control calls of {@link CloudInMemory} on a real TLS listener on 127.0.0.1. */
export class CloudOverTls {
  readonly cloud: CloudInMemory
  /** The authority of its server certificate, PEM. */
  readonly ca: string
  readonly arrived: Arrived[] = []
  /** Answers instead of the cloud, as long as it returns true. */
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean = () => false
  readonly #server: Server

  static async start(names?: ServerCertificateOptions): Promise<CloudOverTls> {
    const cloud = await CloudInMemory.create(realTime)
    let stored: StoredAuthority | undefined
    const authority = await createServerAuthority({
      crypto: environment.crypto,
      clocks: environment.clocks,
      store: { load: async () => stored, save: async (root) => void (stored ??= root) },
    })
    const { key, certificate, ca } = await authority.issue(names)
    const server = createServer({
      key,
      cert: certificate,
      requestCert: true,
      rejectUnauthorized: false,
      secureOptions: constants.SSL_OP_NO_TICKET,
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new CloudOverTls(cloud, ca, server)
  }

  private constructor(cloud: CloudInMemory, ca: string, server: Server) {
    this.cloud = cloud
    this.ca = ca
    this.#server = server
    server.on('request', (request, response) => void this.#answer(request, response))
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `https://localhost:${this.port}`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
    await this.cloud.close()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const socket = request.socket as TLSSocket
    const certificate = socket.getPeerCertificate()
    const der = certificate.raw as Buffer | undefined
    const path = request.url!
    const serial = certificate.serialNumber?.toLowerCase()
    this.arrived.push({ path, serial, resumed: socket.isSessionReused() })
    if (this.intercept(request, response)) return
    try {
      const body = await bodyOf(request)
      const reply = encodeMessage(await this.#reply(path, body, der))
      response.writeHead(200, { 'content-type': MESSAGE_MEDIA_TYPE }).end(reply)
    } catch (error) {
      const known = error instanceof Refused
      const code = known ? error.reason : 'unavailable'
      const status = known && code.startsWith('certificate-') ? 401 : known ? 403 : 500
      const problem = { type: 'about:blank', title: code, status, code }
      response
        .writeHead(status, { 'content-type': 'application/problem+json', connection: 'close' })
        .end(JSON.stringify(problem))
    }
  }

  #reply(
    path: string,
    body: Uint8Array,
    certificate: Uint8Array | undefined,
  ): Promise<ControlMessage> {
    const { signal } = new AbortController()
    if (path === '/registration')
      return this.cloud.register(decodeMessage('RegistrationRequest', body), { signal })
    if (certificate === undefined) throw new Refused('certificate-missing')
    const identity = { certificate: new Uint8Array(certificate) } as unknown as ConnectorIdentity
    return path === '/configuration'
      ? this.cloud.configuration(decodeMessage('ConfigurationRequest', body), { signal, identity })
      : this.cloud.application(decodeMessage('ApplicationRequest', body), { signal, identity })
  }
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}
