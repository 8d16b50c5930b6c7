/**
 * What an operator sees and does, as typed operations over the parts of a cloud. Who may do what is
 * decided before: see admin-routes.ts. Everything that is counted is of this instance.
 *
 * @module
 */
import { ConfigurationInvalid, Refused } from '../../protocol/internal.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import { isAssigned } from '../connectors/assignment.ts'
import {
  connectorTag,
  recordAsOf,
  type ConnectorRecord,
  type ConnectorStanding,
} from '../connectors/connector-records.ts'
import type { ConnectorRegistry } from '../connectors/connector-registry.ts'
import type { ConnectorSightings } from '../connectors/connector-sightings.ts'
import type { EnrolmentTickets } from '../connectors/enrolment-tickets.ts'
import { idsOf, tenantKey } from '../directory/tenant-key.ts'
import type { ConnectorCount } from '../offers/counted.ts'
import type { LiveExchange } from '../request/live-exchanges.ts'
import type { Sessions } from '../session/session.ts'
import type { ConfigurationVersions } from '../versions/configuration-versions.ts'
import { isWithin, type AdminCaller } from './admin-caller.ts'
import type { AuthorityService } from './authority-service.ts'
import { mayHaveRegistered } from './own-registration.ts'
import { AdminConfiguration } from './admin-configuration.ts'
import { instanceView, knownInstances, type SeenInstance } from './instance-view.ts'
import { sessionView } from './session-view.ts'
import type {
  ConnectorView,
  GroupView,
  InstanceView,
  KnownInstanceView,
  NewTicketView,
  QueueView,
  SessionView,
  ApplicationView,
  TicketView,
} from './admin-views.ts'

/** The parts that are seen and operated. @internal */
export interface AdminServiceOptions extends SeenInstance {
  readonly authority: AuthorityService
  readonly registry: ConnectorRegistry
  readonly sessions: Pick<Sessions, 'revoke'>
  readonly sightings: Pick<ConnectorSightings, 'of'>
  readonly tickets: Pick<EnrolmentTickets, 'create' | 'list' | 'revoke'>
  /** What is open in users' names. */
  readonly openExchanges: () => Iterable<Pick<LiveExchange, 'application' | 'caller'>>
  readonly clocks: Clocks
  readonly versions?: ConfigurationVersions | undefined
}

/** Which connectors. */
export interface ConnectorChoice {
  readonly tenant?: string | undefined
  readonly group?: string | undefined
  readonly standing?: ConnectorStanding | undefined
}

/** How a change is asked for: `expected` is the tag of the record that it is for. */
export interface ConnectorChange {
  readonly expected?: string | undefined
}

/** A ticket to be made. */
export interface TicketWish {
  readonly tenantId: string
  readonly groupId?: string | undefined
  readonly validMs?: number | undefined
  readonly standing?: 'pending' | 'active' | undefined
  readonly keyThumbprint?: string | undefined
  readonly registrarToken?: string | undefined
}

const NOBODY: ConnectorCount = {
  ...{ links: 0, capacity: 0, inFlight: 0, long: 0, isPaused: false, applications: [] },
}

/** What an operator sees and does. */
export class AdminService {
  readonly #options: AdminServiceOptions
  /** What certifies connectors. */
  readonly authority: AuthorityService
  /** What is published: seen, checked, applied, rolled back. */
  readonly configuration: AdminConfiguration

  /** @internal */
  constructor(options: AdminServiceOptions) {
    this.#options = options
    this.authority = options.authority
    this.configuration = new AdminConfiguration(options.versions)
  }

  // ── connectors ────────────────────────────────────────────────────────────────────────────

