/**
 * The roots of an authority: one, and two while it is rolled. An operator starts the roll and
 * finishes it; between, both are trusted, so nobody who was certified has to be known anew.
 *
 * What is stored says how far it is, together with the time: a crash leaves what was stored before
 * or what was stored after, and both are read.
 *
 * @module
 */
import { ConfigurationInvalid, PortFailed, Refused } from '../../protocol/internal.ts'
import { readCertificate, readPrivateKey } from '../../runtime/certificates.ts'
import { systemClocks } from '../../runtime/clocks.ts'
import { Containment } from '../../runtime/containment.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import { sameOctets } from '../../runtime/der.ts'
import * as x509 from '../../runtime/x509.ts'
import {
  newRoot,
  openRoot,
  rootKeyId,
  type AuthorityOptions,
  type AuthorityRoot,
  type LoadedAuthority,
  type StoredAuthority,
} from './authority-root.ts'

/**
 * How far a roll is. `one`: there is one root. `announced`: the next one is trusted, and nobody
 * does anything about it. `rolling`: connectors are asked to renew; both are trusted still.
 */
export type RollState = 'one' | 'announced' | 'rolling'

type Step = RollState | { readonly refused: string }

const UNDER_WAY = { refused: 'a roll is under way: it must be finished first' }

/** Every state × event pair of a roll; `due`: the time has come that the root before leaves. */
// prettier-ignore
export const ROLL = {
  one:       { begin: 'announced', due: 'one',     finish: { refused: 'no roll is under way' } },
  announced: { begin: UNDER_WAY,   due: 'rolling', finish: { refused: 'it is announced, and has not begun' } },
  rolling:   { begin: UNDER_WAY,   due: 'rolling', finish: 'one' },
} as const satisfies Readonly<Record<RollState, Readonly<Record<'begin' | 'due' | 'finish', Step>>>>

/** A root, as an operator sees it. */
export interface RootView {
  /** Its subject key identifier, hexadecimal. */
  readonly keyId: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

/** How far the roll of an authority is. */
export interface RollView {
  readonly state: RollState
  /** The only one, or the next. */
  readonly root: RootView
  /** The one before. */
  readonly leaving?: RootView & {
    /** From then on connectors are asked to renew. Milliseconds since 1970. */
    readonly leavesAt: number
  }
}

/** The roll of an authority. */
export interface AuthorityRoll {
  /** The roots that are trusted, DER. */
  readonly trusted: readonly Uint8Array[]
  /** How far it is. */
  view(): RollView
  /**
   * Makes the next root, which is trusted at once.
   *
   * @param leavesAt when connectors are asked to renew: no sooner than every instance has what is
   *   stored. Milliseconds since 1970
   * @throws ConfigurationInvalid `authority` when a roll is under way, or the store keeps what it
   *   has; Refused `conflict` when somebody else was first
   */
  begin(leavesAt: number): Promise<void>
  /**
   * From now on the next root signs, and the one before is not trusted.
   *
   * @throws ConfigurationInvalid `authority` when no roll is under way, or it is announced only;
   *   Refused `conflict` when somebody else was first
   */
  finish(): Promise<void>
  /** Takes up what was stored by others. Called by itself where the store can be watched. */
  reload(): Promise<void>
  /** Calls `listener` when other roots are trusted than before; returns the end of it. */
  onChange(listener: () => void): () => void
  /** Ends the watch on the store. */
  close(): void
}

interface Leaving {
  readonly root: AuthorityRoot
  readonly leavesAt: number
}

interface Roots {
  readonly next: AuthorityRoot
  readonly leaving?: Leaving | undefined
}

/**
 * Which root signs in a roll, once it has begun: the next one, where whoever checks certificates
 * knows it; the one before, where they must be told of the next one first.
 */
export type RollSigner = 'next' | 'leaving'

/** The roots of an authority, as this instance knows them. @internal */
export class AuthorityRoots implements AuthorityRoll {
  readonly #name: string
  readonly #signer: RollSigner
  readonly #listeners = new Set<() => void>()
  readonly #options: AuthorityOptions
  readonly #crypto: CryptoProvider
  #roots: Roots
  #trusted: readonly Uint8Array[]
  /** What is loaded or stored, one after the other. */
  #turn: Promise<unknown> = Promise.resolve()
  #unwatch: () => void = () => undefined

  /**
   * The roots in the store; a new one when there is none.
   *
   * @throws ConfigurationInvalid when what is stored is not a root, or not its key
   */
  static async open(
    name: string,
    options: AuthorityOptions,
    signer: RollSigner,
  ): Promise<AuthorityRoots> {
    const { crypto = globalThis.crypto, clocks = systemClocks, store } = options
    let stored = await store.load()
    if (stored === undefined) {
      await store.save(await newRoot(name, crypto, clocks.wallClock()))
      stored = await store.load()
    }
    if (stored === undefined) throw new ConfigurationInvalid('authority', 'its store forgets')
    return new AuthorityRoots(name, options, signer, await openRoots(stored, crypto))
  }

  private constructor(name: string, options: AuthorityOptions, signer: RollSigner, roots: Roots) {
    this.#name = name
    this.#signer = signer
    this.#options = options
    this.#crypto = options.crypto ?? globalThis.crypto
    this.#roots = roots
    this.#trusted = trustedOf(roots)
    const changed = new Containment(options.onError).notify('authority.reload', () => this.reload())
    this.#unwatch = options.store.watch?.(changed) ?? this.#unwatch
  }

