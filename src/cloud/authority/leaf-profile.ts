/**
 * The exact profile of a connector's certificate: what we issue, and therefore all that we accept.
 *
 * X.509 v3, ECDSA P-256, a fixed subject, and six extensions: not an authority (critical),
 * signatures only (critical), TLS clients only, one URI that names tenant and connector, and the
 * two key identifiers that chains are built with.
 *
 * A TLS library's chain check is not a profile: it lets certificates of an authority, certificates
 * without a purpose and certificates of version 1 through. This one lets nothing through that we
 * would not have made.
 *
 * @see spec/PROTOCOL.md, "Certificates"; RFC 5280 §4
 * @module
 */
import { Refused } from '../../protocol/wire/errors.ts'
import * as x509 from '../../runtime/x509.ts'
import { isP256 } from './connector-key.ts'
import { isOneSequence, sameOctets } from '../../runtime/der.ts'

/** The subject of every leaf. Identity is in the URI alone. */
export const LEAF_SUBJECT = 'O=app-proxy, CN=connector'

/** Octets; ours have about 600. */
export const MAX_LEAF_BYTES = 4096

const PARSING = { berOptions: { maxDepth: 16, maxNodes: 256, maxContentLength: MAX_LEAF_BYTES } }

const OID = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
} as const
const CRITICAL: ReadonlySet<string> = new Set([OID.basicConstraints, OID.keyUsage])
const EXTENSIONS: readonly string[] = [
  OID.subjectKeyIdentifier,
  OID.keyUsage,
  OID.subjectAltName,
  OID.basicConstraints,
  OID.authorityKeyIdentifier,
  OID.extendedKeyUsage,
]

/** Who a leaf is for. */
export interface LeafIdentity {
  readonly tenantId: string
  readonly connectorId: string
}

/**
 * The URI of an identity. Any id may stand in it: what a URN has no room for is percent-encoded.
 */
export function identityUri({ tenantId, connectorId }: LeafIdentity): string {
  return `urn:app-proxy:tenant:${encodeURIComponent(tenantId)}:connector:${encodeURIComponent(connectorId)}`
}

/**
 * The identity a URI names, or `undefined`; only the one spelling that {@link identityUri} makes is
 * accepted.
 */
export function identityOf(uri: string): LeafIdentity | undefined {
  const match = /^urn:app-proxy:tenant:([^:]+):connector:([^:]+)$/.exec(uri)
  if (match === null) return undefined
  try {
    const identity = {
      tenantId: decodeURIComponent(match[1]!),
      connectorId: decodeURIComponent(match[2]!),
    }
    return identityUri(identity) === uri ? identity : undefined
  } catch {
    return undefined
  }
}

/** The extensions of a leaf, in the order they are written. @internal */
export async function leafExtensions(
  identity: LeafIdentity,
  publicKey: x509.PublicKey,
  issuer: x509.X509Certificate,
  crypto: Crypto,
): Promise<x509.Extension[]> {
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
    new x509.SubjectAlternativeNameExtension([{ type: 'url', value: identityUri(identity) }]),
    await x509.SubjectKeyIdentifierExtension.create(publicKey, false, crypto),
    await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey, false, crypto),
  ]
}

/** A certificate with the parts in sight that the library keeps to itself. @internal */
export class Leaf extends x509.X509Certificate {
  /** @throws anything at all when it is not one certificate and nothing more */
  static parse(der: Uint8Array): Leaf {
    if (der.length > MAX_LEAF_BYTES) throw new Refused('certificate-profile', 'too large')
    if (!isOneSequence(der)) throw new Refused('certificate-profile', 'not one DER sequence')
    return new Leaf(der as BufferSource, PARSING)
  }

  /**
   * What of it is not as we would have made it, or `undefined`. Validity is checked elsewhere: it
   * changes with time.
   */
  deviation(issuer: x509.X509Certificate): string | undefined {
    const { tbsCertificate: tbs, signatureAlgorithm } = this.asn
    // 0-based: v3 is 2. RFC 5280 §4.1.2.1
    if (tbs.version !== 2) return 'version'
    if (!/^[4-7][0-9a-f]{31}$/.test(this.serialNumber)) return 'serial number'
    if (
      signatureAlgorithm.algorithm !== OID.ecdsaWithSha256 ||
      tbs.signature.algorithm !== OID.ecdsaWithSha256
    ) {
      return 'signature algorithm'
    }
    if (tbs.issuerUniqueID !== undefined || tbs.subjectUniqueID !== undefined) return 'unique id'
    if (!sameOctets(encoded(this.issuerName), encoded(issuer.subjectName))) return 'issuer'
    if (this.subject !== LEAF_SUBJECT) return 'subject'
    if (!isP256(new Uint8Array(this.publicKey.rawData))) return 'key'
    return this.#extensionDeviation(issuer)
  }

  get identity(): LeafIdentity | undefined {
    const names = this.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? []
    return names.length === 1 && names[0]!.type === 'url' ? identityOf(names[0]!.value) : undefined
  }

  #extensionDeviation(issuer: x509.X509Certificate): string | undefined {
    const types = this.extensions.map(({ type }) => type).sort()
    if (types.join() !== [...EXTENSIONS].sort().join()) return 'set of extensions'
    const wrong = this.extensions.find(({ type, critical }) => critical !== CRITICAL.has(type))
    if (wrong !== undefined) return `criticality of ${wrong.type}`
    const constraints = this.getExtension(x509.BasicConstraintsExtension)
    if (constraints?.ca !== false || constraints.pathLength !== undefined) {
      return 'basic constraints'
    }
    if (
      this.getExtension(x509.KeyUsagesExtension)?.usages !== x509.KeyUsageFlags.digitalSignature
    ) {
      return 'key usage'
    }
    const purposes = this.getExtension(x509.ExtendedKeyUsageExtension)?.usages ?? []
    if (purposes.join() !== x509.ExtendedKeyUsage.clientAuth) return 'extended key usage'
    const authority = this.getExtension(x509.AuthorityKeyIdentifierExtension)?.keyId
    const issuerKey = issuer.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId
    if (authority === undefined || authority !== issuerKey) return 'authority key identifier'
    if (this.identity === undefined) return 'subject alternative name'
    return undefined
  }
}

function encoded(name: x509.Name): Uint8Array {
  return new Uint8Array(name.toArrayBuffer())
}
