/**
 * What a connector is told of an attempt.
 *
 * @module
 */
import type { ExchangeId, HeaderList, Offer } from '../../protocol/internal.ts'
import type { Submission } from './submission.ts'

/**
 * What a connector is told of an attempt. A class, since objects that are all made in one place may
 * be taken for long-lived by V8: what they refer to would wait for a full collection.
 */
export class AttemptOffer implements Offer {
  readonly id: ExchangeId
  readonly attempt: number
  readonly applicationId: string
  readonly applicationVersion: string
  readonly method: string
  readonly target: string
  readonly headers: HeaderList
  readonly user: Offer['user']
  readonly body: Offer['body']
  readonly upgrade: string | undefined
  readonly remainingMs: number
  readonly origin: string
  readonly answerMs: number
  readonly affinity: string | undefined
  readonly pinned: number

  constructor(
    id: ExchangeId,
    attempt: number,
    submission: Submission,
    headers: HeaderList,
    origin: string,
    remainingMs: number,
    answerMs: number,
    isPinned: boolean,
  ) {
    this.id = id
    this.attempt = attempt
    this.applicationId = submission.applicationId
    this.applicationVersion = submission.applicationVersion
    this.method = submission.method
    this.target = submission.target
    this.headers = headers
    this.user = submission.user
    this.body = submission.body
    this.upgrade = submission.upgrade
    this.remainingMs = remainingMs
    this.origin = origin
    this.answerMs = answerMs
    this.affinity = submission.affinity
    this.pinned = isPinned ? 1 : 0
  }
}
