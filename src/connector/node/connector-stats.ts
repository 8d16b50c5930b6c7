/**
 * What a connector holds now, as plain values. It is counted when somebody asks, and costs nothing
 * between.
 *
 * @module
 */
import type { Binding, ConnectorConfiguration, DialerState } from '../../protocol/internal.ts'
import { daysLeft } from '../../runtime/certificates.ts'
import type { ConfigurationKeeper } from '../configuration-keeper.ts'
import type { LinkDialer } from '../link-dialer.ts'
import type { OfferSlots } from '../offer-slots.ts'
import type { Worker } from '../worker.ts'

/** What {@link RunningConnector.stats} tells: plain values, which are JSON as they are. */
export interface ConnectorStats {
  /** When it was told, milliseconds since 1970, by this machine's clock. */
  readonly at: number
  readonly tenantId: string
  readonly connectorId: string
  readonly groupId: string
  /** What the cloud's operator lets it do; absent where the cloud does not tell. */
  readonly standing?: NonNullable<ConnectorConfiguration['standing']>
  /** One for each instance that it keeps a link to. */
  readonly links: readonly LinkStats[]
  /** Every application with exchanges under way. */
  readonly applications: readonly { readonly applicationId: string; readonly open: number }[]
  readonly certificate: {
    /** Its end, milliseconds since 1970. */
    readonly expiresAt: number
    /** Whole days; negative: it has ended. */
    readonly daysLeft: number
    /** Where it is in its life: `fresh`, `due`, … */
    readonly state: string
  }
  readonly configuration: {
    readonly version: string
    /** Milliseconds since it came. */
    readonly ageMs: number
    /** Milliseconds since the cloud last said that it is the newest. */
    readonly confirmedMs: number
  }
}

/** The way to one cloud instance. */
export interface LinkStats {
  readonly instance: string
  /** Base URL of its connector listener. */
  readonly url: string
  readonly state: DialerState['state']
  /** What is being dialled, or up. */
  readonly binding?: Binding
  /** Exchanges that it takes at once from this instance. */
  readonly offers: number
  /** Offers that may still come of it now. */
  readonly grants: number
}

/** What is counted. */
export interface CountedConnector {
  readonly keeper: ConfigurationKeeper
  readonly worker: Worker
  readonly links: ReadonlyMap<string, { readonly url: string; readonly dialer: LinkDialer }>
  readonly slotsOf: (instance: string) => OfferSlots
  /** Milliseconds since 1970. */
  readonly now: number
}

export function connectorStats(counted: CountedConnector): ConnectorStats {
  const { keeper, worker, links, slotsOf, now } = counted
  const { tenantId, connectorId, expiresAt } = keeper.identity
  const { version, groupId, standing } = keeper.configuration!
  const { changedAt, confirmedAt } = keeper.times
  return {
    at: now,
    ...{ tenantId, connectorId, groupId },
    ...(standing !== undefined && { standing }),
    links: [...links].map(([instance, { url, dialer }]) => {
      const { state } = dialer
      const { total, free } = slotsOf(instance)
      return {
        ...{ instance, url, state: state.state },
        ...('binding' in state && { binding: state.binding }),
        ...{ offers: total, grants: dialer.isUp ? free : 0 },
      }
    }),
    applications: [...worker.open]
      .map(([applicationId, open]) => ({ applicationId, open }))
      .sort((one, other) => (one.applicationId < other.applicationId ? -1 : 1)),
    certificate: {
      expiresAt,
      daysLeft: daysLeft(expiresAt, now),
      state: keeper.certificateState,
    },
    configuration: { version, ageMs: since(changedAt, now), confirmedMs: since(confirmedAt, now) },
  }
}

/** A wall clock may be set back. */
const since = (then: number, now: number) => Math.max(0, now - then)
