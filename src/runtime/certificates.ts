/**
 * Certificates as people have them, PEM or DER, read by one reader: text and octets are told apart
 * by what they hold, not by who gave them.
 *
 * @module
 */
import { ConfigurationInvalid } from '../protocol/wire/errors.ts'
import { isOneSequence } from './der.ts'
import { remembered } from './remembered.ts'
import { X509Certificate } from './x509.ts'

/**
 * One certificate in DER, or one or several in PEM, as text or octets. What stands around the
 * blocks of PEM is left out.
 */
export type CertificateInput = string | Uint8Array

/** A private key: PKCS#8 in DER, or PEM as text or octets. */
export type KeyInput = string | Uint8Array

const CERTIFICATE_BLOCK =
  /-----BEGIN (?:X509 )?CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END (?:X509 )?CERTIFICATE-----/g
const PKCS8_BLOCK = /-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END PRIVATE KEY-----/

/**
 * The certificates, DER, in their order.
 *
 * @param path where they were given, for the message
 * @throws ConfigurationInvalid when one is neither, or there is none
 */
export function readCertificates(
  given: CertificateInput | readonly CertificateInput[],
  path: string,
): readonly Uint8Array<ArrayBuffer>[] {
  if (!Array.isArray(given)) return certificatesOf(given as CertificateInput, path)
  return (given as readonly CertificateInput[]).flatMap((one, at) =>
    certificatesOf(one, `${path}[${at}]`),
  )
}

/**
 * The one certificate, DER.
 *
 * @throws ConfigurationInvalid when it is neither PEM nor DER, or there are several
 */
export function readCertificate(given: CertificateInput, path: string): Uint8Array<ArrayBuffer> {
  const [certificate, ...others] = certificatesOf(given, path)
  if (others.length > 0) throw new ConfigurationInvalid(path, 'must be one certificate')
  return certificate!
}

/**
 * A private key, PKCS#8 in DER.
 *
 * @throws ConfigurationInvalid when it is neither that nor PEM of it; never quotes it
 */
export function readPrivateKey(given: KeyInput, path: string): Uint8Array<ArrayBuffer> {
  if (isDer(given)) return new Uint8Array(given)
  const block = PKCS8_BLOCK.exec(textOf(given))
  if (block === null)
    throw new ConfigurationInvalid(path, 'is neither a PKCS#8 key in PEM nor one in DER')
  return octetsOf(block[1]!, path)
}

/** Figures ask for them again and again, and to read a certificate takes a millisecond. */
const expiries = new WeakMap<Uint8Array, number>()

/** When a certificate (DER) ends: milliseconds since 1970. */
export function expiryOf(certificate: Uint8Array): number {
  return remembered(expiries, certificate, () =>
    new X509Certificate(certificate as Uint8Array<ArrayBuffer>).notAfter.getTime(),
  )
}

const DAY_MS = 24 * 60 * 60 * 1000

/** Whole days until it ends; negative: it has ended. Both in milliseconds since 1970. */
export const daysLeft = (expiresAt: number, now: number) => Math.floor((expiresAt - now) / DAY_MS)

function certificatesOf(given: CertificateInput, path: string): Uint8Array<ArrayBuffer>[] {
  if (isDer(given)) return [checked(new Uint8Array(given), path)]
  const text = textOf(given)
  const found = [...text.matchAll(CERTIFICATE_BLOCK)].map(([, base64]) => octetsOf(base64!, path))
  if (found.length > 0) return found.map((der) => checked(der, path))
  const hint = text.includes('PRIVATE KEY-----') ? ': it is a private key' : ''
  throw new ConfigurationInvalid(path, `is neither a certificate in PEM nor one in DER${hint}`)
}

/** Whether it begins as every certificate and every key does: with a sequence. */
function isDer(given: unknown): given is Uint8Array {
  return given instanceof Uint8Array && given[0] === 0x30
}

function textOf(given: unknown): string {
  if (typeof given === 'string') return given
  return given instanceof Uint8Array ? new TextDecoder().decode(given) : ''
}

function octetsOf(base64: string, path: string): Uint8Array<ArrayBuffer> {
  try {
    const octets = atob(base64.replace(/\s/g, ''))
    return Uint8Array.from(octets, (character) => character.charCodeAt(0))
  } catch (cause) {
    throw new ConfigurationInvalid(path, 'is not whole: its base64 cannot be read', { cause })
  }
}

function checked(der: Uint8Array<ArrayBuffer>, path: string): Uint8Array<ArrayBuffer> {
  if (!isOneSequence(der))
    throw new ConfigurationInvalid(path, 'breaks off, or has something behind the certificate')
  try {
    new X509Certificate(der)
  } catch (cause) {
    throw new ConfigurationInvalid(path, 'is no X.509 certificate', { cause })
  }
  return der
}
