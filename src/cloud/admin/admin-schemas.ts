/**
 * What goes into the admin API and what comes out of it, as schemas: inputs are held against them,
 * docs/admin-api.json is made of them.
 *
 * @module
 */
import * as v from 'valibot'
import type {
  ApplicationView,
  AuthorityView,
  AppliedView,
  ConfigurationChangesView,
  ConfigurationMistakesView,
  ConfigurationView,
  ConnectorView,
  GroupView,
  InstanceView,
  KnownInstanceView,
  MeView,
  NewTicketView,
  QueueView,
  SessionView,
  TicketView,
  VersionView,
} from './admin-views.ts'

const text = v.pipe(v.string(), v.minLength(1), v.maxLength(256))
const time = v.pipe(
  v.number(),
  v.integer(),
  v.minValue(0),
  v.description('Milliseconds since 1970.'),
)
const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const Standing = v.picklist(['pending', 'active', 'draining', 'disabled', 'revoked'])
const milliseconds = v.pipe(v.number(), v.minValue(0), v.description('Milliseconds.'))

const version = v.pipe(v.number(), v.integer(), v.minValue(1))

/** Nothing is said. */
export const Nothing = v.strictObject({})
export const Approval = v.strictObject({
  until: v.exactOptional(v.pipe(time, v.description('Its end, milliseconds since 1970.'))),
})
export const Move = v.strictObject({ groupId: text })
export const Rename = v.strictObject({ name: v.pipe(text, v.maxLength(128)) })
export const EndSessions = v.union([
  v.strictObject({ tenantId: v.exactOptional(text), subject: text }),
  v.strictObject({ sessionId: text }),
])
export const TicketOrder = v.strictObject({
  tenantId: text,
  groupId: v.exactOptional(text),
  validMs: v.exactOptional(v.pipe(count, v.minValue(1))),
  standing: v.exactOptional(v.picklist(['pending', 'active'])),
  keyThumbprint: v.exactOptional(v.pipe(v.string(), v.regex(/^[0-9a-fA-F]{64}$/))),
  registrarToken: v.exactOptional(
    v.pipe(
      v.string(),
      v.maxLength(32_768),
      v.description('In whose name. Everybody but the service’s operator must give one.'),
    ),
  ),
})

/** All of it, or a tenant's part; what is in it is checked as the file of a cloud is. */
const Configuration = v.looseObject({})
const comment = v.exactOptional(
  v.pipe(v.string(), v.maxLength(500), v.description('Why; kept with the version.')),
)
export const ConfigurationToCheck = v.strictObject({ configuration: Configuration })
export const ConfigurationToApply = v.strictObject({ configuration: Configuration, comment })
export const RollBack = v.strictObject({
  version: v.exactOptional(
    v.pipe(version, v.description('Default: the one before what is in force.')),
  ),
  comment,
})

export const OfTenant = v.strictObject({ tenant: v.exactOptional(text) })
export const ConnectorQuery = v.strictObject({
  tenant: v.exactOptional(text),
  group: v.exactOptional(text),
  standing: v.exactOptional(Standing),
})
export const SessionQuery = v.strictObject({
  tenant: v.exactOptional(text),
  subject: v.exactOptional(text),
})

const Fault = v.object({
  at: time,
  reason: v.pipe(v.string(), v.description('`not-sent`, `claim-missed`, `lost` and others.')),
})
const ApplicationHealth = v.object({
  applicationId: v.string(),
  health: v.picklist(['healthy', 'passed-over', 'due', 'probing']),
  unanswered: v.pipe(count, v.description('Requests that no answer has come to.')),
  faults: v.pipe(count, v.description('Faults in a row.')),
  lastFault: v.exactOptional(Fault),
  answeredAt: v.exactOptional(time),
})

export const Connector = v.object({
  id: v.string(),
  tenantId: v.string(),
  groupId: v.string(),
  name: v.string(),
  standing: Standing,
  standingSince: v.exactOptional(time),
  standingUntil: v.exactOptional(time),
  registeredAt: time,
  enrolledBy: v.exactOptional(
    v.object({
      as: v.picklist(['registrar', 'operator']),
      name: v.string(),
      issuer: v.exactOptional(v.string()),
      ticketId: v.exactOptional(v.string()),
    }),
  ),
  version: v.exactOptional(v.pipe(v.string(), v.description('What it says that it runs.'))),
  address: v.exactOptional(v.string()),
  lastSeenAt: v.exactOptional(time),
  certificateExpiresAt: v.exactOptional(time),
  links: v.pipe(count, v.description('On this instance, as all that follows.')),
  capacity: count,
  inFlight: count,
  long: count,
  isPaused: v.boolean(),
  applications: v.array(ApplicationHealth),
  etag: v.string(),
}) satisfies v.GenericSchema<ConnectorView>

