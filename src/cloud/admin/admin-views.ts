/**
 * What an operator is shown. All times are milliseconds since 1970; all that is counted is of the
 * instance that was asked, but for what others say of themselves: {@link KnownInstanceView}.
 *
 * @module
 */
import type { ConnectorStanding, EnrolledBy } from '../connectors/connector-records.ts'
import type { RollView } from '../authority/authority-roll.ts'
import type { DirectoryInput } from '../directory/directory-input.ts'
import type { ConfigurationChange } from '../versions/configuration-changes.ts'
import type { QueueCount } from '../offers/counted-queues.ts'
import type { AdminRole } from './admin-caller.ts'

/** How a connector does for an application; the last three: it has failed. */
export type HealthView = 'healthy' | 'passed-over' | 'due' | 'probing'

/** A connector. */
export interface ConnectorView {
  readonly id: string
  readonly tenantId: string
  readonly groupId: string
  readonly name: string
  readonly standing: ConnectorStanding
  /** Absent: since its registration. */
  readonly standingSince?: number
  /** When its standing ends of itself. Absent: it does not. */
  readonly standingUntil?: number
  readonly registeredAt: number
  readonly enrolledBy?: EnrolledBy
  /** What it says that it runs. */
  readonly version?: string
  /** Where it last called from. */
  readonly address?: string
  /** Now, where it holds a link. Absent: not since this instance was started. */
  readonly lastSeenAt?: number
  /** The end of its newest certificate. */
  readonly certificateExpiresAt?: number
  readonly links: number
  /** Exchanges that its links take at once. */
  readonly capacity: number
  /** Exchanges that hold one of its slots. */
  readonly inFlight: number
  /** Streams and WebSockets beside them. */
  readonly long: number
  /** It has declined for want of room a moment ago. */
  readonly isPaused: boolean
  /** Those that it was asked for. */
  readonly applications: readonly ApplicationHealthView[]
  /** Names what was looked at: `If-Match` of a change. */
  readonly etag: string
}

/** How a connector does for one application. */
export interface ApplicationHealthView {
  readonly applicationId: string
  readonly health: HealthView
  /** Requests that no answer has come to. */
  readonly unanswered: number
  /** Faults in a row. */
  readonly faults: number
  /** The last fault: `not-sent`, `claim-missed`, `lost`, `unknown-application` and others. */
  readonly lastFault?: { readonly at: number; readonly reason: string }
  /** When an answer last began. */
  readonly answeredAt?: number
}

/** A group. */
export interface GroupView {
  readonly id: string
  readonly tenantId: string
  readonly name: string
  /** Connectors that hold a link, and their links. */
  readonly connectors: number
  readonly links: number
  /** Exchanges that these links take at once. */
  readonly capacity: number
  /** Offers that may be made now. */
  readonly grants: number
  /** Requests that wait for one. */
  readonly waiting: number
  /** Ids of the applications that it serves. */
  readonly applications: readonly string[]
}

/** The queue of a group, and why who waits there waits. Times are milliseconds. */
export interface QueueView extends QueueCount {
  readonly groupId: string
  readonly tenantId: string
}

/** An application. */
export interface ApplicationView {
  readonly id: string
  readonly tenantId: string
  readonly groupId: string
  readonly name: string
  readonly externalUrl: string
  /** Exchanges that have no outcome yet, and those of them that no connector has. */
  readonly open: number
  readonly waiting: number
  /** Its users are told that it is being worked on. */
  readonly maintenance: boolean
  /** Connectors that it was asked of. */
  readonly connectors: readonly {
    readonly connectorId: string
    readonly health: HealthView
    readonly faults: number
  }[]
}

/** A session in whose name something is open. */
export interface SessionView {
  /** What ends it. Absent: it is a program's token. */
  readonly sessionId?: string
  readonly tenantId: string
  readonly applicationId: string
  readonly issuer: string
  readonly subject: string
  readonly startedAt?: number
  readonly expiresAt?: number
  /** Requests, streams and WebSockets that are open. */
  readonly open: number
}

