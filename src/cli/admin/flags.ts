/**
 * The options of the commands of an operator.
 */
import type { Flags, Given } from '../program/command.ts'

/** Where the admin API is, and what it is shown. */
const API = {
  config: {
    value: 'FILE',
    text: "the cloud's configuration, which names its state directory: for whoever may read it",
  },
  'state-dir': {
    value: 'DIR',
    text: 'that directory itself (default: /var/lib/app-proxy-cloud)',
  },
  url: {
    value: 'URL',
    text: "the admin API's port, for a token of an issuer (default: the socket in that directory)",
  },
  ca: { value: 'FILE', text: "the authority of the port's certificate (default: the public ones)" },
  'token-file': {
    value: 'FILE',
    text: 'the token; - reads it from stdin (default: admin-token in that directory)',
  },
} as const
const TENANT = { value: 'ID', text: 'of this tenant alone (default: of all)' } as const

export const ADMIN_FLAGS = API satisfies Flags
export type AdminGiven = Given<typeof ADMIN_FLAGS>

export const ADMIN_LIST_FLAGS = { tenant: TENANT, ...API } as const satisfies Flags
export type AdminListGiven = Given<typeof ADMIN_LIST_FLAGS>

export const ADMIN_CONNECTORS_FLAGS = {
  tenant: TENANT,
  group: { value: 'ID', text: 'of this group alone' },
  standing: { value: 'NAME', text: 'pending, active, draining, disabled or revoked' },
  ...API,
} as const satisfies Flags
export type AdminConnectorsGiven = Given<typeof ADMIN_CONNECTORS_FLAGS>

export const ADMIN_CHANGE_FLAGS = {
  'if-match': {
    value: 'ETAG',
    text: 'change it only if it still is what was looked at: "etag" of "show --json"',
  },
  ...API,
} as const satisfies Flags
export type AdminChangeGiven = Given<typeof ADMIN_CHANGE_FLAGS>

export const ADMIN_APPROVE_FLAGS = {
  hours: { value: 'N', text: 'how long; then it waits for an approval again (default: for good)' },
  ...ADMIN_CHANGE_FLAGS,
} as const satisfies Flags
export type AdminApproveGiven = Given<typeof ADMIN_APPROVE_FLAGS>

export const ADMIN_SESSIONS_FLAGS = {
  tenant: TENANT,
  subject: { value: 'SUB', text: 'of this user alone' },
  ...API,
} as const satisfies Flags
export type AdminSessionsGiven = Given<typeof ADMIN_SESSIONS_FLAGS>

export const ADMIN_END_FLAGS = {
  tenant: { value: 'ID', text: 'whose user it is' },
  subject: { value: 'SUB', text: 'the user, by the name at the issuer: all sessions' },
  session: { value: 'ID', text: 'one session, in place of a user' },
  ...API,
} as const satisfies Flags
export type AdminEndGiven = Given<typeof ADMIN_END_FLAGS>

const SERVERS = {
  text: "the authority of the servers' own certificates (default: that of connectors)",
} as const
export const ADMIN_AUTHORITY_FLAGS = { servers: SERVERS, ...API } as const satisfies Flags
export type AdminAuthorityGiven = Given<typeof ADMIN_AUTHORITY_FLAGS>

export const ADMIN_ROLL_FLAGS = {
  servers: SERVERS,
  'begins-in': {
    value: 'MINUTES',
    text: 'after how long connectors renew: when every instance has it (default: 2 seconds)',
  },
  ...API,
} as const satisfies Flags
export type AdminRollGiven = Given<typeof ADMIN_ROLL_FLAGS>

export const ADMIN_FINISH_FLAGS = {
  servers: SERVERS,
  force: { text: 'although connectors would have to be registered again, or connections end' },
  ...API,
} as const satisfies Flags
export type AdminFinishGiven = Given<typeof ADMIN_FINISH_FLAGS>

export const ADMIN_TICKET_FLAGS = {
  tenant: { value: 'ID', isRequired: true, text: 'whose connector it will be' },
  group: { value: 'ID', text: "the connector's group (default: the tenant's)" },
  minutes: { value: 'N', text: 'how long it is good (default: 60)' },
  active: { text: 'its connector needs no approval' },
  key: { value: 'THUMBPRINT', text: 'the only key that it is for (default: any)' },
  out: { value: 'FILE', text: 'where it is written, mode 0600 (default: to stdout)' },
  ...API,
} as const satisfies Flags
export type AdminTicketGiven = Given<typeof ADMIN_TICKET_FLAGS>

export const ADMIN_SHOW_CONFIGURATION_FLAGS = {
  number: { value: 'N', text: 'what this version says (default: the newest)' },
  out: { value: 'FILE', text: 'where it is written, mode 0600 (default: to stdout)' },
  ...API,
} as const satisfies Flags
export type AdminShowConfigurationGiven = Given<typeof ADMIN_SHOW_CONFIGURATION_FLAGS>

const VERSION_CHANGE = {
  comment: { value: 'TEXT', text: 'why; it is kept with the version' },
  'if-match': {
    value: 'ETAG',
    text: 'only if it still is what was looked at: "etag" of "show --json"',
  },
  ...API,
} as const

export const ADMIN_APPLY_FLAGS = VERSION_CHANGE satisfies Flags
export type AdminApplyGiven = Given<typeof ADMIN_APPLY_FLAGS>

export const ADMIN_ROLLBACK_FLAGS = {
  to: { value: 'N', text: 'the version to go back to (default: the one before)' },
  ...VERSION_CHANGE,
} as const satisfies Flags
export type AdminRollbackGiven = Given<typeof ADMIN_ROLLBACK_FLAGS>
