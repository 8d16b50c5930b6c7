/**
 * Assertions: how an application knows, and can prove to itself, who its user is.
 *
 *     import { verifyAssertion } from 'app-proxy/assertion'
 *
 * @see docs/single-sign-on/assertion.md
 * @module
 */
export {
  ASSERTION_HEADER,
  ASSERTION_KEYS_PATH,
  type AssertionClaims,
  type AssertionKeySet,
  type AssertionPublicKey,
} from './assertion-claims.ts'
export type { Scheduler } from '../runtime/scheduler.ts'
export { AssertionRefused, type AssertionRefusal } from './assertion-refused.ts'
export {
  assertionGuard,
  type AssertionGuard,
  type AssertionGuardOptions,
  type GuardedRequest,
} from './assertion-guard.ts'
export { remoteKeys, type FindAssertionKey, type RemoteKeysOptions } from './remote-keys.ts'
export {
  verifyAssertion,
  type AssertedRequest,
  type AssertionKeySource,
  type AssertionReplays,
  type VerifyAssertionOptions,
} from './verify-assertion.ts'
