/**
 * Sessions that are over before their time: signed out, ended by the issuer, or by an operator.
 *
 * A revocation names what is over and from when: it holds for what began up to then, and has to be
 * known only as long as such a session could last.
 *
 * @module
 */
import { systemClocks } from '../../runtime/clocks.ts'
import { Containment, type OnError } from '../../runtime/containment.ts'
import type { Caller } from '../identity/caller.ts'
import { policyNameOf } from '../directory/wildcard.ts'
import type { Application } from '../directory/directory-port.ts'

/** What is revoked. `at`, milliseconds since 1970: whatever began up to then. */
export type Revocation =
  // One session: a sign-out.
  | { readonly kind: 'session'; readonly id: string; readonly at: number }
  // All of a user's.
  | {
      readonly kind: 'user'
      readonly issuer: string
      readonly subject: string
      /** Of this application only. */
      readonly applicationId?: string
      readonly at: number
    }
  // All that one session at the issuer, its `sid`, led to.
  | {
      readonly kind: 'issuer-session'
      readonly issuer: string
      readonly issuerSession: string
      readonly applicationId?: string
      readonly at: number
    }
  // All of an application, whoever the user is.
  | { readonly kind: 'application'; readonly applicationId: string; readonly at: number }

/** Where revocations are kept, and where instances that share users learn of them. */
export interface SessionRevocations {
  /**
   * Grows with each revocation. What was found good at a version need not be asked again at that
   * version.
   */
  readonly version: number
  /**
   * Takes effect on this instance before the promise settles; on others as soon as they learn of
   * it.
   */
  revoke(revocation: Revocation): Promise<void>
  /** Synchronous, and does not grow with the number of revocations. */
  isRevoked(caller: Caller, application: Application): boolean
  /**
   * Whether what other instances revoked has not been heard of for too long: then nobody is let in
   * whose session may be one of those (503). What is open goes on. Absent: it never is.
   */
  readonly isStale?: boolean
  /** Tells of each revocation, this instance's own included; returns the end of it. */
  subscribe(listener: (revocation: Revocation) => void): () => void
}

/** Options of {@link MemoryRevocations}. */
export interface MemoryRevocationsOptions {
  /**
   * How long a session may last at most, so how long a revocation is kept. Milliseconds, default 24
   * hours.
   */
  readonly keepMs?: number
  /**
   * Revocations kept; beyond it the oldest go, and with them their effect. Default 100 000, some 20
   * MB.
   */
  readonly limit?: number
  /** Milliseconds since 1970. Default: the runtime's clock. */
  readonly wallClock?: () => number
  /** Told of listeners that fail. Default: nobody is. */
  readonly onError?: OnError
}

/** Revocations in this process's memory: after a restart they are forgotten. */
export class MemoryRevocations implements SessionRevocations {
  readonly #keepMs: number
  readonly #limit: number
  readonly #wallClock: () => number
  /** What is revoked → up to when. In order of revocation: the oldest are dropped first. */
  readonly #revoked = new Map<string, number>()
  readonly #containment: Containment
  readonly #listeners = new Set<(revocation: Revocation) => void>()
  #version = 0

  constructor(options: MemoryRevocationsOptions = {}) {
    this.#keepMs = options.keepMs ?? 24 * 3_600_000
    this.#limit = options.limit ?? 100_000
    this.#wallClock = options.wallClock ?? systemClocks.wallClock
    this.#containment = new Containment(options.onError)
  }

  get version(): number {
    return this.#version
  }

  revoke(revocation: Revocation): Promise<void> {
    const name = revocationName(revocation)
    const at = Math.max(revocation.at, this.#revoked.get(name) ?? 0)
    this.#revoked.delete(name)
    this.#revoked.set(name, at)
    this.#forget()
    this.#version += 1
    for (const listener of this.#listeners) listener(revocation)
    return Promise.resolve()
  }

  isRevoked(caller: Caller, application: Application): boolean {
    if (this.#revoked.size === 0) return false
    const { id } = application
    const whole = policyNameOf(application)
    const startedAt = caller.startedAt ?? 0
    const { user, issuerSession } = caller
    const isOver = (name: string) => startedAt <= (this.#revoked.get(name) ?? -1)
    // Revoking a session also ends cookies of it that were renewed since.
    if (caller.id !== undefined && this.#revoked.has(key('session', caller.id))) return true
    if (isOver(key('application', id)) || isOver(key('application', whole))) return true
    if (user === undefined) return false
    const { issuer, subject } = user
    return ['', id, whole].some(
      (of) =>
        isOver(key('user', issuer, subject, of)) ||
        (issuerSession !== undefined && isOver(key('issuer-session', issuer, issuerSession, of))),
    )
  }

  subscribe(listener: (revocation: Revocation) => void): () => void {
    const contained = this.#containment.notify('revocations.subscribe.listener', listener)
    this.#listeners.add(contained)
    return () => void this.#listeners.delete(contained)
  }

  /** Whatever began before the oldest kept has ended by itself. */
  #forget(): void {
    const oldest = this.#wallClock() - this.#keepMs
    for (const [name, at] of this.#revoked) {
      if (at >= oldest && this.#revoked.size <= this.#limit) break
      this.#revoked.delete(name)
    }
  }
}

/** Names what is revoked, without saying from when. */
export function revocationName(revocation: Revocation): string {
  const { kind } = revocation
  switch (kind) {
    case 'session':
      return key(kind, revocation.id)
    case 'user':
      return key(kind, revocation.issuer, revocation.subject, revocation.applicationId ?? '')
    case 'issuer-session':
      return key(kind, revocation.issuer, revocation.issuerSession, revocation.applicationId ?? '')
    case 'application':
      return key(kind, revocation.applicationId)
  }
}

/** Every revocation that would name this session, but the one by its own id. */
export function namesOf({ user, issuerSession }: Caller, application: Application): string[] {
  const at = 0
  const { issuer, subject } = user!
  const of = { kind: 'user', issuer, subject, at } as const
  const revocations: Revocation[] = [of]
  const session = {
    kind: 'issuer-session',
    issuer,
    issuerSession: issuerSession ?? '',
    at,
  } as const
  if (issuerSession !== undefined) revocations.push(session)
  // One label of a wildcard is named by itself, and with all the others.
  for (const applicationId of new Set([application.id, policyNameOf(application)])) {
    revocations.push({ kind: 'application', applicationId, at }, { ...of, applicationId })
    if (issuerSession !== undefined) revocations.push({ ...session, applicationId })
  }
  return revocations.map(revocationName)
}

/** Unambiguous: no two lists of strings share a JSON text. */
const key = (...parts: readonly string[]) => JSON.stringify(parts)
