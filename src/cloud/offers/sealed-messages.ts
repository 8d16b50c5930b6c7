/**
 * What instances say to each other through a broker that is not trusted: sealed by AES-256-GCM
 * (NIST SP 800-38D) under a key of the ring that is derived for this purpose and for one sender.
 *
 * What the message is about is said in clear, so that it can be told apart before it is opened, and
 * is authenticated with it: version, kind, tenant, group, exchange, attempt and who sent it. A
 * message that is moved to another tenant, group, attempt or kind does not open.
 *
 * A sealed message: the length of its head (2 octets, big endian), the head (a MessagePack array of
 * the elements of {@link SealedHead} in their order), the nonce (12 octets), the sealed value.
 *
 * Nobody needs to know a message again: what is doubled or late is harmless, since only the origin
 * confirms an attempt.
 *
 * @see spec/PROTOCOL.md, "Between instances"
 * @module
 */
import { Refused } from '../../protocol/wire/errors.ts'
import { decode, encode } from '../../protocol/wire/msgpack.ts'
import { hexadecimal } from '../../protocol/wire/octets.ts'
import { BoundedCache } from '../../runtime/bounded-cache.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'

/** A sealed message is no longer: what is does not travel. Octets. */
export const MAX_SEALED_BYTES = 512 * 1024
/** Its version, which is part of the purpose that keys are derived for. */
const VERSION = 1
const PURPOSE = 'app-proxy instances 1'
const NONCE_BYTES = 12
const KEYS = 1_024
const MAX_DEPTH = 8
const MAX_HEAD_BYTES = 8_192

export type SealedKind = 'offer' | 'receipt' | 'outcome' | 'presence' | 'health' | 'hello' | 'bye'

/** What a message is about. It is said in clear, and authenticated. */
export interface SealedHead {
  readonly kind: SealedKind
  /** The instance that says it. */
  readonly from: string
  readonly tenantId: string
  readonly groupId: string
  /** The exchange; empty: it is about none. */
  readonly id: string
  readonly attempt: number
}

/** The keys that instances share: a key ring. */
export interface SharedKeys {
  readonly newest: string
  has(id: string): boolean
  derive(id: string, use: readonly string[]): Promise<Uint8Array>
}

interface ParsedMessage {
  readonly head: SealedHead
  readonly key: string
  readonly sender: string
  readonly authenticated: Uint8Array<ArrayBuffer>
  readonly nonce: Uint8Array<ArrayBuffer>
  readonly sealed: Uint8Array<ArrayBuffer>
}

/** Seals what one instance says, and opens what others do. */
export class SealedMessages {
  readonly #keys: SharedKeys
  readonly #crypto: CryptoProvider
  /** Names this run: no two senders share a key, so that no nonce is used twice. */
  readonly #sender: string
  #sent = 0
  /** By key of the ring and sender: of the service, no tenant's. */
  readonly #derived = new BoundedCache<Promise<CryptoKey>>(KEYS)

  constructor(keys: SharedKeys, crypto: CryptoProvider) {
    this.#keys = keys
    this.#crypto = crypto
    this.#sender = hexadecimal(crypto.getRandomValues(new Uint8Array(16)))
  }

  /** @throws Refused `too-large` */
  async seal(head: SealedHead, value: unknown): Promise<Uint8Array> {
    const key = this.#keys.newest
    const { kind, from, tenantId, groupId, id, attempt } = head
    const elements = [VERSION, kind, key, this.#sender, from, tenantId, groupId, id, attempt]
    const told = encode(elements)
    const plain = encode(value)
    const length = 2 + told.length + NONCE_BYTES + plain.length + 16
    if (length > MAX_SEALED_BYTES)
      throw new Refused('too-large', `${length} octets do not travel between instances`)
    const whole = new Uint8Array(length)
    const view = new DataView(whole.buffer)
    view.setUint16(0, told.length)
    whole.set(told, 2)
    const nonce = whole.subarray(2 + told.length, 2 + told.length + NONCE_BYTES)
    // A counter of this run's messages: 2^53 of them.
    const number = ++this.#sent
    view.setUint32(nonce.byteOffset + 4, Math.floor(number / 2 ** 32))
    view.setUint32(nonce.byteOffset + 8, number >>> 0)
    const sealed = await this.#crypto.subtle.encrypt(
      { name: 'AES-GCM', iv: nonce, additionalData: told },
      await this.#key(key, this.#sender),
      plain,
    )
    whole.set(new Uint8Array(sealed), 2 + told.length + NONCE_BYTES)
    return whole
  }