  /** The connectors that the caller may see. */
  async connectors(caller: AdminCaller, choice: ConnectorChoice = {}): Promise<ConnectorView[]> {
    const { registry } = this.#options
    const counted = this.#options.origin.counted().connectors
    const views: ConnectorView[] = []
    for (const tenantId of this.#tenants(caller, choice.tenant))
      for (const record of await registry.list(tenantId)) {
        const { groupId, standing } = recordAsOf(record, this.#now())
        if (choice.group !== undefined && groupId !== choice.group) continue
        if (choice.standing !== undefined && standing !== choice.standing) continue
        views.push(await this.#view(record, counted.get(record.id)))
      }
    return views
  }

  /** @throws Refused `not-found`: there is none, or it is another tenant's */
  async connector(caller: AdminCaller, id: string): Promise<ConnectorView> {
    const record = await this.#record(caller, id)
    return this.#view(record, this.#options.origin.counted().connectors.get(id))
  }

  /**
   * Approves a connector, or lets it serve again.
   *
   * @throws Refused `not-found`, `conflict`, `own-registration`; ConfigurationInvalid where its
   *   standing does not let it
   */
  approve(
    caller: AdminCaller,
    id: string,
    { expected, until }: ConnectorChange & { readonly until?: number | undefined },
  ): Promise<ConnectorView> {
    return this.#changed(caller, id, ({ registry, directory }, record) => {
      const { approveByAnother = false } = directory.tenant(record.tenantId) ?? {}
      if (approveByAnother && mayHaveRegistered(caller, record))
        throw new Refused('own-registration')
      return registry.setStanding(id, 'active', this.#now(), { expected, until })
    })
  }

  /** Drains, disables or revokes it. @throws as {@link AdminService.approve} */
  setStanding(
    caller: AdminCaller,
    id: string,
    standing: 'draining' | 'disabled' | 'revoked',
    change: ConnectorChange,
  ): Promise<ConnectorView> {
    return this.#changed(caller, id, ({ registry }) =>
      registry.setStanding(id, standing, this.#now(), change),
    )
  }

  /** Puts it into another group of its tenant. @throws as {@link AdminService.approve} */
  move(
    caller: AdminCaller,
    id: string,
    { groupId, ...change }: ConnectorChange & { readonly groupId: string },
  ): Promise<ConnectorView> {
    return this.#changed(caller, id, ({ registry, directory }, { tenantId }) => {
      if (!isAssigned(directory, { tenantId, groupId }))
        throw new ConfigurationInvalid('groupId', "names no group of the connector's tenant")
      return registry.setGroup(id, groupId, change)
    })
  }

  /** @throws as {@link AdminService.approve} */
  rename(
    caller: AdminCaller,
    id: string,
    { name, ...change }: ConnectorChange & { readonly name: string },
  ): Promise<ConnectorView> {
    return this.#changed(caller, id, ({ registry }) => registry.rename(id, name, change))
  }

  /** Hides it; it must be registered again. @throws as {@link AdminService.approve} */
  async forget(caller: AdminCaller, id: string, change: ConnectorChange): Promise<void> {
    await this.#record(caller, id)
    await this.#options.registry.forget(id, this.#now(), change)
  }

