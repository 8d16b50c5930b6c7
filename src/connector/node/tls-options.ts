import type { AgentOptions } from 'node:https'
import type { SecureVersion } from 'node:tls'
import { ApiMisuse } from '../../protocol/wire/errors.ts'
import type { ConnectorIdentity } from '../ports.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import { readCertificates, type CertificateInput } from '../../runtime/certificates.ts'
import { toPem } from '../../runtime/node/pem.ts'

/** How the cloud's servers are recognised until a registration pins their authorities. */
export interface CloudTrust {
  /** Certificate authorities, PEM or DER. Default: the runtime's public ones. */
  readonly ca?: CertificateInput | readonly CertificateInput[]
}

/** What both control calls and links pass to `node:tls`. */
export interface ConnectorTlsOptions {
  readonly minVersion: SecureVersion
  readonly rejectUnauthorized: true
  readonly ca?: string[]
  readonly key?: string
  readonly cert?: string
}

/**
 * TLS options of a connector: TLS 1.2 or newer, the cloud always verified (whatever
 * `NODE_TLS_REJECT_UNAUTHORIZED` says), and with an identity its client certificate and the
 * authorities its registration pinned.
 *
 * @throws ApiMisuse if the identity's key is not extractable: Node's TLS needs it as PEM;
 *   ConfigurationInvalid if `ca` is neither PEM nor DER
 */
export async function tlsOptions(
  identity: ConnectorIdentity | undefined,
  trust: CloudTrust = {},
  crypto: CryptoProvider = globalThis.crypto,
): Promise<ConnectorTlsOptions> {
  const pinned = identity?.cloudAuthorities ?? []
  const given = trust.ca === undefined ? [] : readCertificates(trust.ca, 'ca')
  const ca = (pinned.length > 0 ? pinned : given).map((der) => toPem('CERTIFICATE', der))
  return {
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    ...(ca.length > 0 && { ca }),
    ...(identity !== undefined && (await clientCertificate(identity, crypto))),
  }
}

/**
 * Options of an `https.Agent` for one identity. No TLS session is ever resumed: a resumed one would
 * skip the checks of both certificates.
 */
export function agentOptions(tls: ConnectorTlsOptions): AgentOptions {
  return { ...tls, keepAlive: true, maxCachedSessions: 0 }
}

async function clientCertificate(
  { keys, certificate, chain }: ConnectorIdentity,
  crypto: CryptoProvider,
): Promise<{ key: string; cert: string }> {
  if (!keys.privateKey.extractable)
    throw new ApiMisuse('TLS in Node needs an extractable key: use a store that makes them')
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey)
  return {
    key: toPem('PRIVATE KEY', new Uint8Array(pkcs8)),
    cert: [certificate, ...chain].map((der) => toPem('CERTIFICATE', der)).join(''),
  }
}