export const Group = v.object({
  id: v.string(),
  tenantId: v.string(),
  name: v.string(),
  connectors: count,
  links: count,
  capacity: count,
  grants: count,
  waiting: count,
  applications: v.array(v.string()),
}) satisfies v.GenericSchema<GroupView>

export const Queue = v.object({
  groupId: v.string(),
  tenantId: v.string(),
  capacity: count,
  grants: v.pipe(count, v.description('Offers that may be made now.')),
  waiting: count,
  oldestWaitMs: v.exactOptional(milliseconds),
  applications: v.array(
    v.object({
      applicationId: v.string(),
      waiting: count,
      oldestWaitMs: v.exactOptional(milliseconds),
      held: v.pipe(count, v.description('Slots that its exchanges hold.')),
      mayHold: v.pipe(count, v.description('Its share.')),
      userMayHold: v.pipe(count, v.description('The share of one of its users.')),
      users: count,
      blockedUsers: v.pipe(count, v.description('Users who hold all they may, and wait.')),
    }),
  ),
  links: v.array(v.object({ connectorId: v.string(), offers: count, grants: count, long: count })),
  passedOver: v.array(
    v.object({
      connectorId: v.string(),
      applicationId: v.string(),
      health: v.picklist(['healthy', 'passed-over', 'due', 'probing']),
      reason: v.pipe(
        v.string(),
        v.description(
          'The last fault; `unanswered`: it holds as many requests without an answer as it may.',
        ),
      ),
      untilMs: v.exactOptional(milliseconds),
      unanswered: count,
      ramp: v.pipe(count, v.description('How many it may hold unanswered.')),
    }),
  ),
  others: v.pipe(
    v.object({ grants: count, sent: count, taken: count }),
    v.description(
      'Other instances: offers that they take now, requests that they deliver for this one, requests of theirs that are here.',
    ),
  ),
  untold: v.pipe(count, v.description('Members of the lists that are left out.')),
}) satisfies v.GenericSchema<QueueView>

export const PublishedApplication = v.object({
  id: v.string(),
  tenantId: v.string(),
  groupId: v.string(),
  name: v.string(),
  externalUrl: v.string(),
  open: count,
  waiting: count,
  maintenance: v.boolean(),
  connectors: v.array(
    v.object({
      connectorId: v.string(),
      health: v.picklist(['healthy', 'passed-over', 'due', 'probing']),
      faults: count,
    }),
  ),
}) satisfies v.GenericSchema<ApplicationView>

export const KnownSession = v.object({
  sessionId: v.exactOptional(v.string()),
  tenantId: v.string(),
  applicationId: v.string(),
  issuer: v.string(),
  subject: v.string(),
  startedAt: v.exactOptional(time),
  expiresAt: v.exactOptional(time),
  open: v.pipe(count, v.description('Requests, streams and WebSockets that are open.')),
}) satisfies v.GenericSchema<SessionView>

export const Ticket = v.object({
  id: v.string(),
  tenantId: v.string(),
  groupId: v.string(),
  standing: v.picklist(['pending', 'active']),
  keyId: v.exactOptional(v.string()),
  maker: v.object({ as: v.picklist(['registrar', 'operator']), name: v.string() }),
  createdAt: time,
  expiresAt: time,
}) satisfies v.GenericSchema<TicketView>
export const NewTicket = v.object({
  ticket: v.pipe(v.string(), v.description('The secret. It is shown once and kept nowhere.')),
  id: v.string(),
  tenantId: v.string(),
  groupId: v.string(),
  expiresAt: time,
}) satisfies v.GenericSchema<NewTicketView>

export const Me = v.object({
  name: v.string(),
  roles: v.array(v.picklist(['reader', 'operator', 'publisher', 'service'])),
  tenantId: v.exactOptional(v.string()),
}) satisfies v.GenericSchema<MeView>

export const Instance = v.object({
  at: time,
  instance: v.string(),
  open: v.pipe(count, v.description('Exchanges that have no outcome yet.')),
  waiting: count,
  certificates: v.array(v.object({ name: v.string(), expiresAt: time, daysLeft: v.number() })),
  configurationAgeMs: v.exactOptional(milliseconds),
  configurationVersion: v.exactOptional(version),
  configurationRefused: v.exactOptional(
    v.pipe(version, v.description('One that this instance cannot read, and is not in force here.')),
  ),
}) satisfies v.GenericSchema<InstanceView>

