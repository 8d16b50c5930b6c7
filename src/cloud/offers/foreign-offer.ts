/**
 * An attempt of another instance's exchange, while a link of this one has it.
 *
 * @module
 */
import type {
  AttemptOutcome,
  Deadlined,
  DeclineReason,
  FailureReason,
} from '../../protocol/internal.ts'
import type { OfferLink } from './offer-link.ts'
import type { OfferEnvelope } from './offer-queue.ts'

/** Outcomes after which the attempt goes on. */
export const PROGRESS: ReadonlySet<AttemptOutcome> = new Set(['claimed', 'answered', 'long'])
/** Why nobody here can take an offer however long it waits. */
const FOR_GOOD: ReadonlySet<FailureReason> = new Set([
  'attempts-exhausted',
  'connector-too-old',
  'upgrade-unsupported',
])
/** What an origin never ends is forgotten after so long. Milliseconds. */
const FORGOTTEN_MS = 3_600_000

/** An attempt of another instance's exchange, on a link of this one. */
export class ForeignOffer implements Deadlined {
  readonly envelope: OfferEnvelope
  link: OfferLink | undefined
  /** Nobody here can take it, however long it waits. */
  isRefused = false
  readonly #returned: (outcome: AttemptOutcome, connectorId: string | undefined) => void
  #deadline: number | undefined
  #isClaimed = false

  constructor(envelope: OfferEnvelope, deadline: number, returned: ForeignOffer['returned']) {
    this.envelope = envelope
    this.#deadline = deadline
    this.#returned = returned
  }

  get deadline(): number | undefined {
    return this.#deadline
  }

  offer(link: OfferLink): void {
    this.link = link
    link.offer(this.envelope.head)
  }

  /** It waits here for nobody: its origin tries somewhere else. */
  refuse(reason: FailureReason): void {
    this.isRefused = FOR_GOOD.has(reason)
    this.forget()
  }

  claimed(now: number): void {
    this.#isClaimed = true
    this.#deadline = now + FORGOTTEN_MS
  }

  linkLost(link: OfferLink): void {
    if (this.link === link && !this.#isClaimed) this.returned('lost', link.connectorId)
  }

  declined(connectorId: string, attempt: number, reason: DeclineReason): void {
    if (this.link?.connectorId !== connectorId || attempt !== this.envelope.attempt) return
    if (this.#isClaimed) return
    this.returned(reason === 'unknown-application' ? reason : 'declined', connectorId)
  }

  returned(outcome: AttemptOutcome, connectorId: string | undefined): void {
    this.#returned(outcome, connectorId)
  }

  expire(): void {
    this.forget()
    this.returned(this.#isClaimed ? 'ended' : 'claim-missed', this.link?.connectorId)
  }

  forget(): void {
    this.#deadline = undefined
  }
}

/** Something to do once. */
export class Later implements Deadlined {
  readonly #run: () => void
  #deadline: number | undefined

  constructor(deadline: number, run: () => void) {
    this.#deadline = deadline
    this.#run = run
  }

  get deadline(): number | undefined {
    return this.#deadline
  }

  expire(): void {
    this.#deadline = undefined
    this.#run()
  }
}