  get trusted(): readonly Uint8Array[] {
    return this.#trusted
  }

  /** The one that signs at this time, milliseconds since 1970. */
  signing(now: number): AuthorityRoot {
    const { next, leaving } = this.#roots
    if (leaving === undefined) return next
    return this.#signer === 'leaving' || now < leaving.leavesAt ? leaving.root : next
  }

  view(): RollView {
    const { next, leaving } = this.#roots
    return {
      state: this.#state(),
      root: rootView(next),
      ...(leaving && { leaving: { ...rootView(leaving.root), leavesAt: leaving.leavesAt } }),
    }
  }

  begin(leavesAt: number): Promise<void> {
    return this.#step('begin', async (stored) => ({
      ...(await newRoot(this.#name, this.#crypto, this.#now())),
      leaving: { ...stored, leavesAt: leavesAt },
    }))
  }

  finish(): Promise<void> {
    return this.#step('finish', (stored) => stored)
  }

  reload(): Promise<void> {
    return this.#inTurn(async () => {
      const stored = await this.#options.store.load()
      // One that is gone, or is being put there, takes nothing from those that are known.
      if (stored !== undefined) await this.#take(stored)
    })
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#unwatch()
  }

  /** Decided on what is stored, and stored in its place alone. */
  #step(
    event: 'begin' | 'finish',
    next: (stored: StoredAuthority) => StoredAuthority | Promise<StoredAuthority>,
  ): Promise<void> {
    return this.#inTurn(async () => {
      const { store } = this.#options
      const stored = await store.load()
      if (stored === undefined) throw new PortFailed('authority.store.load')
      await this.#take(stored)
      const to: Step = ROLL[this.#state()][event]
      if (typeof to !== 'string') throw new ConfigurationInvalid('authority', to.refused)
      if (store.replace === undefined)
        throw new ConfigurationInvalid('authority', 'its store keeps one root for ever')
      const before = this.#roots.next.der
      const made = await next({
        key: readPrivateKey(stored.key, 'key'),
        certificate: readCertificate(stored.certificate, 'certificate'),
      })
      if (!(await store.replace(made, before)))
        throw new Refused('conflict', 'another root was stored meanwhile')
      await this.#take(made)
    })
  }

  async #take(stored: LoadedAuthority): Promise<void> {
    const roots = await openRoots(stored, this.#crypto)
    const trusted = trustedOf(roots)
    this.#roots = roots
    // The same array as long as it says the same: whoever trusts them looks whether it is another.
    if (sameList(trusted, this.#trusted)) return
    this.#trusted = trusted
    const { onError } = this.#options
    for (const listener of this.#listeners)
      new Containment(onError).notify('authority.onChange.listener', listener)()
  }

  #state(): RollState {
    const { leaving } = this.#roots
    if (leaving === undefined) return 'one'
    return this.#now() < leaving.leavesAt ? 'announced' : ROLL.announced.due
  }

  #now(): number {
    return (this.#options.clocks ?? systemClocks).wallClock()
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => undefined)
    return done
  }
}

/** The roots that certificates of this authority are good by, DER. */
export function trustedRoots(authority: {
  readonly certificate: Uint8Array
  readonly roll?: Pick<AuthorityRoll, 'trusted'> | undefined
}): readonly Uint8Array[] {
  return authority.roll?.trusted ?? [authority.certificate]
}

/**
 * The key of the root that signed a certificate (DER), as {@link RootView.keyId}; empty where it
 * names none, or cannot be read.
 */
export function authorityKeyIdOf(der: Uint8Array): string {
  try {
    const certificate = new x509.X509Certificate(der as BufferSource)
    const { keyId = '' } = certificate.getExtension(x509.AuthorityKeyIdentifierExtension) ?? {}
    return keyId.toLowerCase()
  } catch {
    return ''
  }
}

/** The root that signed a certificate (DER), of those that are trusted; else the one that signs. */
export function issuerOf(
  der: Uint8Array,
  authority: Parameters<typeof trustedRoots>[0],
): Uint8Array {
  const roots = trustedRoots(authority)
  if (roots.length === 1) return roots[0]!
  const keyId = authorityKeyIdOf(der)
  const issuer = roots.find(
    (root) => rootKeyId(new x509.X509Certificate(root as BufferSource)) === keyId,
  )
  return issuer ?? authority.certificate
}

/** Whether two lists hold the same certificates, in the same order. */
export function sameList(some: readonly Uint8Array[], others: readonly Uint8Array[]): boolean {
  return (
    some.length === others.length &&
    some.every((der, i) => der === others[i] || sameOctets(der, others[i]!))
  )
}

async function openRoots(stored: LoadedAuthority, crypto: CryptoProvider): Promise<Roots> {
  const { leaving } = stored
  return {
    next: await openRoot(stored, crypto),
    ...(leaving && {
      leaving: { root: await openRoot(leaving, crypto), leavesAt: leaving.leavesAt },
    }),
  }
}

function trustedOf({ next, leaving }: Roots): readonly Uint8Array[] {
  return leaving === undefined ? [next.der] : [next.der, leaving.root.der]
}

function rootView({ keyId, certificate }: AuthorityRoot): RootView {
  return { keyId, expiresAt: certificate.notAfter.getTime() }
}
