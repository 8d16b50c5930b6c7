/**
 * Issues the connectors' client certificates. What a certificate says is decided here and by the
 * registrar; from the connector comes the public key and nothing else.
 *
 * @see spec/PROTOCOL.md, "Certificates"
 * @module
 */
import { ApiMisuse } from '../../protocol/internal.ts'
import { systemClocks } from '../../runtime/clocks.ts'
import * as x509 from '../../runtime/x509.ts'
import { AuthorityRoots, type AuthorityRoll } from './authority-roll.ts'
import { randomSerial, wholeSeconds, type AuthorityOptions } from './authority-root.ts'
import { ECDSA_P256, isP256, keyIdOf } from './connector-key.ts'
import { LEAF_SUBJECT, leafExtensions, type LeafIdentity } from './leaf-profile.ts'

/** What to certify. */
export interface IssueOptions extends LeafIdentity {
  /**
   * SubjectPublicKeyInfo, DER: ECDSA P-256. Whoever asks must have proven to hold the private key.
   */
  readonly publicKeySpki: Uint8Array
  /** Milliseconds since 1970. */
  readonly now: number
  /** Milliseconds; default 60 days. Never longer than the root's own validity. */
  readonly validityMs?: number
  /**
   * Milliseconds the certificate is valid before `now`, for clocks that are behind; default 60
   * seconds.
   */
  readonly backdateMs?: number
}

/** A connector's certificate, as the authority made it. */
export interface IssuedCertificate {
  readonly der: Uint8Array
  /** Lower-case hexadecimal, 32 digits. */
  readonly serial: string
  /** SHA-256 of the key, hexadecimal. */
  readonly keyId: string
  /** Milliseconds since 1970. */
  readonly issuedAt: number
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

/** The authority of connectors. */
export interface CertificateAuthority {
  /** Its root, DER: the one that signs now. */
  readonly certificate: Uint8Array
  /** Another root in its place, and both while connectors change. Absent: it has one for ever. */
  readonly roll?: AuthorityRoll | undefined
  /** @throws ApiMisuse when the key is not ECDSA P-256 */
  issue(options: IssueOptions): Promise<IssuedCertificate>
}

const SIXTY_DAYS_MS = 60 * 24 * 60 * 60 * 1000
const LEEWAY_MS = 60_000

/**
 * Opens the authority; its root is made on first start.
 *
 * @throws ConfigurationInvalid when the store holds something else
 */
export async function createCertificateAuthority(
  options: AuthorityOptions,
): Promise<CertificateAuthority> {
  const crypto = (options.crypto ?? globalThis.crypto) as Crypto
  const roots = await AuthorityRoots.open('connectors', options, 'next')
  const { clocks = systemClocks } = options

  return {
    get certificate() {
      return roots.signing(clocks.wallClock()).der
    },
    roll: roots,
    async issue({ publicKeySpki, now, validityMs = SIXTY_DAYS_MS, backdateMs = LEEWAY_MS, ...to }) {
      if (!isP256(publicKeySpki)) throw new ApiMisuse('"publicKeySpki" must be an ECDSA P-256 key')
      const root = roots.signing(now)
      const publicKey = new x509.PublicKey(publicKeySpki as BufferSource)
      const serial = randomSerial(crypto)
      const notAfter = wholeSeconds(Math.min(now + validityMs, root.certificate.notAfter.getTime()))
      const certificate = await x509.X509CertificateGenerator.create(
        {
          serialNumber: serial,
          subject: LEAF_SUBJECT,
          issuer: root.certificate.subjectName,
          notBefore: wholeSeconds(now - backdateMs),
          notAfter,
          publicKey,
          signingKey: root.key,
          signingAlgorithm: ECDSA_P256,
          extensions: await leafExtensions(to, publicKey, root.certificate, crypto),
        },
        crypto,
      )
      return {
        der: new Uint8Array(certificate.rawData),
        serial,
        keyId: await keyIdOf(crypto, publicKeySpki),
        issuedAt: now,
        expiresAt: notAfter.getTime(),
      }
    },
  }
}
