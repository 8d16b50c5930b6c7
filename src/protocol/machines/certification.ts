/**
 * The cloud's side of an installation: a token or a ticket comes in with a certificate request, a
 * client certificate goes out.
 *
 * Strictly in this order, and it stops at the first failure and names it: the token proves a
 * registrar of a tenant, or the ticket was made by one; the request proves possession of its key,
 * one atomic `record` binds both and certifies. Verifying, signing and storing are effects; this
 * machine only says what comes next and for how long it is waited for.
 *
 * @see spec/PROTOCOL.md, "Registration"
 * @module
 */
import type { RefusalReason } from '../wire/errors.ts'
import { next, type Moves } from './moves.ts'
import { ignored, misuse, type Table } from './table.ts'

/** Who a verified token speaks for. */
export interface RegistrarIdentity {
  readonly tenantId: string
  readonly issuer: string
  readonly subject: string
  /** What makes the token single-use. */
  readonly onceId: string
  /** Milliseconds since 1970; after this the token is of no use to anybody. */
  readonly tokenExpiresAt: number
}

/** What a ticket that is open stands for. */
export interface TicketHolder {
  readonly tenantId: string
  readonly groupId: string
  /** Names the ticket in the record, and opens nothing. */
  readonly ticketId: string
  /** What the ticket is kept under: its SHA-256, hexadecimal. */
  readonly ticketHash: string
  /** Who made it: a registrar as the issuer calls them, or the service's operator by name. */
  readonly maker: { readonly as: 'registrar' | 'operator'; readonly name: string }
}

/** In whose name a connector is registered. */
export type Registrar = RegistrarIdentity | TicketHolder

/** What a verified request is worth: its key and nothing else. */
export interface RequestedKey {
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array
  /** SHA-256 of it, hexadecimal. */
  readonly keyId: string
  /** Everything else the request wished for, in readable form, for the record. */
  readonly ignored: readonly string[]
}

/** A connector with its certificate. */
export interface CertifiedConnector {
  readonly connectorId: string
  readonly standing: 'active' | 'pending'
  /** DER. */
  readonly certificate: Uint8Array
  /** The same answer was given before; its reply was lost. */
  readonly repeated: boolean
}

/** `deadline` is in monotonic milliseconds; `op` numbers the effect that is awaited. */
export type CertificationState =
  | { readonly state: 'received' }
  | {
      readonly state: 'verifying-token'
      readonly op: number
      readonly deadline: number
      readonly request: Uint8Array
    }
  | {
      readonly state: 'verifying-ticket'
      readonly op: number
      readonly deadline: number
      readonly request: Uint8Array
    }
  | {
      readonly state: 'verifying-request'
      readonly op: number
      readonly deadline: number
      readonly registrar: Registrar
    }
  | {
      readonly state: 'recording'
      readonly op: number
      readonly deadline: number
      readonly registrar: Registrar
      readonly key: RequestedKey
    }
  | {
      readonly state: 'certified'
      readonly registrar: Registrar
      readonly key: RequestedKey
      readonly connector: CertifiedConnector
    }
  | {
      readonly state: 'refused'
      /** What it was doing when it failed. */
      readonly while: CertificationState['state']
      readonly reason: RefusalReason
      readonly detail?: string
      readonly retryAfterMs?: number
      readonly registrar?: Registrar
      readonly key?: RequestedKey
    }

/** Why an effect said no. */
interface Refusal {
  readonly op: number
  readonly reason: RefusalReason
  readonly detail?: string
  readonly retryAfterMs?: number
}

