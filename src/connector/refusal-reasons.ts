import type { RefusalReason } from '../protocol/wire/errors.ts'

/** Every reason, as a record so that the compiler sees a missing one. */
const REASONS = {
  'token-malformed': true,
  'token-signature': true,
  'token-issuer': true,
  'token-audience': true,
  'token-expired': true,
  'token-not-yet-valid': true,
  'token-tenant': true,
  'token-role': true,
  'token-replayed': true,
  'issuer-unavailable': true,
  'ticket-refused': true,
  'request-malformed': true,
  'request-signature': true,
  'request-key': true,
  'connector-limit': true,
  'certificate-missing': true,
  'certificate-untrusted': true,
  'certificate-expired': true,
  'certificate-revoked': true,
  'certificate-profile': true,
  'connector-forgotten': true,
  'connector-unassigned': true,
  conflict: true,
  'own-registration': true,
  'not-found': true,
  'too-large': true,
  unavailable: true,
} as const satisfies Record<RefusalReason, true>

/** The refusal a code from the wire names, if it is one we know. */
export function refusalReason(code: unknown): RefusalReason | undefined {
  return typeof code === 'string' && Object.hasOwn(REASONS, code)
    ? (code as RefusalReason)
    : undefined
}
