/**
 * Every operation of the admin API: the table is the only authority. From it come the handler, who
 * may call what, docs/admin-api.json, and the test that tries every role and tenant at each.
 *
 * @module
 */
import type * as v from 'valibot'
import type { AdminCaller, AdminRole } from './admin-caller.ts'
import type { AdminService, ConnectorChoice, TicketWish } from './admin-service.ts'
import * as s from './admin-schemas.ts'

/** One call, all of it checked. */
export interface AdminCall<I = unknown, Q = unknown> {
  readonly caller: AdminCaller
  /** What stands in the path for `{id}`; empty where the path has none. */
  readonly id: string
  readonly query: Q
  readonly input: I
  /** The tag of what is to be changed. Absent: whatever it is. */
  readonly expected?: string | undefined
}

/** An operation. */
export interface AdminRoute {
  /** Its name: in the OpenAPI document and in the audit. */
  readonly operation: string
  readonly method: 'GET' | 'POST' | 'PUT'
  /** `{id}` is one segment. */
  readonly path: string
  /** Who may call it; `any`: everybody who is known. */
  readonly role: AdminRole | 'any'
  /**
   * `tenant`: a tenant's caller is served what is of the tenant; `service`: it is for the operator
   * of the service alone.
   */
  readonly scope: 'tenant' | 'service'
  readonly summary: string
  /** It changes something that is there: the call says which by `If-Match`. */
  readonly isConditional?: boolean
  readonly query?: v.GenericSchema
  /** Of a POST or PUT. */
  readonly input?: v.GenericSchema
  /** Absent: the answer has no body. */
  readonly output?: v.GenericSchema
  readonly status: 200 | 201 | 204
  serve(admin: AdminService, call: AdminCall): unknown
}

/** With the types that its schemas say. */
function route<
  I extends v.GenericSchema = v.GenericSchema<unknown>,
  Q extends v.GenericSchema = v.GenericSchema<unknown>,
>(
  given: Omit<AdminRoute, 'serve' | 'input' | 'query' | 'scope'> & {
    readonly input?: I
    readonly query?: Q
    readonly scope?: AdminRoute['scope']
    serve(admin: AdminService, call: AdminCall<v.InferOutput<I>, v.InferOutput<Q>>): unknown
  },
): AdminRoute {
  return { scope: 'tenant', ...given } as AdminRoute
}

/** A change of one connector. */
function change<I extends v.GenericSchema>(
  verb: string,
  summary: string,
  input: I,
  serve: (admin: AdminService, call: AdminCall<v.InferOutput<I>>) => unknown,
): AdminRoute {
  return route({
    ...{ operation: `${verb}Connector`, method: 'POST', path: `/v1/connectors/{id}/${verb}` },
    ...{ role: 'operator', summary, isConditional: true, input, output: s.Connector, status: 200 },
    serve,
  })
}

const standing = (verb: string, to: 'draining' | 'disabled' | 'revoked', summary: string) =>
  change(verb, summary, s.Nothing, (admin, { caller, id, expected }) =>
    admin.setStanding(caller, id, to, { expected }),
  )

const items = async (listed: unknown) => ({ items: await listed })

