/**
 * What other instances ask of an origin, told to its dispatcher.
 *
 * @module
 */
import { onlyConnector, slotGet, type Dispatcher } from '../../protocol/internal.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import type { OfferOutcome } from './offer-queue.ts'
import type { Origin } from './origin.ts'
import type { RemoteHost } from './remote-offers.ts'

/** What an origin shows of its inside. */
interface Inside {
  readonly dispatcher: Dispatcher
  readonly crypto: CryptoProvider
  readonly isPublished: RemoteHost['isPublished'] | undefined
  /** Does what was decided. */
  perform(): void
  returned(told: OfferOutcome): void
}

/** What is asked of the origin in the name of other instances. */
export function remoteHost(origin: Origin, inside: Inside): RemoteHost {
  const { dispatcher, perform, crypto, returned, isPublished = () => true } = inside
  const { state } = dispatcher
  let [seed = 0] = crypto.getRandomValues(new Uint32Array(1))
  const now = (): number => origin.clocks.now()
  return {
    instance: origin.instance,
    now,
    isPublished,
    returned,
    random: () => {
      // A linear congruential generator: it spreads announcements, and hides nothing.
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
      return seed / 2 ** 32
    },
    attach: (group, link) => origin.attach(group, link),
    detach: (link) => origin.detach(link),
    group: (group) => state.groups.get(group),
    request: (id) => {
      const record = slotGet(state.requests, id)
      if (record === undefined) return undefined
      // Who only paused is passed over where it pauses, and asked again when nobody else is left.
      const refusers = record.excluded.filter(({ isPause }) => !isPause)
      const excluded = refusers.map(({ connector }) => connector)
      return { request: record.request, excluded, only: onlyConnector(record) }
    },
    submit: (request, waitUntil) => {
      dispatcher.submit(request, waitUntil, now())
      perform()
    },
    outcome: (id, outcome) => {
      dispatcher.outcome(id, outcome, now())
      perform()
    },
    observed: (group, application, connector, outcome) => {
      dispatcher.observed({ group, application, connector, outcome }, now())
      perform()
    },
    watch: (entry) => origin.watch(entry),
  }
}