export const KnownInstance = v.object({
  instance: v.string(),
  state: v.pipe(
    v.picklist(['serving', 'draining', 'silent', 'unknown']),
    v.description(
      '`silent`: not heard for four seconds, and it did not say that it leaves; `unknown`: nobody can be heard now.',
    ),
  ),
  isAsked: v.pipe(v.boolean(), v.description('It is the one that answers this.')),
  connectorUrl: v.exactOptional(v.string()),
  version: v.exactOptional(v.string()),
  since: v.exactOptional(time),
  links: v.pipe(count, v.description('Of connectors; of when it was last heard, as `open`.')),
  open: v.pipe(count, v.description('Exchanges that have no outcome yet.')),
  heardAt: time,
  heardAgoMs: milliseconds,
}) satisfies v.GenericSchema<KnownInstanceView>

const root = { keyId: v.string(), expiresAt: time }

const of = v.exactOptional(
  v.pipe(
    v.picklist(['connectors', 'servers']),
    v.description('Whose authority. Default `connectors`.'),
  ),
)

export const AuthorityQuery = v.strictObject({ of })
export const RollOrder = v.strictObject({
  of,
  beginsInMs: v.exactOptional(
    v.pipe(
      count,
      v.maxValue(30 * 24 * 60 * 60 * 1000),
      v.description('After how long connectors renew, milliseconds. Default 2000.'),
    ),
  ),
})
export const RollFinish = v.strictObject({
  of,
  force: v.exactOptional(
    v.pipe(v.boolean(), v.description('Although connectors would have to be registered again.')),
  ),
})
export const Authority = v.object({
  state: v.pipe(
    v.picklist(['one', 'announced', 'rolling']),
    v.description('`announced`: both roots are trusted. `rolling`: connectors are asked to renew.'),
  ),
  root: v.object(root),
  leaving: v.exactOptional(v.object({ ...root, leavesAt: time })),
  remaining: v.object({
    total: v.pipe(count, v.description('Connectors without a used certificate of the next root.')),
    connectors: v.array(
      v.object({ id: v.string(), tenantId: v.string(), name: v.string(), standing: Standing }),
    ),
    connections: v.pipe(
      count,
      v.description(
        'On this instance, by certificates of the root before: those that carry something.',
      ),
    ),
  }),
}) satisfies v.GenericSchema<AuthorityView>
export const Version = v.object({
  version,
  at: time,
  by: v.object({ as: v.picklist(['operator', 'file']), name: v.string() }),
  comment: v.exactOptional(v.string()),
  restored: v.exactOptional(version),
}) satisfies v.GenericSchema<VersionView>

export const CurrentConfiguration = v.object({
  version,
  configuration: v.pipe(
    Configuration,
    v.description(
      'Tenants, groups and applications; `{"$secret": "kept"}` in the place of each secret.',
    ),
  ),
  etag: v.string(),
})
type Shown = Omit<ConfigurationView, 'configuration'>
CurrentConfiguration satisfies v.GenericSchema<Shown>

export const ConfigurationMistakes = v.object({
  mistakes: v.array(
    v.object({ path: v.string(), detail: v.string(), meant: v.exactOptional(v.string()) }),
  ),
}) satisfies v.GenericSchema<ConfigurationMistakesView>

const changes = v.array(
  v.object({
    change: v.picklist(['added', 'removed', 'changed']),
    what: v.picklist(['tenant', 'group', 'application']),
    id: v.string(),
    tenantId: v.exactOptional(v.string()),
    fields: v.exactOptional(
      v.array(
        v.object({
          path: v.string(),
          before: v.exactOptional(v.pipe(v.string(), v.description('As JSON.'))),
          after: v.exactOptional(v.pipe(v.string(), v.description('As JSON.'))),
          isSecret: v.exactOptional(
            v.pipe(v.literal(true), v.description('That it is another is all that is told.')),
          ),
        }),
      ),
    ),
  }),
)
export const ConfigurationChanges = v.object({
  changes,
}) satisfies v.GenericSchema<ConfigurationChangesView>

export const Applied = v.object({
  version,
  isMade: v.pipe(v.boolean(), v.description('False where nothing is other.')),
  changes,
  etag: v.string(),
}) satisfies v.GenericSchema<AppliedView>

export const list = <S extends v.GenericSchema>(item: S) => v.object({ items: v.array(item) })

/** An error (RFC 9457). */
export const Problem = v.object({
  type: v.string(),
  title: v.string(),
  status: count,
  code: v.string(),
  mistakes: v.exactOptional(
    v.array(v.object({ path: v.string(), detail: v.string(), meant: v.exactOptional(v.string()) })),
  ),
})
