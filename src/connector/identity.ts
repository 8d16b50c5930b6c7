import { sameOctets } from '../runtime/der.ts'
import type { IssuedCertificate } from '../protocol/machines/certificate.ts'
import { ApiMisuse } from '../protocol/wire/errors.ts'
import { generateConnectorKey, identityOf } from './certificate-request.ts'
import type { ConnectorIdentity, IdentityStore, StoredIdentities } from './ports.ts'
import type { CryptoProvider } from '../runtime/crypto-provider.ts'

/**
 * The connector's identities as the store has them: every change is one atomic save, and is visible
 * here only once it is durable. Changes are made one after another.
 */
export class Identities {
  readonly #store: IdentityStore
  readonly #crypto: CryptoProvider
  #stored: StoredIdentities
  #last: Promise<unknown> = Promise.resolve()

  private constructor(store: IdentityStore, crypto: CryptoProvider, stored: StoredIdentities) {
    this.#store = store
    this.#crypto = crypto
    this.#stored = stored
  }

  static async open(store: IdentityStore, crypto: CryptoProvider): Promise<Identities> {
    return new Identities(store, crypto, await store.load())
  }

  /** The identity that calls are made with. */
  get current(): ConnectorIdentity | undefined {
    return this.#stored.current
  }

  /** The identity before, kept until `current` has been used successfully. */
  get previous(): ConnectorIdentity | undefined {
    return this.#stored.previous
  }

  /** The pending key; made, and made durable, if there is none. */
  preparePendingKey(): Promise<CryptoKeyPair> {
    return this.#change(async (stored) => {
      if (stored.pendingKey !== undefined) return [stored, stored.pendingKey]
      const pendingKey = await generateConnectorKey(this.#crypto, this.#store.extractable)
      return [{ ...stored, pendingKey }, pendingKey]
    })
  }

  /** Registration: the first identity, or one that replaces what no longer counts. */
  adopt(identity: ConnectorIdentity): Promise<ConnectorIdentity> {
    return this.#change(async () => [{ current: identity }, identity])
  }

  /**
   * A roll: pending key and certificate become `current`. What had been used before stays as
   * `previous`, even if an unused one is overtaken.
   *
   * @throws PeerViolation if the certificate does not fit key or connector; then nothing changed
   */
  promote(issued: IssuedCertificate, serverTime: number): Promise<ConnectorIdentity> {
    return this.#change(async ({ pendingKey, current, previous }) => {
      if (pendingKey === undefined || current === undefined)
        throw new ApiMisuse('there is no pending key, or no identity, to promote')
      const { certificate, chain } = issued
      const cloudAuthorities = nextAuthorities(current.cloudAuthorities, issued.cloudAuthorities)
      const identity = await identityOf(
        { ...current, keys: pendingKey, certificate, chain, cloudAuthorities, serverTime },
        this.#crypto,
      )
      return [{ current: identity, previous: previous ?? current }, identity]
    })
  }

  /** Current and previous identity change places. */
  revert(): Promise<ConnectorIdentity> {
    return this.#change(async (stored) => {
      const { current, previous } = stored
      if (previous === undefined) throw new ApiMisuse('there is no identity to revert to')
      return [{ ...stored, current: previous, previous: current }, previous]
    })
  }

  /**
   * `identity` works: the one before is forgotten, unless it has become current again meanwhile.
   */
  settle(identity: ConnectorIdentity): Promise<void> {
    return this.#change(async (stored) => {
      if (stored.current !== identity || stored.previous === undefined) return [stored, undefined]
      return [{ ...stored, previous: undefined }, undefined]
    })
  }

  #change<T>(
    change: (stored: StoredIdentities) => Promise<[to: StoredIdentities, result: T]>,
  ): Promise<T> {
    const made = this.#last.then(async () => {
      const [to, result] = await change(this.#stored)
      if (to !== this.#stored) await this.#store.save(to)
      this.#stored = to
      return result
    })
    this.#last = made.catch(() => undefined)
    return made
  }
}

/**
 * The authorities that the cloud's servers are known by from now on. A list that shares none with
 * those that have worked is a mistake, and nobody could be reached by it; and who pins none goes
 * on with public authorities.
 */
function nextAuthorities(
  held: readonly Uint8Array[],
  told: readonly Uint8Array[] = [],
): readonly Uint8Array[] {
  const isShared = told.some((one) => held.some((other) => sameOctets(one, other)))
  return isShared ? told : held
}
