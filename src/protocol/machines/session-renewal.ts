/**
 * A session that outlives its ID token: one attempt to renew it by the refresh token that is kept
 * for it.
 *
 *     due → reading → leasing → refreshing → storing → renewed
 *               ↑        ↓           ↓
 *            waiting ← reading    releasing → postponed
 *
 * Issuers that rotate refresh tokens end the whole grant when one is shown twice. So whoever renews
 * takes a lease first, by compare-and-set on the kept grant; everybody else waits, and reads what
 * became of it. A lease is dead when the grant has not changed for `leaseMs` under one's own eyes:
 * no two clocks are compared.
 *
 * - `renewed`: there is a new ID token, and its claims were judged
 * - `ended`: the issuer, or a rule, says that the session is over
 * - `unrenewable`: nothing is kept for it (any more); it goes on to the end of its ID token
 * - `postponed`: the issuer or the store could not be asked; the session goes on for a grace
 *
 * @see spec/PROTOCOL.md, "Sign-in and session"
 * @module
 */
import type { Moves } from './moves.ts'
import type { SignInReason } from './sign-in-denials.ts'
import type { SignInIdentity } from './sign-in.ts'
import { misuse, type Table } from './table.ts'

/** What is kept of a session at the server: never in a cookie, never in clear. */
export interface SessionGrant {
  readonly refreshToken: string
  /** Of the first ID token: a later one repeats it or says none. */
  readonly nonce: string
  /** What the newest ID token says. */
  readonly identity: SignInIdentity
  /** When that token was asked for. Milliseconds since 1970. */
  readonly renewedAt: number
}

/** Milliseconds. */
export interface SessionRenewalLimits {
  /** For each call of the store. */
  readonly storeMs: number
  /**
   * For the issuer's answer and its checks. Longer than the driver's own limits: what is given up
   * is not under way any more.
   */
  readonly refreshMs: number
  /** Between two looks at a grant that another renews. */
  readonly lookAgainMs: number
  /**
   * A lease that was seen unchanged for so long is dead. Longer than `refreshMs` and two `storeMs`.
   */
  readonly leaseMs: number
}

export type RenewalOutcome =
  | { readonly state: 'renewed'; readonly grant: SessionGrant }
  | { readonly state: 'ended'; readonly reason: SignInReason }
  | { readonly state: 'unrenewable' }
  | { readonly state: 'postponed'; readonly reason: SignInReason }

interface Common {
  /** Names the effect under way; a result with another number is stale. */
  readonly op: number
  readonly limits: SessionRenewalLimits
  /** Somebody's lease, and since when it has been seen. Monotonic milliseconds. */
  readonly seen?: { readonly version: number; readonly since: number } | undefined
}
/** Monotonic milliseconds. */
interface Awaiting extends Common {
  readonly deadline: number
}
/** The grant as it was read, and its version under our lease. */
interface Leased extends Awaiting {
  readonly grant: SessionGrant
  readonly version: number
}

export type SessionRenewalState =
  | ({ readonly state: 'due' } & Common)
  | ({ readonly state: 'reading' } & Awaiting)
  | ({ readonly state: 'waiting' } & Awaiting)
  | ({ readonly state: 'leasing'; readonly grant: SessionGrant } & Awaiting)
  | ({ readonly state: 'refreshing' } & Leased)
  | ({ readonly state: 'storing' } & Leased)
  | ({ readonly state: 'releasing'; readonly reason: SignInReason } & Leased)
  | RenewalOutcome

/** `now` is monotonic milliseconds. */
export type SessionRenewalEvent =
  | { readonly type: 'begin'; readonly now: number }
  // what was read: foundEvent() chooses which
  | FoundEvent
  | { readonly type: 'readRefused'; readonly op: number; readonly reason: SignInReason }
  // compare-and-set of the lease
  | {
      readonly type: 'leaseDone'
      readonly op: number
      readonly version: number
      readonly now: number
    }
  | { readonly type: 'leaseLost'; readonly op: number; readonly now: number }
  | { readonly type: 'leaseRefused'; readonly op: number; readonly reason: SignInReason }
  // the issuer's token endpoint, the checks of its token, the rules
  | {
      readonly type: 'refreshDone'
      readonly op: number
      readonly grant: SessionGrant
      readonly now: number
    }
  /** The session is over. */
  | { readonly type: 'refreshEnded'; readonly op: number; readonly reason: SignInReason }
  /** It may be renewed later, by `grant`: its refresh token may be a new one. */
  | {
      readonly type: 'refreshRefused'
      readonly op: number
      readonly reason: SignInReason
      readonly grant: SessionGrant
      readonly now: number
    }
  // compare-and-set of the result
  | { readonly type: 'storeDone'; readonly op: number }
  | { readonly type: 'storeLost'; readonly op: number; readonly now: number }
  | { readonly type: 'storeRefused'; readonly op: number; readonly reason: SignInReason }
  // the clock
  | { readonly type: 'timeout'; readonly now: number }

