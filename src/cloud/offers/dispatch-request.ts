/**
 * What the dispatcher is told of a request.
 *
 * @module
 */
import {
  handshakeStep,
  isReplayable,
  type DispatchAffinity,
  type DispatchRequest,
  type ExchangeId,
} from '../../protocol/internal.ts'
import type { Destination, Submission } from './submission.ts'

/** The names and counts by which the dispatcher knows it. */
export function dispatchRequest(
  id: ExchangeId,
  submission: Submission,
  to: Destination,
): DispatchRequest {
  return {
    id,
    group: to.group,
    application: to.application,
    user: submission.share ?? NOBODY,
    isReplayable: isReplayable(submission),
    needs: neededBy(submission),
    isAlone: submission.isAlone,
    affinity: submission.affinity === undefined ? undefined : affinityOf(submission),
  }
}

/** Whoever tells of no user shares with all others who tell of none. */
const NOBODY = ''
const NOTHING: readonly string[] = []
const UPGRADE: readonly string[] = ['upgrade']

/** What its application needs, and what it wants itself. */
function neededBy({ needs = NOTHING, upgrade }: Submission): readonly string[] {
  if (upgrade === undefined) return needs
  return needs.length === 0 ? UPGRADE : [...needs, ...UPGRADE]
}

/** The connections that it goes on, and how far it goes on with a handshake there. */
function affinityOf({ affinity, isAffinityShared = false, headers }: Submission): DispatchAffinity {
  return { id: affinity!, isShared: isAffinityShared, step: handshakeStep(headers) }
}