/** An enrolment ticket that can still be used. */
export interface TicketView {
  /** Opens nothing. */
  readonly id: string
  readonly tenantId: string
  readonly groupId: string
  /** What its connector is at first. */
  readonly standing: 'pending' | 'active'
  /** SHA-256 of the one key that it is good for. Absent: whoever comes first. */
  readonly keyId?: string
  readonly maker: { readonly as: 'registrar' | 'operator'; readonly name: string }
  readonly createdAt: number
  readonly expiresAt: number
}

/** An enrolment ticket that was made. */
export interface NewTicketView {
  /** The secret. It is told once and kept nowhere. */
  readonly ticket: string
  readonly id: string
  readonly tenantId: string
  readonly groupId: string
  readonly expiresAt: number
}

/** Who calls. */
export interface MeView {
  readonly name: string
  readonly roles: readonly AdminRole[]
  /** Absent: the operator of the service. */
  readonly tenantId?: string
}

/** An instance. */
export interface InstanceView {
  readonly at: number
  readonly instance: string
  /** Exchanges that have no outcome yet, and those of them that wait to be offered. */
  readonly open: number
  readonly waiting: number
  readonly certificates: readonly {
    readonly name: string
    readonly expiresAt: number
    readonly daysLeft: number
  }[]
  /** How long what the directory says has been in force. Milliseconds. */
  readonly configurationAgeMs?: number
  /** The version of the configuration that is in force here, where versions are kept. */
  readonly configurationVersion?: number
  /** A newer one that this instance cannot read: what was in force before stays. */
  readonly configurationRefused?: number
}

/** An instance of the service, as far as the one that was asked knows it. */
export interface KnownInstanceView {
  readonly instance: string
  /**
   * `silent`: it has not been heard for four seconds, and did not say that it leaves; `unknown`:
   * whoever was asked can hear nobody now.
   */
  readonly state: 'serving' | 'draining' | 'silent' | 'unknown'
  /** It is the one that was asked. */
  readonly isAsked: boolean
  /** Where connectors reach it. Absent, as the next two: it is alone, and has told nobody. */
  readonly connectorUrl?: string
  /** Of the program that it runs. */
  readonly version?: string
  /** Since when it runs. */
  readonly since?: number
  /** Links of connectors, and requests of users that are open there; of when it was heard. */
  readonly links: number
  readonly open: number
  /** When it was last heard, and how long ago that is in milliseconds. */
  readonly heardAt: number
  readonly heardAgoMs: number
}

/** A version of the configuration. */
export interface VersionView {
  readonly version: number
  readonly at: number
  /** `file`: the configuration file of the instance that is named was changed. */
  readonly by: { readonly as: 'operator' | 'file'; readonly name: string }
  readonly comment?: string
  /** The version whose content was put back. */
  readonly restored?: number
}

/** What is published; of a tenant's caller the tenant's part. */
export interface ConfigurationView {
  /** The version that last changed it. */
  readonly version: number
  /** In the place of each secret is `{"$secret": "kept"}`: sent back so it stays as it is. */
  readonly configuration: DirectoryInput
  /** Names what was looked at: `If-Match` of a change. */
  readonly etag: string
}

/** What is wrong with a configuration. */
export interface ConfigurationMistakesView {
  readonly mistakes: readonly {
    readonly path: string
    readonly detail: string
    readonly meant?: string
  }[]
}

/** What would be other. */
export interface ConfigurationChangesView {
  readonly changes: readonly ConfigurationChange[]
}

/** What came of a change. */
export interface AppliedView extends ConfigurationChangesView {
  /** The version that is the newest now. */
  readonly version: number
  /** Whether a version was made: nothing is other where it is false. */
  readonly isMade: boolean
  readonly etag: string
}

/** The connectors' authority: its roots, and who needs the one before while it is rolled. */
export interface AuthorityView extends RollView {
  readonly remaining: {
    /** Connectors that have not used a certificate of the next root yet. */
    readonly total: number
    /** The first 100 of them. */
    readonly connectors: readonly RemainingConnector[]
    /** On this instance, by certificates of the root before: those that carry something. */
    readonly connections: number
  }
}

/** A connector that would be shut out, were the roll finished now. */
export interface RemainingConnector {
  readonly id: string
  readonly tenantId: string
  readonly name: string
  readonly standing: ConnectorStanding
}
