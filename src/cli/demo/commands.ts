/**
 * The command that shows all of it at work.
 */
import { command, type Command } from '../program/command.ts'
import { DEMO_FLAGS } from './flags.ts'

export const DEMO_COMMANDS: readonly Command[] = [
  command({
    words: 'demo',
    summary: 'start an issuer, a private site, a cloud and a connector on this machine',
    text: [
      'It says where to browse, who may sign in and what to try; Ctrl-C ends all of it. The packages of its issuer and site are not everybody’s: where they are not installed, it says which they are. Several instances need nats-server too, which is a package of Debian. With --json the first line tells all that the table does.',
    ],
    flags: DEMO_FLAGS,
    examples: ['demo', 'demo --publish wiki=http://127.0.0.1:8080', 'demo --instances 2'],
    run: async (given, around) => (await import('./run.ts')).runDemo(given, around),
  }),
]
