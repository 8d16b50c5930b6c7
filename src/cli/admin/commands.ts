/**
 * The commands of an operator: calls of the admin API.
 */
import { command, type Command } from '../program/command.ts'
import {
  ADMIN_APPLY_FLAGS,
  ADMIN_APPROVE_FLAGS,
  ADMIN_AUTHORITY_FLAGS,
  ADMIN_CHANGE_FLAGS,
  ADMIN_CONNECTORS_FLAGS,
  ADMIN_END_FLAGS,
  ADMIN_FINISH_FLAGS,
  ADMIN_FLAGS,
  ADMIN_LIST_FLAGS,
  ADMIN_ROLLBACK_FLAGS,
  ADMIN_SHOW_CONFIGURATION_FLAGS,
  ADMIN_ROLL_FLAGS,
  ADMIN_SESSIONS_FLAGS,
  ADMIN_TICKET_FLAGS,
} from './flags.ts'

const configuration = () => import('./configuration.ts')
const connectors = () => import('./connectors.ts')
const authority = () => import('./authority.ts')
const tickets = () => import('./tickets.ts')
const instances = () => import('./instances.ts')
const published = () => import('./published.ts')

const READ_FIRST =
  'It is read first, and changed only if it still is what was read; where somebody else was faster nothing is changed (code 4).'

const FILE_TEXT =
  'The file is as "configuration show" writes it, or the configuration of a cloud, of which "directory" is taken. Its mode is 0600.'