/** What a look at the kept grant shows. */
export type FoundEvent =
  | {
      readonly type: 'foundFree' | 'foundDead'
      readonly op: number
      readonly grant: SessionGrant
      readonly version: number
      readonly now: number
    }
  | {
      readonly type: 'foundHeld'
      readonly op: number
      readonly version: number
      readonly now: number
    }
  | { readonly type: 'foundFresh'; readonly op: number; readonly grant: SessionGrant }
  | { readonly type: 'foundGone'; readonly op: number }

type Event = SessionRenewalEvent['type']

/** Every state × event pair of one attempt to renew a session. */
// prettier-ignore
export const SESSION_RENEWAL = {
  //             our driver            the kept grant, as it was read                                                                                             its lease                                                                      the issuer, and the rules                                                       the kept grant, as it is written                                             the clock
  due:         { begin: 'reading', foundFree: misuse,    foundDead: misuse,    foundHeld: misuse,    foundFresh: misuse,    foundGone: misuse,        readRefused: misuse,      leaseDone: misuse,       leaseLost: misuse,    leaseRefused: misuse,      refreshDone: misuse,    refreshEnded: misuse,  refreshRefused: misuse,      storeDone: misuse,      storeLost: misuse,      storeRefused: misuse,      timeout: misuse      },
  reading:     { begin: misuse,    foundFree: 'leasing', foundDead: 'leasing', foundHeld: 'waiting', foundFresh: 'renewed', foundGone: 'unrenewable', readRefused: 'postponed', leaseDone: misuse,       leaseLost: misuse,    leaseRefused: misuse,      refreshDone: misuse,    refreshEnded: misuse,  refreshRefused: misuse,      storeDone: misuse,      storeLost: misuse,      storeRefused: misuse,      timeout: 'postponed' },
  waiting:     { begin: misuse,    foundFree: misuse,    foundDead: misuse,    foundHeld: misuse,    foundFresh: misuse,    foundGone: misuse,        readRefused: misuse,      leaseDone: misuse,       leaseLost: misuse,    leaseRefused: misuse,      refreshDone: misuse,    refreshEnded: misuse,  refreshRefused: misuse,      storeDone: misuse,      storeLost: misuse,      storeRefused: misuse,      timeout: 'reading'   },
  leasing:     { begin: misuse,    foundFree: misuse,    foundDead: misuse,    foundHeld: misuse,    foundFresh: misuse,    foundGone: misuse,        readRefused: misuse,      leaseDone: 'refreshing', leaseLost: 'reading', leaseRefused: 'postponed', refreshDone: misuse,    refreshEnded: misuse,  refreshRefused: misuse,      storeDone: misuse,      storeLost: misuse,      storeRefused: misuse,      timeout: 'postponed' },
  refreshing:  { begin: misuse,    foundFree: misuse,    foundDead: misuse,    foundHeld: misuse,    foundFresh: misuse,    foundGone: misuse,        readRefused: misuse,      leaseDone: misuse,       leaseLost: misuse,    leaseRefused: misuse,      refreshDone: 'storing', refreshEnded: 'ended', refreshRefused: 'releasing', storeDone: misuse,      storeLost: misuse,      storeRefused: misuse,      timeout: 'releasing' },
  storing:     { begin: misuse,    foundFree: misuse,    foundDead: misuse,    foundHeld: misuse,    foundFresh: misuse,    foundGone: misuse,        readRefused: misuse,      leaseDone: misuse,       leaseLost: misuse,    leaseRefused: misuse,      refreshDone: misuse,    refreshEnded: misuse,  refreshRefused: misuse,      storeDone: 'renewed',   storeLost: 'reading',   storeRefused: 'renewed',   timeout: 'renewed'   },
  releasing:   { begin: misuse,    foundFree: misuse,    foundDead: misuse,    foundHeld: misuse,    foundFresh: misuse,    foundGone: misuse,        readRefused: misuse,      leaseDone: misuse,       leaseLost: misuse,    leaseRefused: misuse,      refreshDone: misuse,    refreshEnded: misuse,  refreshRefused: misuse,      storeDone: 'postponed', storeLost: 'postponed', storeRefused: 'postponed', timeout: 'postponed' },
  renewed:     { begin: misuse,    foundFree: misuse,    foundDead: misuse,    foundHeld: misuse,    foundFresh: misuse,    foundGone: misuse,        readRefused: misuse,      leaseDone: misuse,       leaseLost: misuse,    leaseRefused: misuse,      refreshDone: misuse,    refreshEnded: misuse,  refreshRefused: misuse,      storeDone: misuse,      storeLost: misuse,      storeRefused: misuse,      timeout: misuse      },
  ended:       { begin: misuse,    foundFree: misuse,    foundDead: misuse,    foundHeld: misuse,    foundFresh: misuse,    foundGone: misuse,        readRefused: misuse,      leaseDone: misuse,       leaseLost: misuse,    leaseRefused: misuse,      refreshDone: misuse,    refreshEnded: misuse,  refreshRefused: misuse,      storeDone: misuse,      storeLost: misuse,      storeRefused: misuse,      timeout: misuse      },
  unrenewable: { begin: misuse,    foundFree: misuse,    foundDead: misuse,    foundHeld: misuse,    foundFresh: misuse,    foundGone: misuse,        readRefused: misuse,      leaseDone: misuse,       leaseLost: misuse,    leaseRefused: misuse,      refreshDone: misuse,    refreshEnded: misuse,  refreshRefused: misuse,      storeDone: misuse,      storeLost: misuse,      storeRefused: misuse,      timeout: misuse      },
  postponed:   { begin: misuse,    foundFree: misuse,    foundDead: misuse,    foundHeld: misuse,    foundFresh: misuse,    foundGone: misuse,        readRefused: misuse,      leaseDone: misuse,       leaseLost: misuse,    leaseRefused: misuse,      refreshDone: misuse,    refreshEnded: misuse,  refreshRefused: misuse,      storeDone: misuse,      storeLost: misuse,      storeRefused: misuse,      timeout: misuse      },
} as const satisfies Table<SessionRenewalState['state'], Event>

