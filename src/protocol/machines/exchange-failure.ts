/**
 * Which hop a broken exchange is blamed on, and back to the code that says so on the wire.
 *
 * @module
 */
import { ExchangeFailed, type FailureReason, type FailureSource } from '../wire/errors.ts'
import { ResetCode } from '../wire/frame-types.ts'

const FAILURES: Readonly<Record<ResetCode, readonly [FailureSource, FailureReason]>> = {
  // Whoever sends these for a request that it took has given it up: nobody cancelled it.
  [ResetCode.NO_ERROR]: ['connector', 'connector-aborted'],
  [ResetCode.CANCELLED]: ['connector', 'connector-aborted'],
  [ResetCode.GONE]: ['connector', 'connector-aborted'],
  [ResetCode.VIOLATION]: ['connector', 'connector-violation'],
  [ResetCode.TIMEOUT]: ['application', 'application-timeout'],
  [ResetCode.UNREACHABLE]: ['application', 'application-unreachable'],
  [ResetCode.APPLICATION_ABORTED]: ['application', 'application-aborted'],
  [ResetCode.APPLICATION_MALFORMED]: ['application', 'application-malformed'],
  [ResetCode.UNSUPPORTED]: ['connector', 'upgrade-unsupported'],
  [ResetCode.LOST]: ['connector', 'connector-lost'],
  [ResetCode.INTERNAL]: ['connector', 'connector-aborted'],
  [ResetCode.NOT_SENT]: ['application', 'application-unreachable'],
  [ResetCode.APPLICATION_CERTIFICATE]: ['application', 'application-certificate'],
  [ResetCode.CONNECTOR_EXHAUSTED]: ['connector', 'connector-exhausted'],
  [ResetCode.SIGN_ON]: ['connector', 'sign-on-failed'],
  [ResetCode.PIN_LOST]: ['application', 'pin-lost'],
}

/** The failure that a RESET with this code means to the user; unknown codes read INTERNAL. */
export function failureOf(code: ResetCode, cause?: unknown): ExchangeFailed {
  const [source, reason] = FAILURES[code] ?? FAILURES[ResetCode.INTERNAL]
  return new ExchangeFailed(source, reason, cause === undefined ? {} : { cause })
}

/** The failure of an exchange whose deadline passed, told by whom it waited for. */
export function idleFailure(isUnanswered: boolean, isUserSlow: boolean): ExchangeFailed {
  if (isUserSlow) return new ExchangeFailed('user', 'user-too-slow')
  if (isUnanswered) return failureOf(ResetCode.TIMEOUT)
  return new ExchangeFailed('application', 'idle-timeout')
}
