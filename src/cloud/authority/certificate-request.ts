/**
 * Reads a PKCS#10 certificate request for the one thing that is taken from it: a public key whose
 * private half the sender has proven to hold. Everything else it wishes for is listed, for the
 * record, and ignored.
 *
 * @see spec/PROTOCOL.md, "Certificates"; RFC 2986
 * @module
 */
import { Refused, type RequestedKey } from '../../protocol/internal.ts'
import * as x509 from '../../runtime/x509.ts'
import { isP256, keyIdOf } from './connector-key.ts'
import { isOneSequence } from '../../runtime/der.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'

/** Largest request, in octets; an honest one has about 250. */
export const MAX_REQUEST_BYTES = 16 * 1024

const PARSING = { berOptions: { maxDepth: 24, maxNodes: 512, maxContentLength: MAX_REQUEST_BYTES } }
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14'
/** Attributes whose values are secrets or free text: they are named, never quoted. RFC 2985 §5.4 */
const ATTRIBUTE_NAMES: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.9.2': 'unstructuredName',
  '1.2.840.113549.1.9.7': 'challengePassword',
  '1.2.840.113549.1.9.8': 'unstructuredAddress',
}
const SIGNATURES: ReadonlySet<string> = new Set(['SHA-256', 'SHA-384', 'SHA-512'])
const MAX_WISHES = 32
const MAX_WISH_LENGTH = 200

/**
 * The key of a certificate request (DER).
 *
 * @throws Refused `request-malformed`, `request-key` (not ECDSA P-256) or `request-signature` (no
 *   proof of possession)
 */
export async function readCertificateRequest(
  der: Uint8Array,
  crypto: CryptoProvider,
): Promise<RequestedKey> {
  if (der.length > MAX_REQUEST_BYTES) {
    throw new Refused('request-malformed', `longer than ${MAX_REQUEST_BYTES} octets`)
  }
  const { request, publicKey, wishes } = parse(der)
  if (!isP256(publicKey)) throw new Refused('request-key', 'it must be ECDSA P-256')
  if (!(await provesPossession(request, crypto))) {
    throw new Refused('request-signature', 'it is not signed with its own key')
  }
  return { publicKey, keyId: await keyIdOf(crypto, publicKey), ignored: wishes }
}

function parse(der: Uint8Array) {
  try {
    if (!isOneSequence(der)) throw new Refused('request-malformed', 'not one DER sequence')
    const request = new x509.Pkcs10CertificateRequest(der as BufferSource, PARSING)
    return {
      request,
      publicKey: new Uint8Array(request.publicKey.rawData),
      wishes: wishesOf(request),
    }
  } catch (cause) {
    throw new Refused('request-malformed', 'it is not a PKCS#10 certificate request', { cause })
  }
}

async function provesPossession(
  request: x509.Pkcs10CertificateRequest,
  crypto: CryptoProvider,
): Promise<boolean> {
  try {
    const { name, hash } = request.signatureAlgorithm as { name: string; hash?: { name: string } }
    if (name !== 'ECDSA' || !SIGNATURES.has(hash?.name ?? '')) return false
    return await request.verify(crypto as Crypto)
  } catch {
    // A point that is not on the curve, or a signature that is not two integers.
    return false
  }
}

/** Everything beyond the key, one readable line each. */
function wishesOf(request: x509.Pkcs10CertificateRequest): string[] {
  const wishes = request.subject === '' ? [] : [`subject ${request.subject}`]
  for (const attribute of request.attributes) {
    if (attribute instanceof x509.ExtensionsAttribute) {
      wishes.push(...attribute.items.map(describe))
    } else if (attribute.type !== EXTENSION_REQUEST) {
      wishes.push(ATTRIBUTE_NAMES[attribute.type] ?? `attribute ${attribute.type}`)
    }
  }
  const listed = wishes.slice(0, MAX_WISHES).map(printable)
  return wishes.length > MAX_WISHES ? [...listed, `and ${wishes.length - MAX_WISHES} more`] : listed
}

function describe(extension: x509.Extension): string {
  if (extension instanceof x509.BasicConstraintsExtension) {
    return `basicConstraints CA:${extension.ca}`
  }
  if (extension instanceof x509.SubjectAlternativeNameExtension) {
    const names = extension.names.items.map(({ type, value }) => `${type}:${value}`)
    return `subjectAltName ${names.join(', ')}`
  }
  if (extension instanceof x509.ExtendedKeyUsageExtension) {
    return `extendedKeyUsage ${extension.usages.map((usage) => purposeName(String(usage))).join(', ')}`
  }
  if (extension instanceof x509.KeyUsagesExtension) return `keyUsage ${keyUsages(extension.usages)}`
  return `extension ${extension.type}`
}

function purposeName(oid: string): string {
  return Object.entries(x509.ExtendedKeyUsage).find(([, value]) => value === oid)?.[0] ?? oid
}

function keyUsages(usages: x509.KeyUsageFlags): string {
  const names = Object.entries(x509.KeyUsageFlags)
  return names
    .filter(([, flag]) => typeof flag === 'number' && (usages & flag) !== 0)
    .map(([name]) => name)
    .join(', ')
}

/** One line of bounded length: it goes into logs. */
function printable(wish: string): string {
  return wish.replace(/[^\x20-\x7e\xa0-\u{10ffff}]/gu, '\ufffd').slice(0, MAX_WISH_LENGTH)
}