  /** What a message says that it is about, before it is known to be true; undefined: nothing. */
  peek(whole: Uint8Array): SealedHead | undefined {
    return parsed(whole)?.head
  }

  /** Undefined: it is not of an instance that shares the keys, or was changed. */
  async open(
    whole: Uint8Array,
  ): Promise<{ readonly head: SealedHead; readonly value: unknown } | undefined> {
    const message = parsed(whole)
    if (message === undefined || !this.#keys.has(message.key)) return undefined
    try {
      const plain = await this.#crypto.subtle.decrypt(
        { name: 'AES-GCM', iv: message.nonce, additionalData: message.authenticated },
        await this.#key(message.key, message.sender),
        message.sealed,
      )
      const limits = { maxBytes: MAX_SEALED_BYTES, maxDepth: MAX_DEPTH }
      const value = decode(new Uint8Array(plain), { ...limits, reason: 'MALFORMED_MESSAGE' })
      return { head: message.head, value }
    } catch {
      return undefined
    }
  }

  #key(key: string, sender: string): Promise<CryptoKey> {
    const name = `${key} ${sender}`
    let derived = this.#derived.get(name)
    if (derived === undefined) {
      derived = this.#derive(key, sender)
      this.#derived.set(name, derived)
      derived.catch(() => this.#derived.delete(name))
    }
    return derived
  }

  async #derive(key: string, sender: string): Promise<CryptoKey> {
    const secret = await this.#keys.derive(key, [PURPOSE, sender])
    return this.#crypto.subtle.importKey('raw', secret.slice(), 'AES-GCM', false, [
      'encrypt',
      'decrypt',
    ])
  }
}

const KINDS: ReadonlySet<unknown> = new Set<SealedKind>([
  ...(['offer', 'receipt', 'outcome', 'presence', 'health', 'hello', 'bye'] as const),
])

function parsed(whole: Uint8Array): ParsedMessage | undefined {
  if (whole.length > MAX_SEALED_BYTES || whole.length < 2 + NONCE_BYTES + 16) return undefined
  const length = new DataView(whole.buffer, whole.byteOffset).getUint16(0)
  const start = 2 + length
  if (length > MAX_HEAD_BYTES || whole.length < start + NONCE_BYTES + 16) return undefined
  // A copy: what is checked is what is authenticated.
  const authenticated = whole.slice(2, start)
  let elements: unknown
  try {
    const limits = { maxBytes: MAX_HEAD_BYTES, maxDepth: 1 }
    elements = decode(authenticated, { ...limits, reason: 'MALFORMED_MESSAGE' })
  } catch {
    return undefined
  }
  if (!Array.isArray(elements) || elements.length !== 9) return undefined
  const [version, kind, key, sender, from, tenantId, groupId, id, attempt] = elements as unknown[]
  if (version !== VERSION || !KINDS.has(kind) || !Number.isSafeInteger(attempt)) return undefined
  const texts = [key, sender, from, tenantId, groupId, id]
  if (!texts.every((text) => typeof text === 'string')) return undefined
  return {
    head: { kind, from, tenantId, groupId, id, attempt } as SealedHead,
    ...{ key: key as string, sender: sender as string, authenticated },
    nonce: whole.slice(start, start + NONCE_BYTES),
    sealed: whole.slice(start + NONCE_BYTES),
  }
}
