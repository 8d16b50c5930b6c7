/**
 * Sessions that outlive their ID token: the refresh tokens that are kept for them, and their
 * renewal.
 *
 * The decisions are the `session-renewal` machine's; here its effects are performed. On one
 * instance a session has one attempt at a time, and who comes with an old cookie gets what came of
 * it.
 *
 * @see docs/sessions.md
 * @module
 */
import type { SignInReason } from '../../protocol/machines/sign-in-denials.ts'
import {
  foundEvent,
  renewalDue,
  SESSION_RENEWAL,
  SESSION_RENEWAL_MOVES,
  type RenewalOutcome,
  type SessionGrant,
  type SessionRenewalEvent,
  type SessionRenewalLimits,
  type SessionRenewalOutput,
  type SessionRenewalState,
} from '../../protocol/machines/session-renewal.ts'
import { next } from '../../protocol/machines/moves.ts'
import { BoundedCache } from '../../runtime/bounded-cache.ts'
import { inTime, timerOf, type Scheduler, type Timer } from '../../runtime/scheduler.ts'
import type { KeyRing } from './key-ring.ts'
import type { Application } from '../directory/directory-port.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import { sealGrant, unsealGrant } from './sealed-grant.ts'
import { labelOf, type KeptGrant } from './session-grants.ts'
import { namesOf } from './session-revocations.ts'
import { slideMs } from './session-lifetime.ts'
import type { Session, Sessions, StartedSession } from './session.ts'

/** From where a session is renewed. */
export interface RenewalRequest {
  readonly id: string
  readonly address: string
}

/** What the issuer, and the rules, say to a refresh token that is shown. */
export type AskedAgain =
  | {
      readonly kind: 'renewed'
      readonly grant: SessionGrant
    }
  /** The session is over. */
  | { readonly kind: 'ended'; readonly reason: SignInReason }
  /** It may be asked again; the refresh token may have been replaced. */
  | { readonly kind: 'failed'; readonly reason: SignInReason; readonly grant: SessionGrant }

/**
 * Shows a refresh token to the issuer, checks its answer, and judges the new claims. Never rejects;
 * bounded in time.
 */
export type AskAgain = (
  application: Application,
  host: string,
  grant: SessionGrant,
  request: RenewalRequest,
) => Promise<AskedAgain>

export interface SessionRenewalsOptions {
  readonly sessions: Sessions
  readonly keyRing: KeyRing
  readonly clocks: Clocks
  /** Default: the runtime's timers. */
  readonly scheduler?: Scheduler | undefined
  readonly audit: AuditSink
  readonly crypto: CryptoProvider
  readonly askAgain: AskAgain
  /** A session goes on so long without its issuer. Milliseconds, default 600 000. */
  readonly issuerGraceMs?: number | undefined
  readonly limits?: Partial<SessionRenewalLimits> | undefined
}

/** What became of an attempt. */
export type Renewal =
  | ({ readonly kind: 'renewed' } & StartedSession)
  | { readonly kind: 'ended' | 'unrenewable' | 'postponed' }

const DEFAULT_LIMITS: SessionRenewalLimits = {
  storeMs: 5_000,
  refreshMs: 60_000,
  lookAgainMs: 100,
  leaseMs: 75_000,
}
/** After a failure nobody asks again for so long. Milliseconds. */
const REST_MS = 5_000
/**
 * A request waits no longer for the renewal of a session that its issuer's grace still carries.
 * Milliseconds.
 */
const PATIENCE_MS = 5_000
const MAX_REMEMBERED = 4_096

