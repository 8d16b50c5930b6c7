/**
 * Keys and certificates in one file that only its owner can read.
 *
 * One file, replaced as a whole: every step of a roll is one rename, so a crash leaves the step
 * before or the step after, never something between. Keys are PKCS#8 PEM: Web Crypto cannot write a
 * non-extractable key to a file, so keys kept here are extractable and the file's mode is what
 * guards them.
 *
 * @module
 */
import { join } from 'node:path'
import * as v from 'valibot'
import { ConfigurationInvalid } from '../../protocol/wire/errors.ts'
import {
  preparePrivateDirectory,
  readPrivateFile,
  replacePrivateFile,
} from '../../runtime/node/private-files.ts'
import type { ConnectorIdentity, IdentityStore, StoredIdentities } from '../ports.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import { fromPem, toPem } from '../../runtime/node/pem.ts'

const FILE = 'identity.json'

/** Options of {@link FileIdentityStore}. */
export interface FileIdentityStoreOptions {
  /** A directory of its own: made with mode 0700 if missing, refused if others may enter it. */
  readonly directory: string
  /** Default: the runtime's Web Crypto. */
  readonly crypto?: CryptoProvider
}

/**
 * An {@link IdentityStore} in a directory.
 *
 * `load` throws {@link ConfigurationInvalid} if group or others have any right to the directory or
 * the file, or if the file is not one that this class wrote.
 */
export class FileIdentityStore implements IdentityStore {
  readonly extractable = true
  readonly #directory: string
  readonly #crypto: CryptoProvider

  constructor({ directory, crypto = globalThis.crypto }: FileIdentityStoreOptions) {
    this.#directory = directory
    this.#crypto = crypto
  }

  async load(): Promise<StoredIdentities> {
    await preparePrivateDirectory(this.#directory)
    const path = join(this.#directory, FILE)
    const text = await readPrivateFile(path)
    if (text === undefined) return {}
    const stored = parse(path, text)
    const { pendingKey, current, previous } = stored
    try {
      return {
        pendingKey: pendingKey && (await this.#readKey(pendingKey)),
        current: current && (await this.#readIdentity(current)),
        previous: previous && (await this.#readIdentity(previous)),
      }
    } catch (cause) {
      throw new ConfigurationInvalid(path, 'holds a key or certificate that cannot be read', {
        cause,
      })
    }
  }

  async save({ pendingKey, current, previous }: StoredIdentities): Promise<void> {
    const file: StoredFile = {
      version: 1,
      pendingKey: pendingKey && (await this.#writeKey(pendingKey)),
      current: current && (await this.#writeIdentity(current)),
      previous: previous && (await this.#writeIdentity(previous)),
    }
    await preparePrivateDirectory(this.#directory)
    await replacePrivateFile(join(this.#directory, FILE), `${JSON.stringify(file, undefined, 2)}\n`)
  }

  async #writeKey({ privateKey, publicKey }: CryptoKeyPair): Promise<StoredKey> {
    return {
      privateKey: toPem('PRIVATE KEY', await this.#export('pkcs8', privateKey)),
      publicKey: toPem('PUBLIC KEY', await this.#export('spki', publicKey)),
    }
  }

  async #export(format: 'pkcs8' | 'spki', key: CryptoKey): Promise<Uint8Array> {
    return new Uint8Array(await this.#crypto.subtle.exportKey(format, key))
  }

  async #readKey({ privateKey, publicKey }: StoredKey): Promise<CryptoKeyPair> {
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
    const { subtle } = this.#crypto
    return {
      privateKey: await subtle.importKey('pkcs8', der('PRIVATE KEY', privateKey), algorithm, true, [
        'sign',
      ]),
      publicKey: await subtle.importKey('spki', der('PUBLIC KEY', publicKey), algorithm, true, [
        'verify',
      ]),
    }
  }

  async #writeIdentity(identity: ConnectorIdentity): Promise<StoredIdentity> {
    const certificate = (octets: Uint8Array) => toPem('CERTIFICATE', octets)
    return {
      tenantId: identity.tenantId,
      connectorId: identity.connectorId,
      issuedAt: identity.issuedAt,
      expiresAt: identity.expiresAt,
      keys: await this.#writeKey(identity.keys),
      certificate: certificate(identity.certificate),
      chain: identity.chain.map(certificate),
      cloudAuthorities: identity.cloudAuthorities.map(certificate),
    }
  }

  async #readIdentity(stored: StoredIdentity): Promise<ConnectorIdentity> {
    const certificate = (pem: string) => der('CERTIFICATE', pem)
    return {
      tenantId: stored.tenantId,
      connectorId: stored.connectorId,
      issuedAt: stored.issuedAt,
      expiresAt: stored.expiresAt,
      keys: await this.#readKey(stored.keys),
      certificate: certificate(stored.certificate),
      chain: stored.chain.map(certificate),
      cloudAuthorities: stored.cloudAuthorities.map(certificate),
    }
  }
}

const StoredKey = v.object({ privateKey: v.string(), publicKey: v.string() })
type StoredKey = v.InferOutput<typeof StoredKey>

const StoredIdentity = v.object({
  tenantId: v.string(),
  connectorId: v.string(),
  issuedAt: v.number(),
  expiresAt: v.number(),
  keys: StoredKey,
  certificate: v.string(),
  chain: v.array(v.string()),
  cloudAuthorities: v.array(v.string()),
})
type StoredIdentity = v.InferOutput<typeof StoredIdentity>

const StoredFile = v.object({
  version: v.literal(1),
  pendingKey: v.optional(StoredKey),
  current: v.optional(StoredIdentity),
  previous: v.optional(StoredIdentity),
})
type StoredFile = v.InferOutput<typeof StoredFile>

function parse(path: string, text: string): StoredFile {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The parser's own message quotes the text, which holds a key.
    throw new ConfigurationInvalid(path, 'is not JSON')
  }
  const result = v.safeParse(StoredFile, value)
  if (result.success) return result.output
  const where = v.getDotPath(result.issues[0]) ?? ''
  throw new ConfigurationInvalid(path, `"${where}" is missing or of the wrong type`)
}

function der(label: string, pem: string): Uint8Array<ArrayBuffer> {
  const octets = fromPem(label, pem)
  if (octets === undefined) throw new ConfigurationInvalid(label, 'is not there in PEM')
  return octets
}
