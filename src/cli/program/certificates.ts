/**
 * Certificates and keys out of files, looked at before they are used: TLS itself would tell of a
 * wrong one in the words of OpenSSL, or only to whoever connects.
 */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { readPlainFile, readSecretFile } from './files.ts'
import { allOf, type Setting } from './mistakes.ts'

/** Files of a server's certificate. */
export interface CertificateFiles {
  readonly certFile: string
  readonly keyFile: string
}

/** What a server shows: a key, PEM, and a certificate chain, PEM or DER. */
export interface ServerCertificate {
  readonly key: string
  readonly cert: Buffer
}

/**
 * Reads them.
 *
 * @param at the setting that has both files; their names stand below it
 * @throws ConfigurationInvalid where one is not what it should be, they do not belong together, or
 *   the certificate is not valid now
 */
export async function readServerCertificate(
  { certFile, keyFile }: CertificateFiles,
  at: Setting,
): Promise<ServerCertificate> {
  const settingOf = (name: 'certFile' | 'keyFile') => ({ ...at, path: `${at.path}.${name}` })
  const mistake = (name: 'certFile' | 'keyFile', detail: string, cause?: unknown) => {
    const value = JSON.stringify(name === 'certFile' ? certFile : keyFile)
    return new ConfigurationInvalid([{ ...settingOf(name), detail, value }], { cause })
  }
  const [[cert, certificate], [key, privateKey]] = await allOf(
    async (): Promise<[Buffer, X509Certificate]> => {
      const octets = await readPlainFile(certFile, settingOf('certFile'))
      const read = attempt(() => new X509Certificate(octets))
      if (!(read instanceof X509Certificate))
        throw mistake('certFile', 'holds no certificate', read.cause)
      const fault = validityFault(read)
      if (fault !== undefined) throw mistake('certFile', fault)
      return [octets, read]
    },
    async (): Promise<[string, KeyObject]> => {
      const text = await readSecretFile(keyFile, settingOf('keyFile'))
      if (/ENCRYPTED/.test(text))
        throw mistake('keyFile', 'is encrypted, and nobody is here to be asked for its passphrase')
      const read = attempt(() => createPrivateKey(text))
      if ('cause' in read) throw mistake('keyFile', 'holds no private key in PEM', read.cause)
      return [text, read]
    },
  )
  if (!certificate.checkPrivateKey(privateKey))
    throw mistake('keyFile', 'is not the key of the certificate in certFile')
  return { key, cert }
}

/**
 * Certificate authorities, PEM, from a file of one or several in PEM, or one in DER.
 *
 * @throws ConfigurationInvalid where it holds none, or none that is valid now
 */
export async function readAuthorities(path: string, setting: Setting): Promise<readonly string[]> {
  const octets = await readPlainFile(path, setting)
  const mistake = (detail: string, cause?: unknown) =>
    new ConfigurationInvalid([{ ...setting, detail, value: JSON.stringify(path) }], { cause })
  const blocks = octets
    .toString()
    .match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g)
  const read = attempt(() => (blocks ?? [octets]).map((one) => new X509Certificate(one)))
  if ('cause' in read) throw mistake('holds no certificate', read.cause)
  const faults = read.map(validityFault)
  if (!faults.includes(undefined)) throw mistake(faults[0]!)
  return read.map((certificate) => certificate.toString())
}

function validityFault({ validFrom, validTo }: X509Certificate): string | undefined {
  const day = (date: string) => new Date(date).toISOString().slice(0, 10)
  if (Date.parse(validTo) < Date.now()) return `the certificate expired on ${day(validTo)}`
  if (Date.parse(validFrom) > Date.now())
    return `the certificate is valid from ${day(validFrom)} on: is the clock of this machine right?`
  return undefined
}

function attempt<T extends object>(make: () => T): T | { readonly cause: unknown } {
  try {
    return make()
  } catch (cause) {
    return { cause }
  }
}
