/**
 * The commands about a connector.
 */
import { command, type Command } from '../program/command.ts'
import { CONNECTOR_KEY_FLAGS, CONNECTOR_RUN_FLAGS } from './flags.ts'

export const CONNECTOR_COMMANDS: readonly Command[] = [
  command({
    words: 'connector run',
    summary: 'serve applications, until SIGINT or SIGTERM',
    text: [
      'It needs an identity in --state-dir. Where there is none it registers first, with --token-file or --ticket-file, which are not read otherwise.',
      'What happens goes to stderr, one JSON object a line. With --json one line on stdout says that it is ready: {"connectorId":"…","tenantId":"…","bindings":{"INSTANCE":"link"}}. A cloud that cannot be reached is waited for.',
      'SIGINT and SIGTERM finish what is under way, then end with code 0.',
    ],
    flags: CONNECTOR_RUN_FLAGS,
    examples: [
      'connector run --url https://cloud.example:8443 --ca server-ca.pem --state-dir connector --ticket-file ticket',
    ],
    run: async (given, surroundings) =>
      (await import('./run.ts')).runConnector(given, surroundings),
  }),
  command({
    words: 'connector key',
    summary: 'say the thumbprint of the key that it will register with',
    text: ['The key is made if there is none. A ticket can be made for this key alone.'],
    flags: CONNECTOR_KEY_FLAGS,
    examples: ['connector key --state-dir connector'],
    run: async (given, surroundings) => (await import('./key.ts')).sayKey(given, surroundings),
  }),
]
