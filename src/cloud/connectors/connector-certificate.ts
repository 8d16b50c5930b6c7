/**
 * Who calls: from the client certificate of a connection to a registered connector.
 *
 * Asked at the handshake and again at every call: a connection that stays open outlives its
 * certificate, and TLS does not notice. What never changes about a certificate (profile, signature)
 * is remembered; what does (validity, standing) is not.
 *
 * @see spec/PROTOCOL.md, "Certificates"
 * @module
 */
import { BoundedCache } from '../../runtime/bounded-cache.ts'
import { Refused } from '../../protocol/internal.ts'
import * as x509 from '../../runtime/x509.ts'
import { isAssigned } from './assignment.ts'
import { rootKeyId } from '../authority/authority-root.ts'
import { sameList, trustedRoots } from '../authority/authority-roll.ts'
import type { CertificateAuthority } from '../authority/certificate-authority.ts'
import { CertifiedConnections } from './certified-connections.ts'
import { keyIdOf } from '../authority/connector-key.ts'
import type { ConnectorRegistry } from './connector-registry.ts'
import { sameOctets } from '../../runtime/der.ts'
import { Leaf, MAX_LEAF_BYTES, type LeafIdentity } from '../authority/leaf-profile.ts'
import { recordAsOf, type CertificateRecord, type ConnectorRecord } from './connector-records.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import type { Directory } from '../directory/directory-port.ts'

export interface ConnectorCertificatesOptions {
  readonly crypto: CryptoProvider
  /** The connectors' authority: whose roots are trusted is asked at each call. */
  readonly authority: Pick<CertificateAuthority, 'certificate' | 'roll'>
  readonly registry: ConnectorRegistry
  /** Knows tenants and groups. */
  readonly directory: Pick<Directory, 'tenant' | 'group'>
  /** How many certificates are remembered as checked. Default 1 024. */
  readonly remembered?: number
}

/** The directory may be given back what it lost. */
const UNASSIGNED_RETRY_MS = 10_000

/** What a certificate says, after all of it was checked. */
export interface CheckedLeaf extends LeafIdentity {
  /** Lower-case hexadecimal. */
  readonly serial: string
  /** SHA-256 of its key, hexadecimal. */
  readonly keyId: string
  /** The key of the root that signed it: its subject key identifier, hexadecimal. */
  readonly authorityKeyId: string
  /** Milliseconds since 1970. */
  readonly notBefore: number
  readonly notAfter: number
}

/** A caller that is known. */
export interface IdentifiedConnector {
  readonly connector: ConnectorRecord
  readonly certificate: CertificateRecord
  /** As {@link CheckedLeaf.authorityKeyId}. */
  readonly authorityKeyId: string
}

interface Issuer {
  readonly certificate: x509.X509Certificate
  readonly keyId: string
}

/** Checks the client certificates of connectors. */
export class ConnectorCertificates {
  readonly #crypto: CryptoProvider
  readonly #authority: ConnectorCertificatesOptions['authority']
  #roots: readonly Uint8Array[] = []
  #issuers: readonly Issuer[] = []
  readonly #registry: ConnectorRegistry
  readonly #directory: Pick<Directory, 'tenant' | 'group'>
  /** By all octets of the certificate. */
  readonly #checked: BoundedCache<CheckedLeaf>
  /** What connectors hold open. @internal */
  readonly connections = new CertifiedConnections()

  /** @internal */
  constructor(options: ConnectorCertificatesOptions) {
    const { crypto, authority, registry, directory, remembered = 1024 } = options
    this.#crypto = crypto
    this.#authority = authority
    this.#registry = registry
    this.#directory = directory
    this.#checked = new BoundedCache(remembered)
  }

