/**
 * The options of the commands about the cloud.
 */
import type { Flags, Given } from '../program/command.ts'

const CONFIG = {
  value: 'FILE',
  isRequired: true,
  text: 'what it does: JSON, see docs/configuration.md',
} as const

export const CLOUD_RUN_FLAGS = { config: CONFIG } as const satisfies Flags
export type CloudRunGiven = Given<typeof CLOUD_RUN_FLAGS>

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
