/**
 * A private https application that asks whoever connects for a certificate, and tells whom it saw; and the authorities of both sides, made at run time.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { createServerAuthority, defaultCryptoProvider } from '../../../src/cloud/index.ts'
import * as x509 from '../../../src/runtime/x509.ts'
import { memoryAuthorityStore } from '../../cloud/authority/memory-authority-store.ts'

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const DAY_MS = 24 * 60 * 60 * 1000

/** An end of TLS, all PEM. */
export interface Credentials {
  readonly key: string
  readonly certificate: string
}

/** Certifies clients. */
export interface ClientAuthority {
  /** Its root, PEM. */
  readonly ca: string
  issue(name: string, validForMs?: number): Promise<Credentials>
}

export async function clientAuthority(): Promise<ClientAuthority> {
  const crypto = (await defaultCryptoProvider()) as Crypto
  const pem = (der: ArrayBuffer, label: string) => x509.PemConverter.encode(der, label)
  const keys = await crypto.subtle.generateKey(ECDSA, true, ['sign', 'verify'])
  const validity = (ms: number) => ({
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + ms),
  })
  const root = await x509.X509CertificateGenerator.createSelfSigned(
    {
      ...{ serialNumber: '01', name: 'CN=clients', keys, signingAlgorithm: ECDSA },
      ...validity(DAY_MS),
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      ],
    },
    crypto,
  )
  let serial = 1
  return {
    ca: root.toString('pem'),
    async issue(name, validForMs = DAY_MS) {
      const own = await crypto.subtle.generateKey(ECDSA, true, ['sign', 'verify'])
      const certificate = await x509.X509CertificateGenerator.create(
        {
          serialNumber: (++serial).toString(16).padStart(2, '0'),
          ...{ subject: `CN=${name}`, issuer: root.subject },
          ...{ publicKey: own.publicKey, signingKey: keys.privateKey, signingAlgorithm: ECDSA },
          ...validity(validForMs),
          extensions: [
            new x509.BasicConstraintsExtension(false, undefined, true),
            new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
          ],
        },
        crypto,
      )
      const key = pem(await crypto.subtle.exportKey('pkcs8', own.privateKey), 'PRIVATE KEY')
      return { key, certificate: certificate.toString('pem') }
    },
  }
}

/** A server's certificate by an authority of its own. */
export async function serverCertificate(dnsNames?: readonly string[]) {
  const crypto = await defaultCryptoProvider()
  const servers = await createServerAuthority({ crypto, store: memoryAuthorityStore() })
  return servers.issue(dnsNames && { dnsNames, ipAddresses: [] })
}

/** Whom the application saw on one request. */
export interface Seen {
  /** The name in the client's certificate. */
  readonly client: string | undefined
  /** The name that was asked for in the handshake. */
  readonly serverName: string | undefined
  /** The connection's number, from 0. */
  readonly connection: number
  readonly request: string
  readonly headers: readonly string[]
}

export interface MutualApplicationOptions {
  readonly server: { readonly key: string; readonly certificate: string }
  /** The root of the clients that it takes; absent: it takes any certificate, and none. */
  readonly clients?: string | undefined
  /** What it answers, beside 200 and what it saw. */
  readonly answer?: (request: IncomingMessage, response: ServerResponse) => void
  readonly maxVersion?: 'TLSv1.2'
}

/** Takes requests and WebSocket handshakes. */
export class MutualApplication {
  readonly seen: Seen[] = []
  /** Connections whose TLS handshake succeeded at its end. */
  connections = 0
  readonly #server: Server
  readonly #numbers = new WeakMap<object, number>()

  static async listen(options: MutualApplicationOptions): Promise<MutualApplication> {
    const application = new MutualApplication(options)
    await new Promise<void>((ready) => application.#server.listen(0, '127.0.0.1', ready))
    return application
  }

  private constructor({ server, clients, answer, maxVersion }: MutualApplicationOptions) {
    this.#server = createServer(
      {
        ...{ key: server.key, cert: server.certificate, requestCert: true },
        rejectUnauthorized: clients !== undefined,
        ...(clients !== undefined && { ca: clients }),
        ...(maxVersion !== undefined && { maxVersion }),
      },
      (request, response) => {
        const seen = this.#see(request)
        request.resume()
        if (answer !== undefined) return answer(request, response)
        response.setHeader('X-Client', seen.client ?? 'nobody').end('ok')
      },
    )
    this.#server.on('secureConnection', (socket: TLSSocket) => {
      this.#numbers.set(socket, this.connections++)
    })
    this.#server.on('upgrade', (request, socket) => {
      const { client } = this.#see(request)
      socket.on('error', () => undefined)
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Client: ${client ?? 'nobody'}\r\n\r\n`,
      )
      socket.on('data', (bytes) => socket.write(bytes)).on('end', () => socket.end())
    })
    this.#server.on('tlsClientError', () => undefined)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** With the name `127.0.0.1`, as its certificate has it. */
  get origin(): string {
    return `https://127.0.0.1:${this.port}`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((closed) => this.#server.close(closed))
  }

  #see({ socket, method, url, rawHeaders }: IncomingMessage): Seen {
    const tls = socket as TLSSocket & { servername?: string | false }
    const subject = tls.getPeerCertificate().subject as { CN?: string } | undefined
    const seen = {
      client: subject?.CN,
      serverName: tls.servername === false ? undefined : tls.servername,
      connection: this.#numbers.get(socket)!,
      request: `${method} ${url}`,
      headers: rawHeaders,
    }
    this.seen.push(seen)
    return seen
  }
}
