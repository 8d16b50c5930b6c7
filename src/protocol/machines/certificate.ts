/**
 * The life of a connector's client certificate: used while young, rolled when older than
 * `renewAfterMs`.
 *
 * Age is measured by the *server's* clock, which every configuration reply carries; the connector's
 * own wall clock may be wrong by years. The roll rides on configuration pulls. Two rules make it
 * impossible to lock oneself out, wherever the process is killed: the new key is durable before it
 * is sent and the new certificate before it is used; and the identity that worked is kept until the
 * new one has worked once. If the new one is refused the two change places; if it only gets no
 * answer they do not, because the cloud may have seen it, and lets the old one in for a day at most
 * from then on.
 *
 * @see spec/PROTOCOL.md, "Certificate renewal"
 * @module
 */
import type { TimeLimits } from '../wire/limits.ts'
import { next, type Moves } from './moves.ts'
import { ignored, misuse, violation, type Table } from './table.ts'

/** Time limits a roll lives by. */
export type CertificateLimits = Pick<TimeLimits, 'controlCallMs'>

/**
 * When a certificate was issued and when it ends; milliseconds since 1970 by the server's clock.
 */
export interface Validity {
  readonly issuedAt: number
  readonly expiresAt: number
}

/** A certificate as a reply carries it, DER. */
export interface IssuedCertificate {
  readonly certificate: Uint8Array
  readonly chain: readonly Uint8Array[]
  /** The authorities of the cloud's servers, DER, if they are told. */
  readonly cloudAuthorities?: readonly Uint8Array[] | undefined
}

interface Held extends Validity {
  /** Names the effect under way; a result with another number is stale. */
  readonly op: number
  readonly limits: CertificateLimits
}
/** `deadline` is when to send `timeout`, in monotonic milliseconds. */
interface Waiting extends Held {
  readonly deadline: number
}

/**
 * `deadline` is when to send `timeout`, in monotonic milliseconds; `op` numbers the effect awaited.
 */
export type CertificateState =
  | ({ state: 'fresh' } & Held)
  /** Older than allowed; the next key is being made durable. */
  | ({ state: 'due' } & Waiting)
  /**
   * Every pull carries a certificate request until a reply answers it. The pull has the deadline.
   */
  | ({ state: 'requesting' } & Held)
  | ({ state: 'storing' } & Waiting)
  /**
   * Durable and in use, but never yet accepted; the previous identity is kept. The pull has the
   * deadline.
   */
  | ({ state: 'stored' } & Held)
  /** Changing places with the identity before. */
  | ({ state: 'reverting' } & Waiting)
  | ({ state: 'expired' } & Held)

/** What may happen. `now` is monotonic milliseconds, `serverTime` milliseconds since 1970. */
export type CertificateEvent =
  /** The server's clock says: younger than `renewAfterMs`. @see {@link ageOf} */
  | { type: 'young' }
  /** The server's clock says: older than `renewAfterMs`. */
  | { type: 'aged'; now: number }
  /** The server says: past its end. */
  | { type: 'ended' }
  | { type: 'prepareKeyDone' }
  | { type: 'prepareKeyRefused' }
  /** A reply answered our request. */
  | { type: 'issued'; now: number; issued: IssuedCertificate; serverTime: number }
  | { type: 'storeDone'; validity: Validity }
  | { type: 'storeRefused' }
  /** A call with the current certificate was answered. */
  | { type: 'used' }
  /** The cloud refused the current certificate. */
  | { type: 'rejected'; now: number }
  | { type: 'revertDone'; validity: Validity }
  | { type: 'revertRefused' }
  | { type: 'timeout' }

type Local = Exclude<CertificateEvent['type'], 'issued'>

/** Every state × event pair of a certificate. */
// prettier-ignore
export const CERTIFICATE = {
  fresh:      { young: ignored, aged: 'due',   ended: 'expired', prepareKeyDone: misuse,       prepareKeyRefused: misuse,  storeDone: misuse,   storeRefused: misuse,       used: ignored, rejected: ignored,     revertDone: misuse,   revertRefused: misuse,   timeout: ignored,      issued: violation },
  due:        { young: ignored, aged: ignored, ended: 'expired', prepareKeyDone: 'requesting', prepareKeyRefused: 'fresh', storeDone: misuse,   storeRefused: misuse,       used: ignored, rejected: ignored,     revertDone: misuse,   revertRefused: misuse,   timeout: 'fresh',      issued: violation },
  requesting: { young: ignored, aged: ignored, ended: 'expired', prepareKeyDone: misuse,       prepareKeyRefused: misuse,  storeDone: misuse,   storeRefused: misuse,       used: ignored, rejected: ignored,     revertDone: misuse,   revertRefused: misuse,   timeout: ignored,      issued: 'storing' },
  storing:    { young: ignored, aged: ignored, ended: ignored,   prepareKeyDone: misuse,       prepareKeyRefused: misuse,  storeDone: 'stored', storeRefused: 'requesting', used: ignored, rejected: ignored,     revertDone: misuse,   revertRefused: misuse,   timeout: 'requesting', issued: violation },
  stored:     { young: ignored, aged: ignored, ended: ignored,   prepareKeyDone: misuse,       prepareKeyRefused: misuse,  storeDone: misuse,   storeRefused: misuse,       used: 'fresh', rejected: 'reverting', revertDone: misuse,   revertRefused: misuse,   timeout: ignored,      issued: violation },
  reverting:  { young: ignored, aged: ignored, ended: ignored,   prepareKeyDone: misuse,       prepareKeyRefused: misuse,  storeDone: misuse,   storeRefused: misuse,       used: ignored, rejected: ignored,     revertDone: 'stored', revertRefused: 'stored', timeout: 'stored',     issued: violation },
  expired:    { young: 'fresh', aged: 'due',   ended: ignored,   prepareKeyDone: misuse,       prepareKeyRefused: misuse,  storeDone: misuse,   storeRefused: misuse,       used: ignored, rejected: ignored,     revertDone: misuse,   revertRefused: misuse,   timeout: ignored,      issued: violation },
} as const satisfies Table<CertificateState['state'], Local, 'issued'>