/** `now` is monotonic milliseconds. */
export type CertificationEvent =
  | {
      readonly type: 'register'
      readonly now: number
      readonly token: string
      readonly request: Uint8Array
    }
  | {
      readonly type: 'registerByTicket'
      readonly now: number
      readonly ticket: string
      readonly request: Uint8Array
    }
  | { readonly type: 'timeout'; readonly now: number }
  | {
      readonly type: 'verifyTokenDone'
      readonly now: number
      readonly op: number
      readonly registrar: RegistrarIdentity
    }
  | ({ readonly type: 'verifyTokenRefused' } & Refusal)
  | {
      readonly type: 'verifyTicketDone'
      readonly now: number
      readonly op: number
      readonly registrar: TicketHolder
    }
  | ({ readonly type: 'verifyTicketRefused' } & Refusal)
  | {
      readonly type: 'verifyRequestDone'
      readonly now: number
      readonly op: number
      readonly key: RequestedKey
    }
  | ({ readonly type: 'verifyRequestRefused' } & Refusal)
  | {
      readonly type: 'recordDone'
      readonly op: number
      readonly connector: CertifiedConnector
    }
  | ({ readonly type: 'recordRefused' } & Refusal)

/**
 * Every state × event pair of a certification: the cloud's side of a registration. A result may
 * come after its deadline: that is a legal race.
 */
// prettier-ignore
export const CERTIFICATION = {
  received:            { register: 'verifying-token', registerByTicket: 'verifying-ticket', timeout: ignored,   verifyTokenDone: misuse,              verifyTokenRefused: misuse,    verifyTicketDone: misuse,              verifyTicketRefused: misuse,    verifyRequestDone: misuse,      verifyRequestRefused: misuse,    recordDone: misuse,      recordRefused: misuse    },
  'verifying-token':   { register: misuse,            registerByTicket: misuse,             timeout: 'refused', verifyTokenDone: 'verifying-request', verifyTokenRefused: 'refused', verifyTicketDone: misuse,              verifyTicketRefused: misuse,    verifyRequestDone: misuse,      verifyRequestRefused: misuse,    recordDone: misuse,      recordRefused: misuse    },
  'verifying-ticket':  { register: misuse,            registerByTicket: misuse,             timeout: 'refused', verifyTokenDone: misuse,              verifyTokenRefused: misuse,    verifyTicketDone: 'verifying-request', verifyTicketRefused: 'refused', verifyRequestDone: misuse,      verifyRequestRefused: misuse,    recordDone: misuse,      recordRefused: misuse    },
  'verifying-request': { register: misuse,            registerByTicket: misuse,             timeout: 'refused', verifyTokenDone: misuse,              verifyTokenRefused: misuse,    verifyTicketDone: misuse,              verifyTicketRefused: misuse,    verifyRequestDone: 'recording', verifyRequestRefused: 'refused', recordDone: misuse,      recordRefused: misuse    },
  recording:           { register: misuse,            registerByTicket: misuse,             timeout: 'refused', verifyTokenDone: misuse,              verifyTokenRefused: misuse,    verifyTicketDone: misuse,              verifyTicketRefused: misuse,    verifyRequestDone: misuse,      verifyRequestRefused: misuse,    recordDone: 'certified', recordRefused: 'refused' },
  certified:           { register: misuse,            registerByTicket: misuse,             timeout: ignored,   verifyTokenDone: misuse,              verifyTokenRefused: misuse,    verifyTicketDone: misuse,              verifyTicketRefused: misuse,    verifyRequestDone: misuse,      verifyRequestRefused: misuse,    recordDone: misuse,      recordRefused: misuse    },
  refused:             { register: misuse,            registerByTicket: misuse,             timeout: ignored,   verifyTokenDone: ignored,             verifyTokenRefused: ignored,   verifyTicketDone: ignored,             verifyTicketRefused: ignored,   verifyRequestDone: ignored,     verifyRequestRefused: ignored,   recordDone: ignored,     recordRefused: ignored   },
} as const satisfies Table<CertificationState['state'], CertificationEvent['type']>

/**
 * Where a registrar's effects go; each is answered with exactly one of `<effect>Done` and
 * `<effect>Refused`.
 */