export const ADMIN_COMMANDS: readonly Command[] = [
  command({
    words: 'admin connectors list',
    summary: 'which connectors there are, and how they do',
    text: [
      'On the machine of a cloud whose configuration has "admin", and as its user, the state directory is found by --config, by --state-dir, or in its usual place; the local token in it is shown at the socket in it, and nowhere else. With --url a token of an issuer is shown at the port: by https, or on this machine. Links and what is in flight are those of the instance that is asked.',
    ],
    flags: ADMIN_CONNECTORS_FLAGS,
    examples: [
      'admin connectors list --config cloud/cloud.jsonc',
      'admin connectors list --url https://admin.example --token-file token --ca authority.pem',
    ],
    run: async (given, around) => (await connectors()).listConnectors(given, around),
  }),
  command({
    words: 'admin connectors show',
    summary: 'one connector, and what it last failed at',
    flags: ADMIN_FLAGS,
    names: ['ID'],
    run: async (given, around) => (await connectors()).showConnector(given, around),
  }),
  command({
    words: 'admin connectors approve',
    summary: 'let a connector serve that waits, is drained or disabled',
    text: [READ_FIRST],
    flags: ADMIN_APPROVE_FLAGS,
    names: ['ID'],
    run: async (given, around) => (await connectors()).approveConnector(given, around),
  }),
  command({
    words: 'admin connectors drain',
    summary: 'let it finish what it has, and give it nothing new',
    text: [READ_FIRST],
    flags: ADMIN_CHANGE_FLAGS,
    names: ['ID'],
    run: async (given, around) => (await connectors()).changeBy('drain')(given, around),
  }),
  command({
    words: 'admin connectors disable',
    summary: 'cut its links, until it is approved again',
    text: [READ_FIRST],
    flags: ADMIN_CHANGE_FLAGS,
    names: ['ID'],
    run: async (given, around) => (await connectors()).changeBy('disable')(given, around),
  }),
  command({
    words: 'admin connectors revoke',
    summary: 'cut its links and refuse its certificates, for ever',
    text: [READ_FIRST],
    flags: ADMIN_CHANGE_FLAGS,
    names: ['ID'],
    run: async (given, around) => (await connectors()).changeBy('revoke')(given, around),
  }),
  command({
    words: 'admin connectors move',
    summary: 'put it into another group of its tenant',
    text: [READ_FIRST],
    flags: ADMIN_CHANGE_FLAGS,
    names: ['ID', 'GROUP'],
    run: async (given, around) => (await connectors()).moveConnector(given, around),
  }),
  command({
    words: 'admin connectors rename',
    summary: 'give it another name',
    text: [READ_FIRST],
    flags: ADMIN_CHANGE_FLAGS,
    names: ['ID', 'NAME'],
    run: async (given, around) => (await connectors()).renameConnector(given, around),
  }),
  command({
    words: 'admin connectors forget',
    summary: 'hide it: it must be registered again, as another',
    text: [READ_FIRST],
    flags: ADMIN_CHANGE_FLAGS,
    names: ['ID'],
    run: async (given, around) => (await connectors()).forgetConnector(given, around),
  }),
  command({
    words: 'admin instances list',
    summary: 'which instances there are, what they hold, and when each was last heard',
    text: [
      'As the instance that is asked knows them. One that ended in order is not shown; one that fell silent is, for ten minutes: it may be cut off, and serve its users. "unknown" are all others while the broker cannot be reached.',
    ],
    flags: ADMIN_FLAGS,
    examples: ['admin instances list --config cloud/cloud.jsonc'],
    run: async (given, around) => (await instances()).listInstances(given, around),
  }),
  command({
    words: 'admin groups list',
    summary: 'groups: what their connectors take, what waits, what they serve',
    flags: ADMIN_LIST_FLAGS,
    run: async (given, around) => (await published()).listGroups(given, around),
  }),
  command({
    words: 'admin queue list',
    summary: 'what waits in each group and for how long, and what it waits for',
    text: [
      'Below the groups: applications whose requests wait or hold all they may, and connectors that are passed over, why and until when. It is the queue of the instance that is asked.',
    ],
    flags: ADMIN_LIST_FLAGS,
    run: async (given, around) => (await published()).listQueues(given, around),
  }),
  command({
    words: 'admin applications list',
    summary: 'applications: what is open, what waits, which connectors fail at them',
    flags: ADMIN_LIST_FLAGS,
    run: async (given, around) => (await published()).listApplications(given, around),
  }),
  command({
    words: 'admin sessions list',
    summary: 'sessions in whose name something is open on this instance',
    text: ['Other sessions are cookies of browsers, and known to nobody; see "sessions end".'],
    flags: ADMIN_SESSIONS_FLAGS,
    run: async (given, around) => (await published()).listSessions(given, around),
  }),
  command({
    words: 'admin sessions end',
    summary: 'end all sessions of a user, or one',
    flags: ADMIN_END_FLAGS,
    examples: ['admin sessions end --tenant contoso --subject alice'],
    run: async (given, around) => (await published()).endSessions(given, around),
  }),
  command({
    words: 'admin tickets list',
    summary: 'enrolment tickets that can still be used',
    flags: ADMIN_LIST_FLAGS,
    run: async (given, around) => (await tickets()).listTickets(given, around),
  }),
  command({
    words: 'admin tickets create',
    summary: 'make a one-time ticket by which one connector can be registered',
    text: [
      'As "cloud ticket", by the running cloud. The tenant must say "enrolmentTickets": true. It is told once and kept nowhere.',
    ],
    flags: ADMIN_TICKET_FLAGS,
    examples: ['admin tickets create --config cloud.json --tenant contoso --out ticket'],
    run: async (given, around) => (await tickets()).createTicket(given, around),
  }),
  command({
    words: 'admin tickets revoke',
    summary: 'end a ticket before its time',
    flags: ADMIN_FLAGS,
    names: ['ID'],
    run: async (given, around) => (await tickets()).revokeTicket(given, around),
  }),
  command({
    words: 'admin authority show',
    summary: 'what certifies connectors, and who still needs the root before',
    flags: ADMIN_AUTHORITY_FLAGS,
    run: async (given, around) => (await authority()).showAuthority(given, around),
  }),
  command({
    words: 'admin authority roll',
    summary: 'make the next root: both are trusted, and connectors renew by themselves',
    text: [
      'No connector is registered again. It is over with "admin authority finish", when "show" names no connector any more. Where instances have a copy each of the file, give them the new one before the time of --begins-in.',
    ],
    flags: ADMIN_ROLL_FLAGS,
    examples: ['admin authority roll --config cloud/cloud.jsonc'],
    run: async (given, around) => (await authority()).rollAuthority(given, around),
  }),
  command({
    words: 'admin authority finish',
    summary: 'trust the root before no longer',
    text: [
      'Refused while connectors have not come with a certificate of the next root, which are named; with --force they have to be registered again.',
    ],
    flags: ADMIN_FINISH_FLAGS,
    run: async (given, around) => (await authority()).finishAuthority(given, around),
  }),
  command({
    words: 'admin configuration show',
    summary: 'what is published: tenants, groups and applications',
    text: [
      'In the place of each secret is {"$secret": "kept"}; what is applied with that keeps the secret that is there.',
    ],
    flags: ADMIN_SHOW_CONFIGURATION_FLAGS,
    examples: ['admin configuration show --config cloud.json --out published.json'],
    run: async (given, around) => (await configuration()).showConfiguration(given, around),
  }),
  command({
    words: 'admin configuration versions',
    summary: 'which versions are kept: when, by whom, why',
    flags: ADMIN_FLAGS,
    run: async (given, around) => (await configuration()).listVersions(given, around),
  }),
  command({
    words: 'admin configuration validate',
    summary: 'every mistake of a file, by the cloud that is to apply it',
    text: [FILE_TEXT],
    flags: ADMIN_FLAGS,
    names: ['FILE'],
    run: async (given, around) => (await configuration()).validateConfiguration(given, around),
  }),
  command({
    words: 'admin configuration diff',
    summary: 'what would be other, if a file were applied',
    text: [FILE_TEXT],
    flags: ADMIN_FLAGS,
    names: ['FILE'],
    run: async (given, around) => (await configuration()).diffConfiguration(given, around),
  }),
  command({
    words: 'admin configuration apply',
    summary: 'put what a file says in force, on every instance',
    text: [FILE_TEXT, READ_FIRST],
    flags: ADMIN_APPLY_FLAGS,
    names: ['FILE'],
    examples: [
      'admin configuration apply published.json --config cloud.json --comment "mail is published"',
    ],
    run: async (given, around) => (await configuration()).applyConfiguration(given, around),
  }),
  command({
    words: 'admin configuration rollback',
    summary: 'put an earlier version in force again, as a new one',
    text: ['Going back twice goes two back.', READ_FIRST],
    flags: ADMIN_ROLLBACK_FLAGS,
    run: async (given, around) => (await configuration()).rollBackConfiguration(given, around),
  }),
]
