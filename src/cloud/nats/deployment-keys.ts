/**
 * Seals what lies in the broker: whoever reads or writes its files, and has none of these keys,
 * learns nothing and can pass off nothing, not even what was said elsewhere or earlier.
 *
 * AES-256-GCM; what a value is and where it lies is authenticated with it, so it is its checksum
 * too. In order: one octet (1), 4 that name the key, 12 of the nonce, the value, 16 of the tag.
 *
 * @module
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { ConfigurationInvalid, PortFailed } from '../../protocol/internal.ts'
import { createPrivateFile, readPrivateFile } from '../../runtime/node/private-files.ts'

const FORMAT = 1
const KEY_BYTES = 32
const NONCE_AT = 5
const SEALED_AT = NONCE_AT + 12
const TAG_BYTES = 16

/** The keys that all instances of a deployment have: the first seals, each opens. */
export class DeploymentKeys {
  /** By their names. */
  readonly #keys: ReadonlyMap<string, Uint8Array>
  readonly #first: string

  /**
   * @param keys 32 octets each, chosen at random; the newest first
   * @throws ConfigurationInvalid when there is none, or one is of another length
   */
  constructor(...keys: readonly Uint8Array[]) {
    if (keys.length === 0 || keys.some(({ length }) => length !== KEY_BYTES))
      throw new ConfigurationInvalid('deploymentKeys', 'are not keys of 32 octets')
    this.#keys = new Map(keys.map((key) => [nameOf(key), key]))
    this.#first = nameOf(keys[0]!)
  }

  /** @param place where it will lie: it opens nowhere else. @internal */
  seal(place: string, value: Uint8Array): Uint8Array {
    const nonce = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', this.#keys.get(this.#first)!, nonce)
    cipher.setAAD(Buffer.from(place))
    const head = Buffer.concat([Buffer.of(FORMAT), Buffer.from(this.#first, 'hex'), nonce])
    const sealed = Buffer.concat([cipher.update(value), cipher.final()])
    return Buffer.concat([head, sealed, cipher.getAuthTag()])
  }

  /** @throws PortFailed `nats` when it was not sealed so, for this place. @internal */
  open(place: string, sealed: Uint8Array): Uint8Array {
    const octets = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.length)
    const key = this.#keys.get(octets.toString('hex', 1, NONCE_AT))
    const end = octets.length - TAG_BYTES
    if (octets[0] !== FORMAT || end < SEALED_AT) throw notOurs(place)
    if (key === undefined) throw notOurs(place)
    try {
      const nonce = octets.subarray(NONCE_AT, SEALED_AT)
      const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
      decipher.setAAD(Buffer.from(place)).setAuthTag(octets.subarray(end))
      return Buffer.concat([decipher.update(octets.subarray(SEALED_AT, end)), decipher.final()])
    } catch {
      throw notOurs(place)
    }
  }
}

/**
 * The deployment's keys in a file, mode 0600: one a line, base64url, the newest first. Each
 * instance needs the same; copy it as you would a private key.
 *
 * @throws ConfigurationInvalid when it is missing, is not private, or holds something else
 */
export async function deploymentKeyFile(path: string): Promise<DeploymentKeys> {
  const text = await readPrivateFile(path)
  if (text === undefined) throw new ConfigurationInvalid(path, 'is not there')
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  if (lines.length === 0 || !lines.every((line) => /^[A-Za-z0-9_-]{43}\s*$/.test(line)))
    throw new ConfigurationInvalid(path, 'holds no deployment keys')
  return new DeploymentKeys(...lines.map((line) => Buffer.from(line.trim(), 'base64url')))
}

/** Makes such a file with a new key. `false`: there is one, and nothing was written. */
export function createDeploymentKeyFile(path: string): Promise<boolean> {
  return createPrivateFile(path, `${randomBytes(KEY_BYTES).toString('base64url')}\n`)
}

function nameOf(key: Uint8Array): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 8)
}

function notOurs(place: string): PortFailed {
  const detail = `"${place}" was not sealed under a key of this deployment`
  return new PortFailed('nats', { detail })
}
