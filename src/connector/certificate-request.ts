/**
 * The connector's key, its certificate request, and what it checks of the certificate it gets.
 *
 * @module
 */
import { PeerViolation } from '../protocol/wire/errors.ts'
import {
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  X509Certificate,
} from '../runtime/x509.ts'
import type { ConnectorIdentity } from './ports.ts'
import type { CryptoProvider } from '../runtime/crypto-provider.ts'

const KEY = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SIGNATURE = { name: 'ECDSA', hash: 'SHA-256' } as const

/**
 * A new ECDSA P-256 key. Its private half never leaves the connector; not even the process, unless
 * the store must write it to a file.
 */
export async function generateConnectorKey(
  crypto: CryptoProvider,
  extractable: boolean,
): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(KEY, extractable, ['sign', 'verify'])
}

/**
 * A PKCS#10 request, DER, signed by the key: it proves possession and asks for nothing. Who the
 * connector is, the cloud decides.
 */
export async function createCertificateRequest(
  keys: CryptoKeyPair,
  crypto: CryptoProvider,
): Promise<Uint8Array<ArrayBuffer>> {
  const request = await Pkcs10CertificateRequestGenerator.create(
    { name: 'CN=app-proxy connector', keys, signingAlgorithm: SIGNATURE },
    crypto as Crypto,
  )
  return new Uint8Array(request.rawData)
}

/** What a certificate must match to become an identity. */
export interface ExpectedIdentity extends Omit<ConnectorIdentity, 'issuedAt' | 'expiresAt'> {
  /** The cloud's clock when it sent the certificate, milliseconds since 1970. */
  readonly serverTime: number
}

/**
 * A certificate dated back by more than this was not made for the call that brought it, but for an
 * earlier one whose reply was lost.
 */
const MAX_BACKDATE_MS = 5 * 60 * 1000

/**
 * The identity made of a key and the certificate issued for it. A certificate that could not be
 * used is refused here, before it replaces one that can.
 *
 * @throws PeerViolation `MALFORMED_MESSAGE` if it does not parse, is for another key or connector,
 *   or has ended
 */
export async function identityOf(
  { serverTime, ...expected }: ExpectedIdentity,
  crypto: CryptoProvider,
): Promise<ConnectorIdentity> {
  const certificate = parse(expected.certificate)
  expected.chain.forEach(parse)
  expected.cloudAuthorities.forEach(parse)
  const ours = await crypto.subtle.exportKey('spki', expected.keys.publicKey)
  if (!equal(new Uint8Array(ours), new Uint8Array(certificate.publicKey.rawData)))
    throw malformed('the certificate is for another key')
  const uri = connectorUri(expected.tenantId, expected.connectorId)
  const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names.items ?? []
  if (!names.some(({ type, value }) => type === 'url' && value === uri))
    throw malformed('the certificate is for another connector')
  const expiresAt = certificate.notAfter.getTime()
  if (expiresAt <= serverTime) throw malformed('the certificate has ended')
  const issuedAt = Math.min(serverTime, certificate.notBefore.getTime() + MAX_BACKDATE_MS)
  return { ...expected, issuedAt, expiresAt }
}

/** The name that is a connector's identity in its certificate. */
function connectorUri(tenantId: string, connectorId: string): string {
  return `urn:app-proxy:tenant:${encodeURIComponent(tenantId)}:connector:${encodeURIComponent(connectorId)}`
}

function parse(der: Uint8Array): X509Certificate {
  try {
    // A copy: the library takes a whole ArrayBuffer, and a message's bytes are a view into one.
    return new X509Certificate(new Uint8Array(der))
  } catch (cause) {
    throw malformed('the certificate does not parse', { cause })
  }
}

const malformed = (detail: string, options?: ErrorOptions) =>
  new PeerViolation('MALFORMED_MESSAGE', detail, options)

const equal = (a: Uint8Array, b: Uint8Array) =>
  a.length === b.length && a.every((octet, index) => octet === b[index])