export class SessionRenewals {
  readonly #options: SessionRenewalsOptions
  readonly #limits: SessionRenewalLimits
  readonly #timer: Timer
  readonly #issuerGraceMs: number
  /** Session id → its renewal under way; a session id is random and names one session. */
  readonly #running = new Map<string, Promise<Renewal>>()
  /** What came of the last attempts, by session. */
  readonly #done = new BoundedCache<{ readonly renewal: Renewal; readonly at: number }>(
    MAX_REMEMBERED,
  )

  constructor(options: SessionRenewalsOptions) {
    this.#options = options
    this.#timer = timerOf(options)
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.#issuerGraceMs = options.issuerGraceMs ?? 10 * 60_000
  }

  /** Keeps what the issuer granted, for as long as the session may last. */
  async keep(application: Application, session: Session, grant: SessionGrant): Promise<void> {
    const { sessions, keyRing } = this.#options
    this.#done.delete(session.id)
    const sealed = await sealGrant(keyRing, application, session.id, grant)
    await sessions.grants.write(session.id, await this.#kept(application, session, sealed))
  }

  /** Whether what its ID token says may still be believed, without the issuer. */
  isCarried({ freshUntil = Infinity }: Pick<Session, 'freshUntil'>, wallNow: number): boolean {
    return wallNow < freshUntil + this.#issuerGraceMs
  }

  /**
   * Renews a session, or tells what came of it a moment ago: without a promise, where that is
   * known. Never rejects.
   */
  renew(
    application: Application,
    host: string,
    session: Session,
    request: RenewalRequest,
    isForced = false,
  ): Renewal | Promise<Renewal> {
    const known = this.#known(session, isForced)
    if (known !== undefined) return known
    let running = this.#running.get(session.id)
    if (running === undefined) {
      running = this.#attempt(application, host, session, request)
        .catch((): Renewal => ({ kind: 'postponed' }))
        .then((renewal) => this.#remember(session, renewal))
      this.#running.set(session.id, running)
    }
    return running
  }

  /** The same for a request that cannot go on without: it waits no longer than it must. */
  async renewInTime(...attempt: Parameters<SessionRenewals['renew']>): Promise<Renewal> {
    const renewing = this.renew(...attempt)
    const [, , session] = attempt
    if (!(renewing instanceof Promise)) return renewing
    if (!this.isCarried(session, this.#options.clocks.wallClock())) return renewing
    return inTime<Renewal>(this.#timer, PATIENCE_MS, renewing, () => ({ kind: 'postponed' }))
  }

  /** The session is in use: what is kept for it may be needed longer. */
  async used(application: Application, session: Session): Promise<void> {
    if (session.hasGrant !== true) return
    const { grants } = this.#options.sessions
    await grants.endAt(session.id, this.#endOf(application, session))
  }

  #known(session: Session, isForced: boolean): Renewal | undefined {
    const done = this.#done.get(session.id)
    if (done === undefined) return undefined
    const { renewal, at } = done
    if (renewal.kind === 'renewed') {
      const isNews = renewal.session.freshUntil! > session.freshUntil!
      return isNews && !isForced ? renewal : undefined
    }
    if (renewal.kind === 'unrenewable') return renewal
    const isRecent = Math.abs(this.#options.clocks.wallClock() - at) < REST_MS
    return isRecent ? renewal : undefined
  }

  #remember(session: Session, renewal: Renewal): Renewal {
    this.#running.delete(session.id)
    this.#done.set(session.id, { renewal, at: this.#options.clocks.wallClock() })
    return renewal
  }

  /** Drives the machine: one event, then the effect it asked for, until nothing is awaited. */
  async #attempt(
    application: Application,
    host: string,
    session: Session,
    request: RenewalRequest,
  ): Promise<Renewal> {
    const { clocks } = this.#options
    const { grants } = this.#options.sessions
    const { id } = session
    let state: SessionRenewalState = renewalDue(this.#limits)
    let effect: (() => Promise<SessionRenewalEvent>) | undefined
    /** A result of an effect, or of its failure. */
    const perform = (
      op: number,
      name: 'read' | 'lease' | 'store',
      work: () => Promise<SessionRenewalEvent>,
    ) => {
      effect = () => work().catch(() => ({ type: `${name}Refused`, op, reason: 'internal' }))
    }
    let endsAt = 0
    const write = async (grant: SessionGrant, version: number, lease?: string) => {
      const sealed = await sealGrant(this.#options.keyRing, application, id, grant)
      const kept = await this.#kept(application, session, sealed)
      // Another instance may have seen a later use: keep the later end.
      return grants.write(id, { ...kept, endsAt: Math.max(kept.endsAt, endsAt), lease }, version)
    }
    const out: SessionRenewalOutput = {
      read: (op) =>
        perform(op, 'read', async () => {
          const found = await this.#found(application, id)
          endsAt = found?.endsAt ?? 0
          return foundEvent(state, op, found, session.freshUntil!, clocks.now())
        }),
      lease: (op, grant, found) =>
        perform(op, 'lease', async () => {
          const version = await write(grant, found, this.#holder())
          const now = clocks.now()
          if (version === undefined) return { type: 'leaseLost', op, now }
          return { type: 'leaseDone', op, version, now }
        }),
      refresh: (op, grant) => {
        effect = async () => {
          const { askAgain } = this.#options
          const asked = await askAgain(application, host, grant, request)
          const now = clocks.now()
          if (asked.kind === 'renewed') return { type: 'refreshDone', op, grant: asked.grant, now }
          const { reason } = asked
          if (asked.kind === 'ended') return { type: 'refreshEnded', op, reason }
          return { type: 'refreshRefused', op, reason, grant: asked.grant, now }
        }
      },
      store: (op, grant, leased) =>
        perform(op, 'store', async () => {
          const version = await write(grant, leased)
          if (version === undefined) return { type: 'storeLost', op, now: clocks.now() }
          return { type: 'storeDone', op }
        }),
    }
    let event: SessionRenewalEvent = { type: 'begin', now: clocks.now() }
    for (;;) {
      effect = undefined
      state = next(SESSION_RENEWAL, SESSION_RENEWAL_MOVES, state, event, out)
      if (!('deadline' in state)) break
      event = await this.#before(effect, state.deadline)
    }
    return this.#outcome(application, host, session, request, state as RenewalOutcome)
  }

  async #outcome(
    application: Application,
    host: string,
    session: Session,
    request: RenewalRequest,
    outcome: RenewalOutcome,
  ): Promise<Renewal> {
    const { sessions, audit, clocks } = this.#options
    const { state } = outcome
    const event = {
      time: clocks.wallClock(),
      type: 'session.renewed',
      tenantId: application.tenantId,
      applicationId: application.id,
      subject: session.user.subject,
      sessionId: session.id,
      requestId: request.id,
      address: request.address,
    } as const
    switch (state) {
      case 'renewed': {
        const started = await sessions.continue(application, host, session, outcome.grant)
        audit.write({ ...event, outcome: 'success' })
        return { kind: state, ...started }
      }
      case 'ended':
        audit.write({ ...event, outcome: 'refused', reason: outcome.reason })
        await sessions.revoke({ kind: 'session', id: session.id, at: clocks.wallClock() })
        return { kind: state }
      case 'postponed':
        audit.write({ ...event, outcome: 'failed', reason: outcome.reason })
        // This issuer gives no new ID token: do not ask it again.
        return { kind: outcome.reason === 'token-missing' ? 'unrenewable' : state }
      case 'unrenewable':
        return { kind: state }
    }
  }

  async #found(application: Application, id: string) {
    const { sessions, keyRing } = this.#options
    const found = await sessions.grants.read(id)
    const { kept, version } = found ?? {}
    const grant = kept && (await unsealGrant(keyRing, application, id, kept.sealed))
    if (grant === undefined) return undefined
    const { lease, endsAt } = kept!
    return { grant, version: version!, isHeld: lease !== undefined, endsAt }
  }

  async #kept(application: Application, session: Session, sealed: string): Promise<KeptGrant> {
    const { crypto } = this.#options
    const names = namesOf(session, application)
    const labels = await Promise.all(names.map((name) => labelOf(crypto, name)))
    const { startedAt } = session
    return { sealed, labels, startedAt, endsAt: this.#endOf(application, session) }
  }

  /** The effect's one answer, or `timeout`; an answer after it is dropped with the promise. */
  #before(
    effect: (() => Promise<SessionRenewalEvent>) | undefined,
    deadline: number,
  ): Promise<SessionRenewalEvent> {
    const { clocks } = this.#options
    const late = () => ({ type: 'timeout', now: clocks.now() }) as const
    return inTime<SessionRenewalEvent>(this.#timer, deadline - clocks.now(), effect, late)
  }

  /** What is kept for a session is of no use after this: milliseconds since 1970. */
  #endOf(application: Application, session: Session): number {
    const { idleMs } = application.session?.lifetime ?? {}
    const tolerance = idleMs === undefined ? 0 : slideMs(idleMs)
    return this.#options.sessions.endOf(application, session) + tolerance
  }

  #holder(): string {
    return String(this.#options.crypto.getRandomValues(new Uint32Array(1))[0])
  }
}
