/**
 * The commands about the cloud.
 */
import { command, type Command } from '../program/command.ts'
import {
  CLOUD_CHECK_FLAGS,
  CLOUD_INIT_FLAGS,
  CLOUD_RUN_FLAGS,
  CLOUD_SERVICE_FLAGS,
  CLOUD_TICKET_FLAGS,
} from './flags.ts'

export const CLOUD_COMMANDS: readonly Command[] = [
  command({
    words: 'cloud init',
    summary: 'write a configuration to begin with, every setting explained',
    text: ['Nothing that is there is overwritten. It serves one application on this machine.'],
    flags: CLOUD_INIT_FLAGS,
    examples: ['cloud init --dir cloud'],
    run: async (given, surroundings) => (await import('./init.ts')).initCloud(given, surroundings),
  }),
  command({
    words: 'cloud check',
    summary: 'look at a configuration and at what it names, and start nothing',
    text: [
      'All mistakes in the file are told at once (code 3). Then: whether the state directory can be used, whether the broker answers, whether the ports are free, when certificates end, and what would be served. Code 1 says that something of that is wrong.',
    ],
    flags: CLOUD_CHECK_FLAGS,
    examples: ['cloud check --config cloud/cloud.jsonc'],
    run: async (given, surroundings) =>
      (await import('./check.ts')).checkCloud(given, surroundings),
  }),
  command({
    words: 'cloud run',
    summary: 'serve users and connectors, until SIGINT or SIGTERM',
    text: [
      'Everything that it must remember is in the state directory that the configuration names, in LMDB. Keys and certificates are made there at the first start. With "nats" in the configuration it is in a broker that several instances share, but for the two authorities: see docs/nats.md. Where the broker does not answer at start, it ends with code 5.',
      "With --instances it is several processes on this machine, which share the users' port (each connection is taken by one that is free) and the state directory: instances of their own (cloud-1, cloud-2, …) with a port each for connectors, counted up from the one in the configuration. The process that is started serves nobody: it starts again what dies, and passes signals on. The admin API is in the first.",
      'SIGHUP reads the directory in the file again, and opens the audit file anew; a mistake in it is told and changes nothing. SIGINT and SIGTERM make it unready, drain, then end with code 0. SIGINT (Ctrl-C) again, a second later or more, ends it at once, with code 130.',
      'With --json one line on stdout says that it is ready: {"usersUrl":"…","connectorUrl":"…","caFile":"…"}, and "adminSocket", "adminUrl" and "healthUrl" where the configuration has "admin", a port in it, and "health"; "instances" (id → URL for connectors) with --instances.',
    ],
    flags: CLOUD_RUN_FLAGS,
    examples: ['cloud run --config cloud.json', 'cloud run --config cloud.json --instances auto'],
    run: async (given, surroundings) => (await import('./run.ts')).runCloud(given, surroundings),
  }),
  command({
    words: 'cloud service',
    summary: 'print a hardened unit for systemd that runs it',
    flags: CLOUD_SERVICE_FLAGS,
    examples: [
      'cloud service --config /etc/app-proxy/cloud.json > /etc/systemd/system/app-proxy-cloud.service',
    ],
    run: async (given, surroundings) =>
      (await import('./service.ts')).printCloudUnit(given, surroundings),
  }),
  command({
    words: 'cloud ticket',
    summary: 'make a one-time ticket by which one connector can be registered',
    text: [
      'For the operator of the service, at the service: it opens the registry in the cloud\'s state directory, whether the cloud runs or not. The tenant must say "enrolmentTickets": true.',
      'A connector that comes by it waits for an approval unless --active is said. With --key no other connector can use it: "app-proxy connector key" says which.',
    ],
    flags: CLOUD_TICKET_FLAGS,
    examples: ['cloud ticket --config cloud.json --tenant contoso --active --out ticket'],
    run: async (given, surroundings) =>
      (await import('./ticket.ts')).makeTicket(given, surroundings),
  }),
  command({
    words: 'policy test',
    summary: 'try access policies before they are in force',
    text: [
      "CONFIGURATION is the cloud's file, or a directory alone. CASES is a JSON list of who comes from where, when and how, and what must become of them. Says of each case what became of it, and which policies matched; ends with code 1 when one is not as it must be.",
    ],
    flags: {},
    names: ['CONFIGURATION', 'CASES'],
    examples: ['policy test cloud.json cases.json'],
    run: async (given, surroundings) =>
      (await import('./policy-test.ts')).testPolicyCases(given, surroundings),
  }),
]