  /**
   * The connector behind a client certificate (DER; `undefined` when the caller showed none), as of
   * now. Notes the first use of a certificate, which supersedes the connector's older ones.
   *
   * @param now milliseconds since 1970
   * @throws Refused `certificate-missing`, or as {@link checkLeaf}, or `certificate-revoked`: the
   *   connector is revoked, the certificate is not known, or a newer one has taken its place for
   *   more than a day; `connector-forgotten`; `connector-unassigned`: its tenant or its group is no
   *   more
   */
  async identify(der: Uint8Array | undefined, now: number): Promise<IdentifiedConnector> {
    if (der === undefined || der.length === 0) throw new Refused('certificate-missing')
    const leaf = await this.checkLeaf(der, now)
    const certificate = await this.#registry.certificate(leaf.serial)
    if (certificate === undefined || !sameOctets(certificate.der, der)) {
      throw new Refused('certificate-revoked', 'its serial number is not known')
    }
    const record = await this.#registry.connector(certificate.connectorId)
    if (record === undefined || record.tenantId !== leaf.tenantId) {
      throw new Refused('certificate-revoked', 'its connector is not known')
    }
    const connector = recordAsOf(record, now)
    if (connector.standing === 'revoked') throw new Refused('certificate-revoked')
    if (connector.forgotten !== undefined) throw new Refused('connector-forgotten')
    if (certificate.supersededUntil !== undefined && now >= certificate.supersededUntil) {
      throw new Refused('certificate-revoked', 'a newer certificate has taken its place')
    }
    if (!isAssigned(this.#directory, connector)) {
      const detail = 'its tenant or its group is no more'
      throw new Refused('connector-unassigned', detail, { retryAfterMs: UNASSIGNED_RETRY_MS })
    }
    const { authorityKeyId } = leaf
    if (certificate.firstUsedAt !== undefined) return { connector, certificate, authorityKeyId }
    const used = await this.#registry.used(leaf.serial, now)
    return { connector, certificate: used, authorityKeyId }
  }

  /**
   * What a leaf (DER) says: exactly of our profile, signed by a root of ours, inside its validity.
   *
   * @throws Refused `certificate-untrusted`, `certificate-profile` or `certificate-expired`
   */
  async checkLeaf(der: Uint8Array, now: number): Promise<CheckedLeaf> {
    const leaf = await this.#unchanging(der)
    if (!this.trustedIssuers().some(({ keyId }) => keyId === leaf.authorityKeyId))
      throw new Refused('certificate-untrusted', 'its authority has been rolled')
    if (now < leaf.notBefore) throw new Refused('certificate-expired', 'it is not valid yet')
    if (now >= leaf.notAfter) throw new Refused('certificate-expired')
    return leaf
  }

  async #unchanging(der: Uint8Array): Promise<CheckedLeaf> {
    if (der.length > MAX_LEAF_BYTES) throw new Refused('certificate-untrusted', 'it is too large')
    const key = String.fromCharCode(...der)
    const known = this.#checked.get(key)
    if (known !== undefined) return known
    const leaf = await this.#check(der)
    this.#checked.set(key, leaf)
    return leaf
  }

  async #check(der: Uint8Array): Promise<CheckedLeaf> {
    let leaf: Leaf
    try {
      leaf = Leaf.parse(der)
    } catch (cause) {
      throw new Refused('certificate-untrusted', 'it cannot be read', { cause })
    }
    const issuer = await this.#issuerOf(leaf)
    if (issuer === undefined) throw new Refused('certificate-untrusted')
    const deviation = deviationOf(leaf, issuer.certificate)
    if (deviation !== undefined) throw new Refused('certificate-profile', deviation)
    return {
      ...leaf.identity!,
      serial: leaf.serialNumber,
      keyId: await keyIdOf(this.#crypto, new Uint8Array(leaf.publicKey.rawData)),
      authorityKeyId: issuer.keyId,
      notBefore: leaf.notBefore.getTime(),
      notAfter: leaf.notAfter.getTime(),
    }
  }

  /** The roots that are trusted now. @internal */
  trustedIssuers(): readonly Issuer[] {
    const roots = trustedRoots(this.#authority)
    if (sameList(roots, this.#roots)) return this.#issuers
    this.#roots = roots
    this.#issuers = roots.map((der) => {
      const certificate = new x509.X509Certificate(der as BufferSource)
      return { certificate, keyId: rootKeyId(certificate) }
    })
    return this.#issuers
  }

  async #issuerOf(leaf: Leaf): Promise<Issuer | undefined> {
    for (const issuer of this.trustedIssuers())
      if (await this.#isSignedBy(leaf, issuer)) return issuer
    return undefined
  }

  async #isSignedBy(leaf: Leaf, { certificate }: Issuer): Promise<boolean> {
    try {
      const by = { publicKey: certificate.publicKey, signatureOnly: true }
      return await leaf.verify(by, this.#crypto as Crypto)
    } catch {
      return false
    }
  }
}

/** Extensions are read lazily: what cannot be read is a deviation too. */
function deviationOf(leaf: Leaf, issuer: x509.X509Certificate): string | undefined {
  try {
    return leaf.deviation(issuer)
  } catch {
    return 'an extension cannot be read'
  }
}