/** Effects; those with an `op` are answered by exactly one `…Done` or `…Refused` that bears it. */
export interface CertificateOutput {
  /** Load the pending key, or make one and have it durable. */
  prepareKey(op: number): void
  /**
   * Make pending key and certificate the current identity, durably and at once; keep the identity
   * before.
   */
  store(op: number, issued: IssuedCertificate, serverTime: number): void
  /** Let current and previous identity change places, durably. */
  revert(op: number): void
  /**
   * The current identity works: the one before may go. Best effort: after a crash it is asked
   * again.
   */
  settle(): void
  /** Pull now rather than in time: there is something to ask for, or to prove. */
  pull(): void
}

/** A proven certificate, or (`proven: false`) one found in the store beside its predecessor. */
export function heldCertificate(
  validity: Validity,
  proven: boolean,
  limits: CertificateLimits,
): CertificateState {
  const held = { op: 0, limits, issuedAt: validity.issuedAt, expiresAt: validity.expiresAt }
  return proven ? { state: 'fresh', ...held } : { state: 'stored', ...held }
}

/**
 * Which of the three clock events a server time is. "Older than" is strict. A certificate that
 * would end before it is that old counts as aged in the last quarter of its life.
 */
export function ageOf(
  { issuedAt, expiresAt }: Validity,
  serverTime: number,
  renewAfterMs: number,
): 'young' | 'aged' | 'ended' {
  if (serverTime >= expiresAt) return 'ended'
  const dueAfterMs = Math.min(renewAfterMs, (expiresAt - issuedAt) * 0.75)
  return serverTime - issuedAt > dueAfterMs ? 'aged' : 'young'
}

/**
 * The next state; the same object when the event changes nothing. Effects go to `out` at once.
 *
 * @throws ApiMisuse for an event that cannot be, PeerViolation for one that is the peer's fault
 */
export function nextCertificate(
  from: CertificateState,
  event: CertificateEvent,
  out: CertificateOutput,
): CertificateState {
  return next(CERTIFICATE, MOVES, from, event, out)
}

const held = (from: Held, validity: Validity = from): Held => ({
  op: from.op + 1,
  limits: from.limits,
  issuedAt: validity.issuedAt,
  expiresAt: validity.expiresAt,
})
const waiting = (from: Held, now: number): Waiting => ({
  ...held(from),
  deadline: now + from.limits.controlCallMs,
})

const prepare = (from: Held, now: number, out: CertificateOutput) => {
  const due = { state: 'due', ...waiting(from, now) } as const
  out.prepareKey(due.op)
  return due
}
const prove = (from: Held, validity: Validity, out: CertificateOutput) => {
  out.pull()
  return { state: 'stored', ...held(from, validity) } as const
}

const MOVES = {
  fresh: {
    aged: (from, { now }, out) => prepare(from, now, out),
    ended: (from) => ({ state: 'expired', ...held(from) }),
  },
  due: {
    ended: (from) => ({ state: 'expired', ...held(from) }),
    prepareKeyDone: (from, _, out) => {
      out.pull()
      return { state: 'requesting', ...held(from) }
    },
    // The next reply finds it aged again: the pull's pace is the pace of retries.
    prepareKeyRefused: (from) => ({ state: 'fresh', ...held(from) }),
    timeout: (from) => ({ state: 'fresh', ...held(from) }),
  },
  requesting: {
    ended: (from) => ({ state: 'expired', ...held(from) }),
    issued: (from, { now, issued, serverTime }, out) => {
      const storing = { state: 'storing', ...waiting(from, now) } as const
      out.store(storing.op, issued, serverTime)
      return storing
    },
  },
  storing: {
    storeDone: (from, { validity }, out) => prove(from, validity, out),
    storeRefused: (from) => ({ state: 'requesting', ...held(from) }),
    timeout: (from) => ({ state: 'requesting', ...held(from) }),
  },
  stored: {
    used: (from, _, out) => {
      out.settle()
      return { state: 'fresh', ...held(from) }
    },
    rejected: (from, { now }, out) => {
      const reverting = { state: 'reverting', ...waiting(from, now) } as const
      out.revert(reverting.op)
      return reverting
    },
  },
  reverting: {
    // No pull at once: two refused identities would chase each other.
    revertDone: (from, { validity }) => ({ state: 'stored', ...held(from, validity) }),
    revertRefused: (from) => ({ state: 'stored', ...held(from) }),
    timeout: (from) => ({ state: 'stored', ...held(from) }),
  },
  expired: {
    // A reply came after all: the server's clock was corrected.
    young: (from) => ({ state: 'fresh', ...held(from) }),
    aged: (from, { now }, out) => prepare(from, now, out),
  },
} satisfies Moves<typeof CERTIFICATE, CertificateState, CertificateEvent, CertificateOutput>