  async #changed(
    caller: AdminCaller,
    id: string,
    change: (options: AdminServiceOptions, record: ConnectorRecord) => Promise<ConnectorRecord>,
  ): Promise<ConnectorView> {
    const before = await this.#record(caller, id)
    const record = await change(this.#options, before)
    return this.#view(record, this.#options.origin.counted().connectors.get(id))
  }

  /** One of another tenant is none. */
  async #record(caller: AdminCaller, id: string): Promise<ConnectorRecord> {
    const record = await this.#options.registry.connector(id)
    if (record === undefined || record.forgotten || !isWithin(caller, record.tenantId))
      throw new Refused('not-found', `there is no connector "${id}"`)
    return record
  }

  async #view(record: ConnectorRecord, counted = NOBODY): Promise<ConnectorView> {
    const now = this.#now()
    const { forgotten: _none, ...shown } = recordAsOf(record, now)
    const { registry, sightings } = this.#options
    const certificate = (await registry.certificates(record.id)).at(-1)
    const seen = sightings.of(record.id)
    const { applications, ...count } = counted
    const ago = (agoMs: number) => Math.round(now - agoMs)
    return {
      ...shown,
      ...(seen?.version !== undefined && { version: seen.version }),
      ...(seen?.address !== undefined && { address: seen.address }),
      ...(seen !== undefined && { lastSeenAt: count.links > 0 ? now : seen.at }),
      ...(certificate && { certificateExpiresAt: certificate.expiresAt }),
      ...count,
      applications: applications.map(({ lastFault, answeredAgoMs, ...health }) => ({
        ...health,
        ...(lastFault && { lastFault: { at: ago(lastFault.agoMs), reason: lastFault.reason } }),
        ...(answeredAgoMs !== undefined && { answeredAt: ago(answeredAgoMs) }),
      })),
      etag: connectorTag(record),
    }
  }

  // ── the instance, groups, applications ────────────────────────────────────────────────────

  instance(): InstanceView {
    return instanceView(this.#options, this.configuration.state ?? {}, this.#now())
  }

  /** Every instance that is known here, this one included. @throws PortFailed */
  instances(): readonly KnownInstanceView[] {
    return knownInstances(this.#options, this.#now())
  }

  /** Groups that applications are in, or connectors. */
  async groups(caller: AdminCaller, tenant?: string): Promise<GroupView[]> {
    const { directory, registry, origin } = this.#options
    const counted = origin.counted().groups
    const views: GroupView[] = []
    for (const tenantId of this.#tenants(caller, tenant)) {
      const applications = directory.applications().filter((one) => one.tenantId === tenantId)
      const connectors = await registry.list(tenantId)
      const ids = new Set([...applications, ...connectors].map(({ groupId }) => groupId))
      const home = directory.tenant(tenantId)?.defaultGroupId
      if (home !== undefined) ids.add(home)
      for (const id of [...ids].sort()) {
        const group = directory.group(id)
        if (group?.tenantId !== tenantId) continue
        const none = { connectors: 0, links: 0, capacity: 0, grants: 0, waiting: 0 }
        views.push({
          ...{ id, tenantId, name: group.name },
          ...(counted.get(tenantKey(tenantId, id)) ?? none),
          applications: applications.filter(({ groupId }) => groupId === id).map((one) => one.id),
        })
      }
    }
    return views
  }

  /** What waits in each group, and why. */
  queues(caller: AdminCaller, tenant?: string): QueueView[] {
    const tenants = new Set(this.#tenants(caller, tenant))
    return [...this.#options.origin.counted().queues()].flatMap(([key, queue]) => {
      const [tenantId, groupId] = idsOf(key)
      return tenants.has(tenantId) ? [{ tenantId, groupId, ...queue }] : []
    })
  }

  /** What is published, and which connectors answer for it. */
  applications(caller: AdminCaller, tenant?: string): ApplicationView[] {
    const { directory, origin } = this.#options
    const counted = origin.counted()
    const tenants = new Set(this.#tenants(caller, tenant))
    return directory
      .applications()
      .filter(({ tenantId }) => tenants.has(tenantId))
      .map(({ id, tenantId, groupId, name, externalUrl, maintenance }) => ({
        ...{ id, tenantId, groupId, name, externalUrl, maintenance: maintenance !== undefined },
        ...(counted.applications.get(tenantKey(tenantId, id)) ?? { open: 0, waiting: 0 }),
        connectors: [...counted.connectors].flatMap(([connectorId, { applications }]) =>
          applications
            .filter(({ applicationId }) => applicationId === id)
            .map(({ health, faults }) => ({ connectorId, health, faults })),
        ),
      }))
  }

  // ── sessions ──────────────────────────────────────────────────────────────────────────────

  /** Sessions in whose name something is open here. Others are cookies, and known to nobody. */
  openSessions(
    caller: AdminCaller,
    { tenant, subject }: { readonly tenant?: string; readonly subject?: string },
  ): SessionView[] {
    const tenants = new Set(this.#tenants(caller, tenant))
    const views = new Map<string, SessionView>()
    for (const { application, caller: session } of this.#options.openExchanges()) {
      const view = sessionView(application, session)
      if (view === undefined || !tenants.has(view.tenantId)) continue
      if (subject !== undefined && view.subject !== subject) continue
      const key = JSON.stringify([view.sessionId ?? '', view.issuer, view.subject, application.id])
      views.set(key, { ...view, open: (views.get(key)?.open ?? 0) + 1 })
    }
    return [...views.values()]
  }

  /**
   * Ends all sessions of a user of the tenant, or one. What is open in their name ends within a
   * second.
   *
   * @throws Refused `not-found`: a tenant's operator ends one session only where it is open here
   */
  async endSessions(
    caller: AdminCaller,
    which:
      { readonly tenantId?: string; readonly subject: string } | { readonly sessionId: string },
  ): Promise<void> {
    const { sessions, directory } = this.#options
    const at = this.#now()
    if ('sessionId' in which) {
      const { sessionId: id } = which
      const isOwn =
        caller.tenantId === undefined ||
        this.openSessions(caller, {}).some(({ sessionId }) => sessionId === id)
      if (!isOwn) throw new Refused('not-found', 'there is no such session here')
      return sessions.revoke({ kind: 'session', id, at })
    }
    const tenantId = which.tenantId ?? caller.tenantId
    if (tenantId === undefined) throw new ConfigurationInvalid('tenantId', 'is required')
    const tenant = isWithin(caller, tenantId) ? directory.tenant(tenantId) : undefined
    if (tenant === undefined) throw new Refused('not-found', 'there is no such tenant')
    await sessions.revoke({ kind: 'user', issuer: tenant.issuer, subject: which.subject, at })
  }

  // ── tickets ───────────────────────────────────────────────────────────────────────────────

  async tickets(caller: AdminCaller, tenant?: string): Promise<TicketView[]> {
    const views: TicketView[] = []
    for (const tenantId of this.#tenants(caller, tenant))
      for (const { maker, ...ticket } of await this.#options.tickets.list(tenantId))
        views.push({ ...ticket, maker: { as: maker.as, name: maker.name } })
    return views
  }

  /**
   * Makes a ticket: in the name of the service's operator, or of a registrar of the tenant.
   *
   * @throws ConfigurationInvalid; Refused `not-found`, `token-…`
   */
  async createTicket(caller: AdminCaller, wish: TicketWish): Promise<NewTicketView> {
    const { registrarToken, ...order } = wish
    if (!isWithin(caller, order.tenantId)) throw new Refused('not-found', 'no such tenant')
    if (registrarToken === undefined && caller.tenantId !== undefined)
      throw new ConfigurationInvalid('registrarToken', 'is required of everybody in a tenant')
    const by = registrarToken === undefined ? { operator: caller.name } : { token: registrarToken }
    const { tenantId, groupId, validMs, standing, keyThumbprint } = order
    return this.#options.tickets.create({
      ...{ tenantId, by },
      ...(groupId !== undefined && { groupId }),
      ...(validMs !== undefined && { validMs }),
      ...(standing !== undefined && { standing }),
      ...(keyThumbprint !== undefined && { keyThumbprint }),
    })
  }

  /** @throws Refused `not-found`: it is over, or used, or another tenant's */
  async revokeTicket(caller: AdminCaller, id: string): Promise<void> {
    for (const { tenantId, id: one } of await this.tickets(caller))
      if (one === id && (await this.#options.tickets.revoke({ tenantId, id })) > 0) return
    throw new Refused('not-found', `there is no ticket "${id}"`)
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  /** Those that the caller may see, or the one of them that is asked for. */
  #tenants(caller: AdminCaller, tenant?: string): string[] {
    const { directory } = this.#options
    const all = caller.tenantId === undefined ? directory.tenants().map(({ id }) => id) : []
    const own = caller.tenantId === undefined ? all : [caller.tenantId]
    return tenant === undefined ? own : own.filter((id) => id === tenant)
  }

  #now(): number {
    return this.#options.clocks.wallClock()
  }
}
