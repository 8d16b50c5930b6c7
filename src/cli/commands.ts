/**
 * Everything that `app-proxy` can do, in the order of its help.
 */
import { ADMIN_COMMANDS } from './admin/commands.ts'
import { CLOUD_COMMANDS } from './cloud/commands.ts'
import { CONNECTOR_COMMANDS } from './connector/commands.ts'
import { DEMO_COMMANDS } from './demo/commands.ts'
import type { Command } from './program/command.ts'

export const COMMANDS: readonly Command[] = [
  ...CLOUD_COMMANDS,
  ...CONNECTOR_COMMANDS,
  ...ADMIN_COMMANDS,
  ...DEMO_COMMANDS,
]

/** What the first word of commands is about. */
export const GROUPS: Readonly<Record<string, string>> = {
  cloud: 'the service that users and connectors reach',
  policy: 'who is let in',
  connector: 'serves applications from where it runs, and dials out to the cloud',
  admin: 'what an operator sees and does, at a cloud that runs',
  demo: 'all of it at work, to be tried',
}
