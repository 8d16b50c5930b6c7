/**
 * The connector's own credential, by its keytab: one for each lane, because the library lets one
 * call at a time use a credential, however long the KDC takes.
 *
 * @module
 */
import type { Clocks } from '../../runtime/clocks.ts'
import type { Handle } from './foreign-library.ts'
import type { Gssapi } from './gssapi.ts'
import type { LaneCall } from './lanes.ts'
import { at, isExpired } from './steps.ts'

/** Options of {@link LaneAccounts}. */
export interface LaneAccountsOptions {
  readonly gssapi: Pick<Gssapi, 'acquire' | 'credentialFacts' | 'releaseCredential'>
  readonly keytab: string
  /** `account@REALM`; undefined: the keytab's first entry. */
  readonly principal: string | undefined
  readonly clocks: Pick<Clocks, 'now'>
}

interface Account {
  readonly credential: Handle
  readonly renewAt: number
  readonly goodUntil: number
}

/** Nobody else in this process has tickets under this name. */
const newCache = () => `MEMORY:app-proxy-${crypto.randomUUID()}`

/** How much of a ticket's life it is used for: it has a way to go yet. */
const USED = 0.8

/** How long something is begun with, of what lives so long. */
export const usedMs = (lifetimeSeconds: number): number => lifetimeSeconds * 1_000 * USED

export class LaneAccounts {
  readonly #options: LaneAccountsOptions
  readonly #accounts = new Map<number, Account>()
  readonly #caches = new Map<number, string>()

  constructor(options: LaneAccountsOptions) {
    this.#options = options
  }

  /**
   * Renewed early, and used as long as it is good.
   *
   * @throws SignOnFailed
   */
  async credential({ lane }: LaneCall): Promise<Handle> {
    const { clocks } = this.#options
    const known = this.#accounts.get(lane)
    if (known !== undefined && clocks.now() < known.renewAt) return known.credential
    try {
      const account = await this.#acquire(lane).catch((error: unknown) => {
        if (!isExpired(error)) throw error
        // The library shows what the cache still has, and keeps to itself why there is nothing new.
        this.#caches.set(lane, newCache())
        return this.#acquire(lane)
      })
      this.forget(lane)
      this.#accounts.set(lane, account)
      return account.credential
    } catch (error) {
      if (known !== undefined && clocks.now() < known.goodUntil) return known.credential
      throw error
    }
  }

  async #acquire(lane: number): Promise<Account> {
    const { gssapi, keytab, principal, clocks } = this.#options
    const cache = this.#caches.get(lane) ?? newCache()
    this.#caches.set(lane, cache)
    const credential = await at('account', gssapi.acquire({ principal, keytab, cache }))
    try {
      const { lifetimeSeconds } = await at('account', gssapi.credentialFacts(credential))
      const now = clocks.now()
      const goodUntil = now + lifetimeSeconds * 1_000
      return { credential, renewAt: now + usedMs(lifetimeSeconds), goodUntil }
    } catch (error) {
      gssapi.releaseCredential(credential)
      throw error
    }
  }

  /** Says whether there was one. */
  forget(lane: number): boolean {
    const known = this.#accounts.get(lane)
    if (known !== undefined) this.#options.gssapi.releaseCredential(known.credential)
    return this.#accounts.delete(lane)
  }

  /** Gives them back; no lane uses one any more. */
  close(): void {
    for (const lane of [...this.#accounts.keys()]) this.forget(lane)
  }
}
