/**
 * Connections to the cloud through a proxy that speaks CONNECT (RFC 9110, section 9.3.6). What goes
 * through carries TLS from end to end, so the proxy neither reads nor ends it.
 *
 * @module
 */
import type { IncomingMessage } from 'node:http'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { readCertificates } from '../../runtime/certificates.ts'
import { toPem } from '../../runtime/node/pem.ts'
import { codeOf, UNTRUSTED } from './failure-codes.ts'
import type { Dial, DialTarget } from './own-dial.ts'
import { readProxy, type Proxy, type ProxyOptions } from './proxy-settings.ts'

/** The way through a proxy that did not come about. Says nothing of its user or password. */
export class ProxyFailed extends Error {
  override readonly name = 'ProxyFailed'
  readonly code = 'ERR_PROXY_FAILED'
  /** Host and port of the proxy. */
  readonly proxy: string
  /** Host and port that it was asked for. */
  readonly target: string
  /** What it answered; `undefined`: it was not reached, or did not answer in time. */
  readonly status: number | undefined
  /** Whether it was shown a user and a password. */
  readonly isNamed: boolean

  constructor(
    { url }: Proxy,
    target: string,
    { status, cause }: { readonly status?: number; readonly cause?: unknown },
  ) {
    const what =
      status === undefined ? `cannot be used (${codeOf(cause) || 'no answer'})` : `says ${status}`
    super(`the proxy ${url.host} ${what} for ${target}`, { cause })
    this.proxy = url.host
    this.target = target
    this.status = status
    this.isNamed = url.username !== '' || url.password !== ''
  }

  /** Whether its certificate is the reason. */
  get isUntrusted(): boolean {
    const code = codeOf(this.cause)
    return UNTRUSTED.has(code) || code.startsWith('ERR_TLS_') || code.startsWith('CERT_')
  }
}

/**
 * Dials through a proxy, and past it where the settings say so.
 *
 * @throws ConfigurationInvalid where they mean nothing
 */
export function proxyDial(options: ProxyOptions): Dial {
  const proxy = readProxy(options)
  const authorities =
    options.ca === undefined ? undefined : readCertificates(options.ca, 'proxy.ca')
  const ca = authorities?.map((der) => toPem('CERTIFICATE', der))
  return (target) =>
    proxy.spares(target.host, target.port) ? dialled(target) : through(proxy, ca, target)
}

/** Past the proxy. */
function dialled({ host, port, signal }: DialTarget): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connectTcp({ host, port, signal, noDelay: true })
    const failed = (error: Error) => reject(signal.aborted ? signal.reason : error)
    socket.once('error', failed)
    socket.once('connect', () => {
      socket.off('error', failed)
      resolve(socket)
    })
  })
}

function through(
  proxy: Proxy,
  ca: string[] | undefined,
  { host, port, signal }: DialTarget,
): Promise<Duplex> {
  const target = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`
  const { url } = proxy
  const isSecure = url.protocol === 'https:'
  return new Promise((resolve, reject) => {
    const failed = (cause: unknown) => reject(new ProxyFailed(proxy, target, { cause }))
    const call = (isSecure ? httpsRequest : httpRequest)({
      method: 'CONNECT',
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? (isSecure ? 443 : 80) : url.port,
      path: target,
      headers: { host: target, ...credentials(url) },
      agent: false,
      signal,
      ...(isSecure && { rejectUnauthorized: true, ALPNProtocols: ['http/1.1'], ca }),
    })
    call.on('connect', (response: IncomingMessage, socket: Socket, head: Buffer) => {
      const { statusCode: status = 0 } = response
      if (status < 200 || status > 299) {
        socket.on('error', () => undefined).destroy()
        return reject(new ProxyFailed(proxy, target, { status }))
      }
      socket.setNoDelay(true)
      if (head.length > 0) socket.unshift(head)
      resolve(socket)
    })
    // Of CONNECT every answer is told as one; whatever comes otherwise is no answer to it.
    call.on('response', (response) => {
      response.destroy()
      failed(undefined)
    })
    call.on('error', failed)
    call.end()
  })
}

function credentials({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {}
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` }
}
