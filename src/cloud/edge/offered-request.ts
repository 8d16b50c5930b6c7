/**
 * A user's request as the edge submits it.
 *
 * @module
 */
import type { ExchangeId } from '../../protocol/internal.ts'
import type { Submission } from '../offers/submission.ts'

/** What the edge submits has an id. */
export type NumberedSubmission = Submission & { readonly id: ExchangeId }

/** A class, as {@link AttemptOffer} is one: it lives as long as its exchange. */
export class OfferedRequest implements Submission {
  declare readonly id: ExchangeId
  declare readonly share: Submission['share']
  declare readonly needs: Submission['needs']
  declare readonly isAlone: Submission['isAlone']
  declare readonly applicationId: string
  declare readonly applicationVersion: string
  declare readonly method: string
  declare readonly target: string
  declare readonly headers: Submission['headers']
  declare readonly user: Submission['user']
  declare readonly body: Submission['body']
  declare readonly upgrade: string | undefined
  declare readonly prepare: Submission['prepare']
  declare readonly affinity: string | undefined
  declare readonly isAffinityShared: Submission['isAffinityShared']

  constructor(of: NumberedSubmission) {
    this.id = of.id
    this.share = of.share
    this.needs = of.needs
    this.isAlone = of.isAlone
    this.applicationId = of.applicationId
    this.applicationVersion = of.applicationVersion
    this.method = of.method
    this.target = of.target
    this.headers = of.headers
    this.user = of.user
    this.body = of.body
    this.upgrade = of.upgrade
    this.prepare = of.prepare
    this.affinity = of.affinity
    this.isAffinityShared = of.isAffinityShared
  }
}
