/**
 * The key and the certificate that an end of TLS is made with, PEM or DER, as `node:tls` has them.
 *
 * @module
 */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { ConfigurationInvalid } from '../../protocol/wire/errors.ts'
import {
  expiryOf,
  readCertificates,
  type CertificateInput,
  type KeyInput,
} from '../certificates.ts'
import { memberOf } from '../configuration-mistakes.ts'
import { toPem } from './pem.ts'

/** Options of a TLS server of ours. */
export interface ServerCredentials {
  /** Its private key, not encrypted: PEM (PKCS#8, PKCS#1 or SEC 1), or the same in DER. */
  readonly key: KeyInput
  /** Its certificate, then the authorities between it and a root: PEM or DER. */
  readonly cert: CertificateInput | readonly CertificateInput[]
}

/** Both in PEM. */
export interface ReadCredentials {
  readonly key: string
  readonly cert: string
  /** When the certificate ends: milliseconds since 1970. */
  readonly expiresAt: number
}

/**
 * Reads both.
 *
 * @param path what the two are part of, for the message
 * @throws ConfigurationInvalid when one of them is neither PEM nor DER, or they do not fit
 */
export function serverCredentials(given: ServerCredentials, path = ''): ReadCredentials {
  return tlsCredentials(given, { key: memberOf(path, 'key'), cert: memberOf(path, 'cert') })
}

/** The same for either end; `paths`: where the two were given. */
export function tlsCredentials(
  { key, cert }: ServerCredentials,
  paths: { readonly key: string; readonly cert: string },
): ReadCredentials {
  const chain = readCertificates(cert, paths.cert)
  const privateKey = keyObject(key, paths.key)
  if (!new X509Certificate(chain[0]!).checkPrivateKey(privateKey))
    throw new ConfigurationInvalid(paths.key, 'is not the key of the certificate')
  return {
    expiresAt: expiryOf(chain[0]!),
    key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    cert: chain.map((der) => toPem('CERTIFICATE', der)).join(''),
  }
}

const DER_TYPES = ['pkcs8', 'sec1', 'pkcs1'] as const

function keyObject(given: KeyInput, path: string): KeyObject {
  const key = typeof given === 'string' ? given : Buffer.from(given)
  const readers = [
    () => createPrivateKey(key),
    ...DER_TYPES.map(
      (type) => () => createPrivateKey({ key: Buffer.from(key), format: 'der', type }),
    ),
  ]
  for (const read of readers)
    try {
      return read()
    } catch {
      // Perhaps it is the next one.
    }
  throw new ConfigurationInvalid(path, 'is no private key in PEM or DER that is not encrypted')
}
