/**
 * A certificate of the operator's, as `app-proxy cloud` reads it from its file.
 */
import * as v from 'valibot'

/** A certificate and its key, PEM. */
export interface CertificateFilesInput {
  /** The certificate, and behind it those that lead to its authority. */
  readonly certFile: string
  /** Its private key, not encrypted; mode 0600. */
  readonly keyFile: string
}

const path = v.pipe(v.string(), v.minLength(1))

/** Its shape. */
export const CertificateFilesConfiguration = v.strictObject({ certFile: path, keyFile: path })