/** Where the effects go; each is answered by one of its own results under the same `op`. */
export interface SessionRenewalOutput {
  /** Look at the kept grant; {@link foundEvent} says what was found. */
  read(op: number): void
  /** Write `grant` with a lease of ours, if its version is still this one. */
  lease(op: number, grant: SessionGrant, version: number): void
  /** Show the refresh token to the issuer, check its answer, and judge the new claims. */
  refresh(op: number, grant: SessionGrant): void
  /** Write `grant` without a lease, if its version is still this one. */
  store(op: number, grant: SessionGrant, version: number): void
}

export function renewalDue(limits: SessionRenewalLimits): SessionRenewalState {
  return { state: 'due', op: 0, limits }
}

/** What a look at the store found. `isHeld`: somebody's lease is on it. */
export interface FoundGrant {
  readonly grant: SessionGrant
  readonly version: number
  readonly isHeld: boolean
}

/**
 * The guard in front of a look's result.
 *
 * `freshUntil` is the end of the ID token that the asker knows, milliseconds since 1970: a grant
 * whose token lasts longer was renewed meanwhile.
 */
export function foundEvent(
  state: SessionRenewalState,
  op: number,
  found: FoundGrant | undefined,
  freshUntil: number,
  now: number,
): FoundEvent {
  if (found === undefined) return { type: 'foundGone', op }
  const { grant, version, isHeld } = found
  if (grant.identity.expiresAt > freshUntil) return { type: 'foundFresh', op, grant }
  if (!isHeld) return { type: 'foundFree', op, grant, version, now }
  const seen = 'seen' in state ? state.seen : undefined
  if (!('limits' in state) || seen?.version !== version || now - seen.since < state.limits.leaseMs)
    return { type: 'foundHeld', op, version, now }
  return { type: 'foundDead', op, grant, version, now }
}