export const ADMIN_ROUTES: readonly AdminRoute[] = [
  route({
    ...{ operation: 'whoAmI', method: 'GET', path: '/v1/me', role: 'any' },
    summary: 'Who the caller is here.',
    ...{ output: s.Me, status: 200 },
    serve: (_, { caller: { name, roles, tenantId } }) => ({ name, roles, tenantId }),
  }),
  route({
    ...{ operation: 'instance', method: 'GET', path: '/v1/instance', role: 'service' },
    summary: 'What this instance holds: its queue, its certificates, the age of its configuration.',
    ...{ scope: 'service', output: s.Instance, status: 200 },
    serve: (admin) => admin.instance(),
  }),
  route({
    ...{ operation: 'listInstances', method: 'GET', path: '/v1/instances', role: 'service' },
    summary:
      'Every instance that this one knows: what it does, what it holds, and when it was last heard. One that has left is not shown; one that fell silent is, for ten minutes.',
    ...{ scope: 'service', output: s.list(s.KnownInstance), status: 200 },
    serve: (admin) => items(admin.instances()),
  }),
  route({
    ...{ operation: 'authority', method: 'GET', path: '/v1/authority', role: 'service' },
    summary: 'An authority: its roots, and who still needs the one before.',
    ...{ scope: 'service', query: s.AuthorityQuery, output: s.Authority, status: 200 },
    serve: (admin, { query }) => admin.authority.view(query),
  }),
  route({
    ...{ operation: 'rollAuthority', method: 'POST', path: '/v1/authority/roll', role: 'service' },
    summary: 'Makes the next root of an authority. Both are trusted until the finish.',
    ...{ scope: 'service', input: s.RollOrder, output: s.Authority, status: 200 },
    serve: (admin, { input }) => admin.authority.roll(input),
  }),
  route({
    ...{ operation: 'finishAuthorityRoll', method: 'POST', path: '/v1/authority/finish' },
    summary: 'Trusts the root before no longer; refused while connectors need it, unless forced.',
    ...{ role: 'service', scope: 'service' },
    ...{ input: s.RollFinish, output: s.Authority, status: 200 },
    serve: (admin, { input }) => admin.authority.finish(input),
  }),
  route({
    ...{ operation: 'listConnectors', method: 'GET', path: '/v1/connectors', role: 'reader' },
    summary:
      'Connectors and how they do. With `Accept: text/event-stream` they are watched: an event `connectors` with all of them, then `connector` for each that changed and `gone` for each that is hidden.',
    ...{ query: s.ConnectorQuery, output: s.list(s.Connector), status: 200 },
    serve: (admin, { caller, query }) => items(admin.connectors(caller, query as ConnectorChoice)),
  }),
  route({
    ...{ operation: 'connector', method: 'GET', path: '/v1/connectors/{id}', role: 'reader' },
    summary: 'One connector.',
    ...{ output: s.Connector, status: 200 },
    serve: (admin, { caller, id }) => admin.connector(caller, id),
  }),
  change(
    'approve',
    'Lets a connector serve: one that waits, is drained or disabled; with an end, if one is given.',
    s.Approval,
    (admin, { caller, id, expected, input: { until } }) =>
      admin.approve(caller, id, { expected, until }),
  ),
  standing('drain', 'draining', 'It finishes what it has and is given nothing new.'),
  standing('disable', 'disabled', 'Its links are cut; it may be approved again.'),
  standing('revoke', 'revoked', 'Its links are cut and its certificates refused, for ever.'),
  change('move', 'Puts it into another group of its tenant.', s.Move, (admin, call) =>
    admin.move(call.caller, call.id, { expected: call.expected, ...call.input }),
  ),
  change('rename', 'Gives it another name.', s.Rename, (admin, call) =>
    admin.rename(call.caller, call.id, { expected: call.expected, ...call.input }),
  ),
  route({
    ...{ operation: 'forgetConnector', method: 'POST', path: '/v1/connectors/{id}/forget' },
    ...{ role: 'operator', isConditional: true, input: s.Nothing, status: 204 },
    summary: 'Hides it: it must be registered again, as another. No revocation is lifted.',
    serve: (admin, { caller, id, expected }) => admin.forget(caller, id, { expected }),
  }),
  route({
    ...{ operation: 'listGroups', method: 'GET', path: '/v1/groups', role: 'reader' },
    summary: 'Groups: what their connectors take, what waits, what they serve.',
    ...{ query: s.OfTenant, output: s.list(s.Group), status: 200 },
    serve: (admin, { caller, query }) => items(admin.groups(caller, query.tenant)),
  }),
  route({
    ...{ operation: 'listQueues', method: 'GET', path: '/v1/queue', role: 'reader' },
    summary:
      'What waits in each group and for how long, what may be offered, what each application may hold, and which connectors are passed over, why and until when.',
    ...{ query: s.OfTenant, output: s.list(s.Queue), status: 200 },
    serve: (admin, { caller, query }) => items(admin.queues(caller, query.tenant)),
  }),
  route({
    ...{ operation: 'listApplications', method: 'GET', path: '/v1/applications', role: 'reader' },
    summary: 'Applications: what is open, what waits, which connectors answer for them.',
    ...{ query: s.OfTenant, output: s.list(s.PublishedApplication), status: 200 },
    serve: (admin, { caller, query }) => items(admin.applications(caller, query.tenant)),
  }),
  route({
    ...{ operation: 'listSessions', method: 'GET', path: '/v1/sessions', role: 'reader' },
    summary:
      'Sessions in whose name something is open on this instance. A session is a sealed cookie: those that nothing is open for are known to nobody, and are ended by their user’s name.',
    ...{ query: s.SessionQuery, output: s.list(s.KnownSession), status: 200 },
    serve: (admin, { caller, query }) => items(admin.openSessions(caller, query)),
  }),
  route({
    ...{ operation: 'endSessions', method: 'POST', path: '/v1/sessions/end', role: 'operator' },
    summary: 'Ends all sessions of a user (`sub`), or one. What is open ends within a second.',
    ...{ input: s.EndSessions, status: 204 },
    serve: (admin, { caller, input }) => admin.endSessions(caller, input),
  }),
  route({
    ...{ operation: 'listTickets', method: 'GET', path: '/v1/tickets', role: 'reader' },
    summary: 'Enrolment tickets that can still be used.',
    ...{ query: s.OfTenant, output: s.list(s.Ticket), status: 200 },
    serve: (admin, { caller, query }) => items(admin.tickets(caller, query.tenant)),
  }),
  route({
    ...{ operation: 'createTicket', method: 'POST', path: '/v1/tickets', role: 'operator' },
    summary: 'Makes an enrolment ticket, in the name of a registrar or of the service’s operator.',
    ...{ input: s.TicketOrder, output: s.NewTicket, status: 201 },
    serve: (admin, { caller, input }) => admin.createTicket(caller, input as TicketWish),
  }),
  route({
    ...{ operation: 'revokeTicket', method: 'POST', path: '/v1/tickets/{id}/revoke' },
    ...{ role: 'operator', input: s.Nothing, status: 204 },
    summary: 'Ends an enrolment ticket before its time.',
    serve: (admin, { caller, id }) => admin.revokeTicket(caller, id),
  }),
  route({
    ...{ operation: 'configuration', method: 'GET', path: '/v1/configuration', role: 'reader' },
    summary:
      'What is published, of a tenant’s caller the tenant’s part. `{"$secret": "kept"}` is in the place of each secret; sent back so, it stays as it is.',
    ...{ output: s.CurrentConfiguration, status: 200 },
    serve: (admin, { caller }) => admin.configuration.current(caller),
  }),
  route({
    ...{ operation: 'applyConfiguration', method: 'PUT', path: '/v1/configuration' },
    ...{ role: 'publisher', isConditional: true },
    summary:
      'Puts another configuration in force, on every instance; a tenant’s publisher the tenant’s part.',
    ...{ input: s.ConfigurationToApply, output: s.Applied, status: 200 },
    serve: (admin, { caller, expected, input: { configuration, comment } }) =>
      admin.configuration.apply(caller, configuration, { expected, comment }),
  }),
  route({
    ...{ operation: 'validateConfiguration', method: 'POST', path: '/v1/configuration/validate' },
    ...{ role: 'publisher', summary: 'Every mistake of a configuration, and where it is.' },
    ...{ input: s.ConfigurationToCheck, output: s.ConfigurationMistakes, status: 200 },
    serve: (admin, { caller, input }) => admin.configuration.validate(caller, input.configuration),
  }),
  route({
    ...{ operation: 'diffConfiguration', method: 'POST', path: '/v1/configuration/diff' },
    ...{ role: 'publisher' },
    summary: 'What would be other, if it were applied; of a secret no more than that it is.',
    ...{ input: s.ConfigurationToCheck, output: s.ConfigurationChanges, status: 200 },
    serve: (admin, { caller, input }) => admin.configuration.diff(caller, input.configuration),
  }),
  route({
    ...{ operation: 'rollBackConfiguration', method: 'POST', path: '/v1/configuration/rollback' },
    ...{ role: 'publisher', isConditional: true },
    summary:
      'Puts an earlier version in force again, as a new one: the one before, or the one that is named.',
    ...{ input: s.RollBack, output: s.Applied, status: 200 },
    serve: (admin, { caller, expected, input }) =>
      admin.configuration.rollBack(caller, { expected, ...input }),
  }),
  route({
    ...{ operation: 'listVersions', method: 'GET', path: '/v1/configuration/versions' },
    ...{ role: 'reader' },
    summary:
      'Versions that are kept, 50 at the most: when, by whom, why; of a tenant’s caller those that changed the tenant’s part.',
    ...{ output: s.list(s.Version), status: 200 },
    serve: (admin, { caller }) => items(admin.configuration.versions(caller)),
  }),
  route({
    ...{ operation: 'version', method: 'GET', path: '/v1/configuration/versions/{id}' },
    ...{ role: 'reader', summary: 'What a version says.' },
    ...{ output: s.CurrentConfiguration, status: 200 },
    serve: (admin, { caller, id }) => admin.configuration.version(caller, id),
  }),
]
