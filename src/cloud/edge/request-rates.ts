/**
 * How many requests a second are passed on: of a tenant, of an application, and of one user of
 * each. What is more is refused at once and takes nothing of what is left.
 *
 * What is kept of whoever is at their pace is nothing: a bucket is only forgotten when it is full
 * again, so forgetting helps nobody. Where more users than are kept are ahead of their pace, all
 * further ones share one bucket until there is room.
 *
 * @see docs/shares.md, "Rates"
 * @module
 */
import { pacedUntil, pacedWaitMs, type Rate } from '../../runtime/paced-rate.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import type { Published } from '../directory/published.ts'
import type { Rates } from '../directory/rates.ts'
import { OWN_ANSWERS } from '../pages/own-answers.ts'
import type { EdgeRequest } from '../request/edge-request.ts'
import { shareOf } from './share.ts'

/** Users of one application, or of one tenant, whose buckets are kept. */
const MOST_USERS = 10_000
/** Full buckets are looked for at most so often. Milliseconds. */
const SWEEP_MS = 100
/** Tenants and applications that are kept before it is looked which may go. */
const MOST_PLACES = 4_096
/** Events of one application, or tenant, in a while. */
const TOLD = { most: 10, windowMs: 60_000 } as const

export interface RequestRatesOptions {
  readonly clocks: Clocks
  readonly audit: AuditSink
}

type Exceeded = 'user-rate' | 'application-rate' | 'tenant-rate'

/** All of one instance. */
export class RequestRates {
  readonly #options: RequestRatesOptions
  /** By tenant and application. */
  readonly #applications = new Map<string, Place>()
  /** By tenant. */
  readonly #tenants = new Map<string, Place>()

  constructor(options: RequestRatesOptions) {
    this.#options = options
  }

  /** Whether the request was answered, because there were too many before it. */
  refuses(request: EdgeRequest, published: Published): boolean {
    const { rates, tenantId } = published.application
    if (rates === undefined) return false
    const now = this.#options.clocks.now()
    const user = shareOf(request.caller, request.address)
    const application = placeIn(this.#applications, published.destination.application, now)
    const tenant = rates.tenant && placeIn(this.#tenants, tenantId, now)
    const refusal =
      refusalOf('application-rate', application, rates, user, now) ??
      (tenant && refusalOf('tenant-rate', tenant, rates.tenant!, user, now))
    if (refusal === undefined) {
      application.take(rates, user, now)
      tenant?.take(rates.tenant!, user, now)
      return false
    }
    this.#refuse(request, refusal, user, now)
    return true
  }

  #refuse(request: EdgeRequest, { code, place, waitMs }: Refusal, user: string, now: number): void {
    const refused = place.told(code === 'user-rate' ? `user ${user}` : code, now)
    if (refused !== undefined) this.#write(request, code, refused)
    request.answer({ ...OWN_ANSWERS[code], retryAfterMs: waitMs, isAudited: true })
  }

  #write(request: EdgeRequest, reason: Exceeded, refused: number): void {
    const { asked, site, caller, id: requestId, address } = request
    this.#options.audit.write({
      time: this.#options.clocks.wallClock(),
      type: 'access.rate-exceeded',
      outcome: 'refused',
      reason,
      tenantId: site?.tenantId,
      applicationId: asked?.id,
      subject: caller.user?.subject,
      ...{ requestId, address, detail: { refused } },
    })
  }
}

interface Refusal {
  readonly code: Exceeded
  readonly place: Place
  readonly waitMs: number
}

/** The user first: whoever is too fast alone is told so, whatever else is. */
function refusalOf(
  code: Exceeded,
  place: Place,
  rates: Rates,
  user: string,
  now: number,
): Refusal | undefined {
  const userMs = rates.user ? pacedWaitMs(rates.user, place.users.busyUntil(user, now), now) : 0
  if (userMs > 0) return { code: 'user-rate', place, waitMs: userMs }
  const allMs = rates.all ? pacedWaitMs(rates.all, place.busyUntil, now) : 0
  return allMs > 0 ? { code, place, waitMs: allMs } : undefined
}

function placeIn(places: Map<string, Place>, key: string, now: number): Place {
  let place = places.get(key)
  if (place !== undefined) return place
  if (places.size >= MOST_PLACES)
    for (const [other, { isOver }] of places) if (isOver(now)) places.delete(other)
  places.set(key, (place = new Place()))
  return place
}

/** An application, or a tenant. */
class Place {
  readonly users = new UserBuckets()
  busyUntil = 0
  readonly #told = new Set<string>()
  #toldUntil = 0
  #refused = 0

  readonly isOver = (now: number): boolean =>
    this.busyUntil <= now && this.#toldUntil <= now && this.users.isOver(now)

  take({ all, user }: Rates, name: string, now: number): void {
    if (all !== undefined) this.busyUntil = pacedUntil(all, this.busyUntil, now)
    if (user !== undefined) this.users.take(user, name, now)
  }

  /**
   * One more was refused: how many were since the event before; `undefined`: there were events
   * enough.
   */
  told(name: string, now: number): number | undefined {
    this.#refused += 1
    if (now >= this.#toldUntil) {
      this.#told.clear()
      this.#toldUntil = now + TOLD.windowMs
    }
    if (this.#told.has(name) || this.#told.size >= TOLD.most) return undefined
    this.#told.add(name)
    const refused = this.#refused
    this.#refused = 0
    return refused
  }
}

/** Until when each user is ahead of their pace. @internal */
export class UserBuckets {
  /** By user, within one application or tenant. */
  readonly #busyUntil = new Map<string, number>()
  readonly #most: number
  /** Of all whom there is no room for. */
  #othersUntil = 0
  #sweepAt = 0

  constructor(most = MOST_USERS) {
    this.#most = most
  }

  get size(): number {
    return this.#busyUntil.size
  }

  busyUntil(user: string, now: number): number {
    return this.#busyUntil.get(user) ?? (this.#hasRoom(now) ? 0 : this.#othersUntil)
  }

  take(rate: Rate, user: string, now: number): void {
    const until = pacedUntil(rate, this.busyUntil(user, now), now)
    if (this.#busyUntil.has(user) || this.#hasRoom(now)) this.#busyUntil.set(user, until)
    else this.#othersUntil = until
  }

  isOver(now: number): boolean {
    this.#sweep(now)
    return this.#busyUntil.size === 0 && this.#othersUntil <= now
  }

  /** Looking through all of them is for every so often, however many come meanwhile. */
  #hasRoom(now: number): boolean {
    if (this.#busyUntil.size >= this.#most) this.#sweep(now)
    return this.#busyUntil.size < this.#most
  }

  #sweep(now: number): void {
    if (now < this.#sweepAt) return
    this.#sweepAt = now + SWEEP_MS
    for (const [user, until] of this.#busyUntil) if (until <= now) this.#busyUntil.delete(user)
  }
}