const read = (
  { op, limits, seen }: Common,
  { now }: { now: number },
  out: SessionRenewalOutput,
): Extract<SessionRenewalState, { state: 'reading' }> => {
  out.read(op + 1)
  return { state: 'reading', op: op + 1, deadline: now + limits.storeMs, limits, seen }
}

const lease = (
  { op, limits, seen }: Common,
  { grant, version, now }: { grant: SessionGrant; version: number; now: number },
  out: SessionRenewalOutput,
): Extract<SessionRenewalState, { state: 'leasing' }> => {
  out.lease(op + 1, grant, version)
  return { state: 'leasing', op: op + 1, deadline: now + limits.storeMs, limits, seen, grant }
}

const store = <State extends 'storing' | 'releasing'>(
  state: State,
  { op, limits, version }: Leased,
  { grant, now }: { grant: SessionGrant; now: number },
  out: SessionRenewalOutput,
) => {
  out.store(op + 1, grant, version)
  const deadline = now + limits.storeMs
  return { state, op: op + 1, deadline, limits, grant, version }
}

const postponed = (_: unknown, { reason }: { reason: SignInReason }) =>
  ({ state: 'postponed', reason }) as const
const silent = () => ({ state: 'postponed', reason: 'internal' }) as const
const renewed = ({ grant }: { grant: SessionGrant }) => ({ state: 'renewed', grant }) as const
const released = ({ reason }: { reason: SignInReason }) => ({ state: 'postponed', reason }) as const

/** The handlers: one per legal pair of {@link SESSION_RENEWAL}. */
export const SESSION_RENEWAL_MOVES = {
  due: { begin: read },
  reading: {
    foundFree: lease,
    foundDead: lease,
    foundHeld: ({ op, limits, seen }, { version, now }) => ({
      state: 'waiting',
      op,
      deadline: now + limits.lookAgainMs,
      limits,
      seen: seen?.version === version ? seen : { version, since: now },
    }),
    foundFresh: (_, { grant }) => ({ state: 'renewed', grant }),
    foundGone: () => ({ state: 'unrenewable' }),
    readRefused: postponed,
    timeout: silent,
  },
  waiting: { timeout: read },
  leasing: {
    leaseDone: ({ op, limits, grant }, { version, now }, out) => {
      out.refresh(op + 1, grant)
      const deadline = now + limits.refreshMs
      return { state: 'refreshing', op: op + 1, deadline, limits, grant, version }
    },
    leaseLost: read,
    leaseRefused: postponed,
    timeout: silent,
  },
  refreshing: {
    refreshDone: (from, event, out) => store('storing', from, event, out),
    refreshEnded: (_, { reason }) => ({ state: 'ended', reason }),
    refreshRefused: (from, event, out) => ({
      ...store('releasing', from, event, out),
      reason: event.reason,
    }),
    timeout: (from, { now }, out) => ({
      ...store('releasing', from, { grant: from.grant, now }, out),
      reason: 'issuer-timeout',
    }),
  },
  storing: { storeDone: renewed, storeLost: read, storeRefused: renewed, timeout: renewed },
  releasing: {
    storeDone: released,
    storeLost: released,
    storeRefused: released,
    timeout: released,
  },
  renewed: {},
  ended: {},
  unrenewable: {},
  postponed: {},
} satisfies Moves<
  typeof SESSION_RENEWAL,
  SessionRenewalState,
  SessionRenewalEvent,
  SessionRenewalOutput
>

/**
 * The identity of a session whose token was renewed, or why it is none.
 *
 * How and when the user authenticated stays as it was where the new token does not say; groups and
 * roles are what it says, and not known where it says nothing.
 *
 * @see OpenID Connect Core 1.0 section 12.2
 */
export function continuedIdentity(
  before: SignInIdentity,
  now: SignInIdentity,
): SignInIdentity | SignInReason {
  if (now.issuer !== before.issuer) return 'token-issuer'
  if (now.subject !== before.subject) return 'token-claims'
  const { authenticatedAt, strength, methods, contexts, issuerSession } = before
  const known = Object.entries({ authenticatedAt, strength, methods, contexts, issuerSession })
  return {
    ...(Object.fromEntries(known.filter(([, value]) => value !== undefined)) as object),
    ...now,
  }
}
