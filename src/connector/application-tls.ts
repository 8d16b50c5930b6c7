/**
 * How one private application is recognised, and what it recognises this connector by, where that
 * is not as for all others.
 *
 * @see docs/single-sign-on/client-certificate.md
 * @module
 */
import type { CertificateInput, KeyInput } from '../runtime/certificates.ts'

/**
 * TLS towards the application at one internal origin. A connection that was made under it carries
 * nothing but requests that name this very object, to that origin.
 */
export interface ApplicationTls {
  /**
   * The authorities that it may be certified by, and no others: PEM or DER. Default: those of the
   * backend.
   */
  readonly ca?: CertificateInput | readonly CertificateInput[] | undefined
  /**
   * The certificate that this connector shows, then the authorities between it and a root: PEM or
   * DER. Default: none.
   */
  readonly clientCertificate?: CertificateInput | readonly CertificateInput[] | undefined
  /** Its private key, not encrypted: PEM, or the same in DER. */
  readonly clientKey?: KeyInput | undefined
  /** The name that is asked for, and that its certificate must be for. Default: its URL's. */
  readonly serverName?: string | undefined
}

/**
 * What holds for an internal origin, such as `https://wiki.corp.example`; `undefined`: nothing
 * particular. The same object as long as nothing changed: with another one, connections are made
 * anew.
 */
export type ApplicationTlsOf = (internalOrigin: string) => ApplicationTls | undefined
