/**
 * Certificates for the cloud's own listeners, from an authority of their own: what certifies
 * connectors never certifies servers. For trying things out and for private networks; a public
 * service has certificates of a public authority.
 *
 * @module
 */
import { systemClocks } from '../../runtime/clocks.ts'
import * as x509 from '../../runtime/x509.ts'
import { AuthorityRoots, type AuthorityRoll } from './authority-roll.ts'
import { randomSerial, wholeSeconds, type AuthorityOptions } from './authority-root.ts'
import { ECDSA_P256 } from './connector-key.ts'

/** Options of {@link ServerAuthority.issue}. */
export interface ServerCertificateOptions {
  /** DNS names, `*.` allowed at the front. Default `localhost`, `*.localhost`. */
  readonly dnsNames?: readonly string[]
  /** IP addresses. Default `127.0.0.1`, `::1`. */
  readonly ipAddresses?: readonly string[]
  /** Milliseconds; default 90 days. */
  readonly validityMs?: number
}

/** What a TLS listener is made with. All PEM. */
export interface ServerCertificate {
  readonly key: string
  readonly certificate: string
  /** The root that clients must trust; while it is rolled, both. */
  readonly ca: string
}

/** The authority of our own servers. */
export interface ServerAuthority {
  /** Its root, DER: the one that signs now. Connectors pin those that `roll` says are trusted. */
  readonly certificate: Uint8Array
  /**
   * Another root in its place. Connectors are told of both, and the one before signs, until it is
   * finished.
   */
  readonly roll: AuthorityRoll
  issue(options?: ServerCertificateOptions): Promise<ServerCertificate>
}

const NINETY_DAYS_MS = 90 * 24 * 60 * 60 * 1000
const BACKDATE_MS = 60 * 60 * 1000

/** Opens the authority; its root is made on first start. Each certificate has a new key. */
export async function createServerAuthority(options: AuthorityOptions): Promise<ServerAuthority> {
  const crypto = (options.crypto ?? globalThis.crypto) as Crypto
  const roots = await AuthorityRoots.open('servers', options, 'leaving')
  const { clocks = systemClocks } = options

  return {
    get certificate() {
      return roots.signing(clocks.wallClock()).der
    },
    roll: roots,
    async issue({
      dnsNames = ['localhost', '*.localhost'],
      ipAddresses = ['127.0.0.1', '::1'],
      validityMs = NINETY_DAYS_MS,
    } = {}) {
      const now = clocks.wallClock()
      const root = roots.signing(now)
      const keys = await crypto.subtle.generateKey(ECDSA_P256, true, ['sign', 'verify'])
      const certificate = await x509.X509CertificateGenerator.create(
        {
          serialNumber: randomSerial(crypto),
          subject: 'O=app-proxy, CN=server',
          issuer: root.certificate.subjectName,
          notBefore: wholeSeconds(now - BACKDATE_MS),
          notAfter: wholeSeconds(Math.min(now + validityMs, root.certificate.notAfter.getTime())),
          publicKey: keys.publicKey,
          signingKey: root.key,
          signingAlgorithm: ECDSA_P256,
          extensions: [
            new x509.BasicConstraintsExtension(false, undefined, true),
            new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
            new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
            new x509.SubjectAlternativeNameExtension([
              ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
              ...ipAddresses.map((value) => ({ type: 'ip' as const, value })),
            ]),
            await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, crypto),
            await x509.AuthorityKeyIdentifierExtension.create(
              root.certificate.publicKey,
              false,
              crypto,
            ),
          ],
        },
        crypto,
      )
      const key = await crypto.subtle.exportKey('pkcs8', keys.privateKey)
      return {
        key: x509.PemConverter.encode(key, 'PRIVATE KEY'),
        certificate: certificate.toString('pem'),
        ca: roots.trusted
          .map((der) => `${new x509.X509Certificate(der as BufferSource)}`)
          .join('\n'),
      }
    },
  }
}
