/**
 * The commands about a connector.
 */
import { command, type Command } from '../program/command.ts'
import {
  CONNECTOR_CHECK_FLAGS,
  CONNECTOR_KEY_FLAGS,
  CONNECTOR_REGISTER_FLAGS,
  CONNECTOR_RUN_FLAGS,
  CONNECTOR_SERVICE_FLAGS,
  CONNECTOR_STATUS_FLAGS,
} from './flags.ts'

export const CONNECTOR_COMMANDS: readonly Command[] = [
  command({
    words: 'connector register',
    summary: 'register this machine at a cloud, once',
    text: [
      'It makes a key in --state-dir and asks the cloud for a certificate. With --issuer it says an address and a code: somebody who may register connectors opens the address in any browser, signs in and confirms the code (the OAuth device authorization grant). The client must be one of the issuer that is public and may use that grant.',
      'Where nobody is there, --token-file has a token of such a person, or --ticket-file a ticket that an operator of the cloud made; "-" reads it from stdin.',
      'HTTPS_PROXY and NO_PROXY of the environment say how cloud and issuer are reached, as for curl.',
      'With --json stdout has one object with the address and the code, and one with what it was registered as.',
    ],
    flags: CONNECTOR_REGISTER_FLAGS,
    examples: [
      'connector register --url https://cloud.example:8443 --issuer https://id.example --audience urn:app-proxy:registration --state-dir connector',
      'connector register --url https://cloud.example:8443 --ticket-file ticket --state-dir connector',
    ],
    run: async (given, surroundings) =>
      (await import('./register.ts')).registerConnector(given, surroundings),
  }),
  command({
    words: 'connector run',
    summary: 'serve applications, until SIGINT or SIGTERM',
    text: [
      'It needs an identity in --state-dir. Where there is none it registers first, with --token-file or --ticket-file, which are not read otherwise.',
      'What happens goes to stderr, one JSON object a line; with --log-format text, in words. With --log-level debug repeated tries are told too. With --json one line on stdout says that it is ready: {"connectorId":"…","tenantId":"…","bindings":{"INSTANCE":"link"}}, and "healthUrl" where there is --health-port. A cloud that cannot be reached is waited for.',
      'HTTPS_PROXY and NO_PROXY of the environment say how the cloud is reached, as for curl; applications are called past the proxy.',
      'SIGINT and SIGTERM finish what is under way, then end with code 0. SIGINT (Ctrl-C) again, a second later or more, ends it at once, with code 130.',
    ],
    flags: CONNECTOR_RUN_FLAGS,
    examples: [
      'connector run --url https://cloud.example:8443 --ca server-ca.pem --state-dir connector --ticket-file ticket',
    ],
    run: async (given, surroundings) =>
      (await import('./run.ts')).runConnector(given, surroundings),
  }),
  command({
    words: 'connector status',
    summary: 'tell how the connector on this machine does',
    text: [
      'What the running connector last wrote into its state directory, at most some seconds ago: its links, what is under way, its certificate, and what a person has to put right. Ends with code 1 where none runs, or it is not ready.',
    ],
    flags: CONNECTOR_STATUS_FLAGS,
    examples: ['connector status --state-dir connector'],
    run: async (given, surroundings) =>
      (await import('./status.ts')).tellStatus(given, surroundings),
  }),
  command({
    words: 'connector check',
    summary: 'walk everything that it needs, and name the first thing that is wrong',
    text: [
      "The cloud's name, the proxy that HTTPS_PROXY names, a connection, TLS and who signed it, the clocks, the connector's own certificate, what the cloud says of it, its group and standing; then each application from where it stands: name, connection, TLS, an answer to HEAD. It changes nothing, and may run beside the connector.",
      'Whatever is wrong is told with what is to be done, and ends it with code 1; the first of it is told again at the end.',
    ],
    flags: CONNECTOR_CHECK_FLAGS,
    examples: [
      'connector check --url https://cloud.example:8443 --ca server-ca.pem --state-dir connector',
    ],
    run: async (given, surroundings) =>
      (await import('./check.ts')).checkFromHere(given, surroundings),
  }),
  command({
    words: 'connector service',
    summary: 'print a hardened unit for systemd that runs it',
    text: [
      'Its state is in /var/lib/app-proxy-connector: register it there first, as the user that it runs as.',
    ],
    flags: CONNECTOR_SERVICE_FLAGS,
    examples: [
      'connector service --url https://cloud.example:8443 > /etc/systemd/system/app-proxy-connector.service',
    ],
    run: async (given, surroundings) =>
      (await import('./service.ts')).printConnectorUnit(given, surroundings),
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
