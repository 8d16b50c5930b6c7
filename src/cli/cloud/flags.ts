/**
 * The options of the commands about the cloud.
 */
import type { Flags, Given } from '../program/command.ts'

const CONFIG = {
  value: 'FILE',
  isRequired: true,
  text: 'what it does: JSON, see docs/configuration.md',
} as const

export const CLOUD_RUN_FLAGS = {
  config: CONFIG,
  instances: {
    value: 'N',
    text: "processes that share the users' port: a number, or auto for one per core (default: 1)",
  },
} as const satisfies Flags
export type CloudRunGiven = Given<typeof CLOUD_RUN_FLAGS>

export const CLOUD_CHECK_FLAGS = { config: CONFIG } as const satisfies Flags
export type CloudCheckGiven = Given<typeof CLOUD_CHECK_FLAGS>

export const CLOUD_INIT_FLAGS = {
  dir: {
    value: 'DIR',
    isRequired: true,
    text: 'where the configuration is written, and state kept',
  },
  internal: {
    value: 'URL',
    text: 'the application, as a connector sees it (default: http://127.0.0.1:8081/)',
  },
} as const satisfies Flags
export type CloudInitGiven = Given<typeof CLOUD_INIT_FLAGS>

export const CLOUD_SERVICE_FLAGS = {
  config: { ...CONFIG, value: 'PATH', text: 'what it does, on the machine that it runs on' },
  user: { value: 'NAME', text: 'who it runs as (default: app-proxy)' },
  'low-ports': { text: 'it listens on ports below 1024' },
} as const satisfies Flags
export type CloudServiceGiven = Given<typeof CLOUD_SERVICE_FLAGS>

export const CLOUD_TICKET_FLAGS = {
  config: { ...CONFIG, text: "the cloud's configuration" },
  tenant: { value: 'ID', isRequired: true, text: 'whose connector it will be' },
  group: { value: 'ID', text: "the connector's group (default: the tenant's)" },
  minutes: { value: 'N', text: 'how long it is good (default: 60)' },
  active: { text: 'its connector needs no approval' },
  key: { value: 'THUMBPRINT', text: 'the only key that it is for (default: any)' },
  out: { value: 'FILE', text: 'where it is written, mode 0600 (default: to stdout)' },
} as const satisfies Flags
export type CloudTicketGiven = Given<typeof CLOUD_TICKET_FLAGS>

export type PolicyTestGiven = Given<Record<never, never>>
