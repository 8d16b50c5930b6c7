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
  return new Dispatched(id, submission, to)
}

/** A class, as {@link AttemptOffer} is one. */
class Dispatched implements DispatchRequest {
  declare readonly id: ExchangeId
  declare readonly group: string
  declare readonly application: string
  declare readonly user: string
  declare readonly isReplayable: boolean
  declare readonly needs: readonly string[]
  declare readonly isAlone: boolean | undefined
  declare readonly affinity: DispatchAffinity | undefined

  constructor(id: ExchangeId, submission: Submission, to: Destination) {
    this.id = id
    this.group = to.group
    this.application = to.application
    this.user = submission.share ?? NOBODY
    this.isReplayable = isReplayable(submission)
    this.needs = neededBy(submission)
    this.isAlone = submission.isAlone
    this.affinity = submission.affinity === undefined ? undefined : affinityOf(submission)
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
