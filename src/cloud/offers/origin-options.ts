import type { ExchangeId, Shares, TimeLimits } from '../../protocol/internal.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import type { ExchangeObserver } from '../../runtime/exchange-observer.ts'
import type { Scheduler } from '../../runtime/scheduler.ts'
import type { OfferQueue } from './offer-queue.ts'
import type { RemoteHost } from './remote-offers.ts'
import type { Claimer } from './submission.ts'

export interface OriginOptions {
  /** The id of this cloud instance. */
  readonly instance: string
  /** Joins it with other instances of the service. Default: there are none. */
  readonly queue?: OfferQueue | undefined
  /**
   * Whether an application that another instance names is published here, in that group of that
   * tenant. Default: it is.
   */
  readonly isPublished?: RemoteHost['isPublished'] | undefined
  readonly clocks: Clocks
  readonly crypto: CryptoProvider
  /** Default: the runtime's timers. */
  readonly scheduler?: Scheduler | undefined
  /** Default {@link TIME_LIMITS}. */
  readonly limits?: TimeLimits | undefined
  /** Default {@link SHARES}. */
  readonly shares?: Partial<Shares> | undefined
  /** Told of each exchange's moments; it must not throw. Default: nobody is told. */
  readonly observer?: ExchangeObserver | undefined
  /**
   * Told of a connector that claims or declines an attempt which it was never offered, and whether
   * it is of the exchange's group: whoever claims first there has it. It must not throw. Default:
   * nobody is.
   */
  readonly strange?: ((connector: Claimer, id: ExchangeId, isOfGroup: boolean) => void) | undefined
}
