/**
 * Connections to applications that have TLS settings of their own: a pool for each internal origin,
 * made under one set of settings, and replaced as a whole when those are others.
 *
 * @module
 */
import { createSecureContext, type SecureContext } from 'node:tls'
import { ConfigurationInvalid } from '../../protocol/wire/errors.ts'
import { readCertificates } from '../../runtime/certificates.ts'
import { toPem } from '../../runtime/node/pem.ts'
import { tlsCredentials } from '../../runtime/node/server-credentials.ts'
import type { ApplicationTls } from '../application-tls.ts'

/** Some connections. */
export interface Pool {
  /** Whether it has none. */
  readonly isIdle: boolean
  /** Takes no more requests: what is under way ends, and then its connection. */
  retire(): void
  /** Cuts all. */
  destroy(): void | Promise<void>
}

/** The pools of a backend. */
export class OwnPools<P extends Pool> {
  readonly #make: (tls: ApplicationTls) => P
  readonly #pools = new Map<string, { readonly tls: ApplicationTls; readonly pool: P }>()
  readonly #retired = new Set<P>()

  constructor(make: (tls: ApplicationTls) => P) {
    this.#make = make
  }

  /**
   * The pool for a request to an origin; `undefined`: it goes by those that all share.
   *
   * @throws ConfigurationInvalid when the settings are not what they must be
   */
  of(origin: string, tls: ApplicationTls | undefined): P | undefined {
    if (tls === undefined && this.#pools.size === 0) return undefined
    const known = this.#pools.get(origin)
    if (known?.tls === tls) return known?.pool
    const pool = tls && this.#make(tls)
    if (known !== undefined) this.#retire(origin, known.pool)
    if (tls === undefined || pool === undefined) return undefined
    this.#pools.set(origin, { tls, pool })
    return pool
  }

  async destroy(): Promise<void> {
    const all = [...[...this.#pools.values()].map(({ pool }) => pool), ...this.#retired]
    this.#pools.clear()
    await Promise.all(all.map((pool) => pool.destroy()))
  }

  #retire(origin: string, pool: P): void {
    this.#pools.delete(origin)
    for (const one of this.#retired) if (one.isIdle) this.#retired.delete(one)
    pool.retire()
    if (!pool.isIdle) this.#retired.add(pool)
  }
}

/**
 * What `node:tls` is given for it. `usual`: the authorities where it names none.
 *
 * @throws ConfigurationInvalid when a certificate or the key is neither PEM nor DER, one of the two
 *   is missing, they do not fit, or the server's name is none
 */
export function ownContext(tls: ApplicationTls, usual: readonly string[] | undefined): OwnContext {
  const { ca, clientCertificate, clientKey, serverName } = tls
  const authorities =
    ca === undefined ? usual : readCertificates(ca, 'ca').map((der) => toPem('CERTIFICATE', der))
  const credentials = clientCredentials(clientCertificate, clientKey)
  if (serverName !== undefined && !isServerName(serverName))
    throw new ConfigurationInvalid('serverName', 'is no name of a server')
  const secureContext = createSecureContext({
    minVersion: 'TLSv1.2',
    ...(authorities && { ca: [...authorities] }),
    ...credentials,
  })
  return { secureContext, ...(serverName !== undefined && { servername: serverName }) }
}

/** Options of a TLS connection. */
export interface OwnContext {
  readonly secureContext: SecureContext
  readonly servername?: string
}

function clientCredentials(
  cert: ApplicationTls['clientCertificate'],
  key: ApplicationTls['clientKey'],
): { key?: string; cert?: string } {
  if (cert === undefined && key === undefined) return {}
  if (cert === undefined)
    throw new ConfigurationInvalid('clientCertificate', 'is missing: there is a clientKey')
  if (key === undefined)
    throw new ConfigurationInvalid('clientKey', 'is missing: there is a clientCertificate')
  const paths = { key: 'clientKey', cert: 'clientCertificate' }
  const { expiresAt: _, ...credentials } = tlsCredentials({ key, cert }, paths)
  return credentials
}

const LABEL = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?'
const SERVER_NAME = new RegExp(`^(?=.{1,253}$)(?=.*[a-z])${LABEL}(?:\\.${LABEL})*$`, 'i')

/** A name that can be asked for in a TLS handshake: no address (RFC 6066 §3). */
export function isServerName(text: string): boolean {
  return SERVER_NAME.test(text)
}
