/**
 * The root of one of our own certificate authorities: made on first start, kept by a store, loaded
 * ever after.
 *
 * @module
 */
import { ConfigurationInvalid } from '../../protocol/internal.ts'
import {
  readCertificate,
  readPrivateKey,
  type CertificateInput,
  type KeyInput,
} from '../../runtime/certificates.ts'
import * as x509 from '../../runtime/x509.ts'
import { hexadecimal } from '../../protocol/wire/octets.ts'
import { ECDSA_P256 } from './connector-key.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { OnError } from '../../runtime/containment.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'

/** A root as it is kept. */
export interface StoredAuthority {
  /** PKCS#8, DER. */
  readonly key: Uint8Array
  /** X.509, DER. */
  readonly certificate: Uint8Array
  /** While a roll is under way: the root that this one takes the place of. */
  readonly leaving?: StoredLeavingRoot
}

/** A root that leaves: it is trusted until its roll is finished. */
export interface StoredLeavingRoot extends Pick<StoredAuthority, 'key' | 'certificate'> {
  /** Until then the roll is announced, and nothing else happens. Milliseconds since 1970. */
  readonly leavesAt: number
}

/** A root as a store gives it: what it was given to keep, or what was put there by other means. */
export interface LoadedAuthority {
  /** PKCS#8 in PEM or DER. */
  readonly key: KeyInput
  /** X.509 in PEM or DER. */
  readonly certificate: CertificateInput
  /** As {@link StoredAuthority.leaving}. */
  readonly leaving?:
    (Pick<LoadedAuthority, 'key' | 'certificate'> & { readonly leavesAt: number }) | undefined
}

/**
 * Where a root is kept. The key in it signs every certificate there will ever be: keep it from
 * everybody else.
 */
export interface AuthorityStore {
  load(): Promise<LoadedAuthority | undefined>
  /**
   * Stores it durably unless there is one already: whoever comes first wins, and {@link load} tells
   * who did.
   */
  save(authority: StoredAuthority): Promise<void>
  /**
   * Stores it durably, at once or not at all, in the place of the one with this certificate (DER);
   * `false`: another is there, and stays. Absent: what is stored stays for ever, and is not rolled.
   */
  replace?(authority: StoredAuthority, before: Uint8Array): Promise<boolean>
  /** Calls `changed` after somebody has stored another; returns the end of it. */
  watch?(changed: () => void): () => void
}

/** Options of `createCertificateAuthority` and `createServerAuthority`. */
export interface AuthorityOptions {
  /** Where its root is kept: `authorityFile` of `app-proxy/cloud/node`, or your own. */
  readonly store: AuthorityStore
  /** Default: the runtime's Web Crypto. */
  readonly crypto?: CryptoProvider
  /** Default: the runtime's. */
  readonly clocks?: Pick<Clocks, 'wallClock'>
  /**
   * Told of a store that cannot be read again: the roots that are known stay in use. Default:
   * nobody is.
   */
  readonly onError?: OnError
}

/** A root that can sign. @internal */
export interface AuthorityRoot {
  readonly certificate: x509.X509Certificate
  readonly der: Uint8Array
  /** Its subject key identifier, hexadecimal: what its certificates name it by. */
  readonly keyId: string
  /** Not extractable. */
  readonly key: CryptoKey
}

const TEN_YEARS_MS = 10 * 365 * 24 * 60 * 60 * 1000
/** A root is valid a day before it was made: the peers' clocks may be behind. */
const BACKDATE_MS = 24 * 60 * 60 * 1000

/** A new root: ECDSA P-256, ten years. @internal */
export async function newRoot(
  name: string,
  crypto: CryptoProvider,
  now: number,
): Promise<StoredAuthority> {
  const keys = await crypto.subtle.generateKey(ECDSA_P256, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      // The random part keeps two clouds' roots apart by name, which is how chains are built.
      name: [{ O: ['app-proxy'] }, { CN: [`${name} ${randomSerial(crypto).slice(0, 8)}`] }],
      serialNumber: randomSerial(crypto),
      notBefore: wholeSeconds(now - BACKDATE_MS),
      notAfter: wholeSeconds(now + TEN_YEARS_MS),
      signingAlgorithm: ECDSA_P256,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
          true,
        ),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, crypto as Crypto),
      ],
    },
    crypto as Crypto,
  )
  return {
    key: new Uint8Array(await crypto.subtle.exportKey('pkcs8', keys.privateKey)),
    certificate: new Uint8Array(certificate.rawData),
  }
}

/**
 * A root that was kept.
 *
 * @throws ConfigurationInvalid when it is none, or not its key
 * @internal
 */
export async function openRoot(
  stored: Pick<LoadedAuthority, 'key' | 'certificate'>,
  crypto: CryptoProvider,
): Promise<AuthorityRoot> {
  try {
    const certificate = new x509.X509Certificate(readCertificate(stored.certificate, 'certificate'))
    const key = await crypto.subtle.importKey(
      'pkcs8',
      readPrivateKey(stored.key, 'key'),
      ECDSA_P256,
      false,
      ['sign'],
    )
    const proof = crypto.getRandomValues(new Uint8Array(32))
    const signature = await crypto.subtle.sign(ECDSA_P256, key, proof)
    const publicKey = await certificate.publicKey.export(ECDSA_P256, ['verify'], crypto as Crypto)
    if (!(await crypto.subtle.verify(ECDSA_P256, publicKey, signature, proof))) {
      throw new ConfigurationInvalid('authority', 'the key is not the certificate’s')
    }
    if (certificate.getExtension(x509.BasicConstraintsExtension)?.ca !== true) {
      throw new ConfigurationInvalid('authority', 'the certificate is not an authority’s')
    }
    const der = new Uint8Array(certificate.rawData)
    return { certificate, der, keyId: rootKeyId(certificate), key }
  } catch (cause) {
    throw new ConfigurationInvalid('authority', 'what is stored is not a root with its key', {
      cause,
    })
  }
}

/** The name of a root's key in the certificates that it signed. RFC 5280 §4.2.1.1 @internal */
export function rootKeyId(certificate: x509.X509Certificate): string {
  return certificate.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId.toLowerCase() ?? ''
}

/** 16 random octets in hexadecimal, positive and always of the same length. RFC 5280 §4.1.2.2 */
export function randomSerial(crypto: CryptoProvider): string {
  const octets = crypto.getRandomValues(new Uint8Array(16))
  octets[0] = (octets[0]! & 0x3f) | 0x40
  return hexadecimal(octets)
}

/** X.509 knows no fractions of a second. */
export function wholeSeconds(time: number): Date {
  return new Date(Math.floor(time / 1000) * 1000)
}