export interface CertificationOutput {
  /** Is this a token of a registrar, for this service, now? */
  verifyToken(effect: { readonly op: number; readonly token: string }): void
  /** Is this ticket open, and of a tenant that takes tickets, now? */
  verifyTicket(effect: { readonly op: number; readonly ticket: string }): void
  /** Whoever made this request: does it hold the key it names? */
  verifyRequest(effect: { readonly op: number; readonly request: Uint8Array }): void
  /**
   * Bind token or ticket and key to one connector and certify it: atomically, and durably before
   * the answer.
   */
  record(effect: {
    readonly op: number
    readonly registrar: Registrar
    readonly key: RequestedKey
  }): void
}

/**
 * How long each effect may take, in milliseconds. Default 5 000 each: together less than a control
 * call.
 */
const EFFECT_MS = 5_000
/** When a connector whose registration ran into a deadline should ask again, in milliseconds. */
const RETRY_MS = 1_000

type Waiting = Extract<CertificationState, { op: number }>

const timeout = (from: Waiting) =>
  ({
    state: 'refused',
    while: from.state,
    reason: 'unavailable',
    detail: 'it took too long',
    // Safe to repeat: even if it was recorded, the same token or ticket with the same key gets the
    // same certificate.
    retryAfterMs: RETRY_MS,
    ...known(from),
  }) as const

const refused = (from: Waiting, { reason, detail, retryAfterMs }: Refusal) =>
  ({
    state: 'refused',
    while: from.state,
    reason,
    ...(detail === undefined ? {} : { detail }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...known(from),
  }) as const

/** What was already verified when it failed: the audit tells it. */
const known = (from: Waiting) => ({
  ...('registrar' in from ? { registrar: from.registrar } : {}),
  ...('key' in from ? { key: from.key } : {}),
})

type Verified = Extract<CertificationEvent, { registrar: Registrar }>

/** Whoever stands for it is known: now the request. */
const verifyRequest = (
  from: Extract<CertificationState, { request: Uint8Array }>,
  { now, registrar }: Verified,
  out: CertificationOutput,
) => {
  const op = from.op + 1
  out.verifyRequest({ op, request: from.request })
  return { state: 'verifying-request', op, deadline: now + EFFECT_MS, registrar } as const
}

const MOVES = {
  received: {
    register: (_, { now, token, request }, out) => {
      out.verifyToken({ op: 1, token })
      return { state: 'verifying-token', op: 1, deadline: now + EFFECT_MS, request }
    },
    registerByTicket: (_, { now, ticket, request }, out) => {
      out.verifyTicket({ op: 1, ticket })
      return { state: 'verifying-ticket', op: 1, deadline: now + EFFECT_MS, request }
    },
  },
  'verifying-token': { timeout, verifyTokenDone: verifyRequest, verifyTokenRefused: refused },
  'verifying-ticket': { timeout, verifyTicketDone: verifyRequest, verifyTicketRefused: refused },
  'verifying-request': {
    timeout,
    verifyRequestDone: ({ op: last, registrar }, { now, key }, out) => {
      const op = last + 1
      out.record({ op, registrar, key })
      return { state: 'recording', op, deadline: now + EFFECT_MS, registrar, key }
    },
    verifyRequestRefused: refused,
  },
  recording: {
    timeout,
    recordDone: ({ registrar, key }, { connector }) => ({
      state: 'certified',
      registrar,
      key,
      connector,
    }),
    recordRefused: refused,
  },
  certified: {},
  refused: {},
} satisfies Moves<typeof CERTIFICATION, CertificationState, CertificationEvent, CertificationOutput>

/**
 * The next state of a registration. The driver drops results whose `op` is not the one awaited.
 *
 * @throws ApiMisuse for an event out of order
 */
export function nextCertification(
  from: CertificationState,
  event: CertificationEvent,
  out: CertificationOutput,
): CertificationState {
  return next(CERTIFICATION, MOVES, from, event, out)
}
