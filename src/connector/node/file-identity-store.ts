/**
 * Keys and certificates in one file that only its owner can read.
 *
 * One file, replaced as a whole: every step of a roll is one rename, so a crash leaves the step before or the step
 * after, never something between. Keys are PKCS#8 PEM: Web Crypto cannot write a non-extractable key to a file, so
 * keys kept here are extractable and the file's mode is what guards them.
 *
 * @module
 */
import { constants } from 'node:fs'
import { mkdir, open, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { ConfigurationInvalid } from '../../protocol/errors.ts'
import type {
  ConnectorIdentity,
  CryptoProvider,
  IdentityStore,
  StoredIdentities,
} from '../ports.ts'
import { fromPem, toPem } from './pem.ts'

const FILE = 'identity.json'
const OTHERS = 0o077

export interface FileIdentityStoreOptions {
  /** A directory of its own: made with mode 0700 if missing, refused if others may enter it. */
  readonly directory: string
  /** Default: the runtime's Web Crypto. */
  readonly crypto?: CryptoProvider
}

/**
 * An {@link IdentityStore} in a directory.
 *
 * `load` throws {@link ConfigurationInvalid} if group or others have any right to the directory or the file, or if the
 * file is not one that this class wrote.
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
    await this.#prepareDirectory()
    const path = join(this.#directory, FILE)
    const text = await readPrivate(path)
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
    await this.#prepareDirectory()
    await replace(this.#directory, FILE, `${JSON.stringify(file, undefined, 2)}\n`)
  }

  async #prepareDirectory(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    refuseOthers(this.#directory, (await stat(this.#directory)).mode)
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
  if (octets === undefined) throw new TypeError(`no PEM block "${label}"`)
  return octets
}

/** The file's text, undefined if there is none; checked through the handle, so that what is checked is what is read. */
async function readPrivate(path: string): Promise<string | undefined> {
  let file: FileHandle
  try {
    file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    refuseOthers(path, (await file.stat()).mode)
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

/** Windows has no such modes; there the directory's access list is the guard. */
function refuseOthers(path: string, mode: number): void {
  if (process.platform === 'win32' || (mode & OTHERS) === 0) return
  const found = (mode & 0o777).toString(8).padStart(4, '0')
  throw new ConfigurationInvalid(
    path,
    `holds a private key: only its owner may have rights to it (mode is ${found})`,
  )
}

/** Durable and atomic: the new file is on disk before it takes the name, and the name is on disk before we return. */
async function replace(directory: string, name: string, text: string): Promise<void> {
  const temporary = join(directory, `${name}.new`)
  await rm(temporary, { force: true })
  const file = await open(temporary, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, join(directory, name))
  await syncDirectory(directory)
}

async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(directory, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
