/**
 * What `connector run` writes on standard error: what happens to the connector.
 */
import { checkConfiguration } from 'app-proxy/connector'
import type { ConnectorEvent, SignOnFileEvent } from 'app-proxy/connector/node'
import * as v from 'valibot'
import {
  because,
  Log,
  LogFormatSetting,
  LogLevelSetting,
  type LogSettings,
  type LogTable,
} from '../program/log.ts'

/** What it tells. */
export type ConnectorNotice =
  ConnectorEvent | SignOnFileEvent | { readonly type: 'status-not-written'; readonly error: Error }

export const CONNECTOR_LOG: LogTable<ConnectorNotice> = {
  mistake: {
    level: 'error',
    what: 'Something that a person has to put right: whose it is, the setting, and the remedy. Told once.',
    text: ({ message }) => message,
  },
  mended: {
    level: 'info',
    what: 'A mistake that was told is there no more.',
    text: ({ kind }) => `mended: ${kind}`,
  },
  expired: {
    level: 'error',
    what: 'Its certificate has ended: it has to be registered again.',
    text: () => 'the certificate has ended: register the connector again',
  },
  registered: {
    level: 'info',
    what: 'It was registered, and as what.',
    text: ({ connectorId, tenantId }) => `registered: connector ${connectorId} of ${tenantId}`,
  },
  'registration-delayed': {
    level: 'warning',
    what: 'A try to register failed; it is tried again.',
    text: ({ error }) => `registration is tried again${because(error)}`,
  },
  link: {
    level: {
      up: 'info',
      idle: 'info',
      connecting: 'debug',
      backoff: 'warning',
      'plain-fallback': 'warning',
    },
    what: 'The link to an instance of the cloud: its state, and the cause.',
    text: ({ instance, state, binding, cause }) =>
      `link to ${instance}: ${state}${binding ? ` by ${binding}` : ''}${because(cause)}`,
  },
  configured: {
    level: 'info',
    what: 'A configuration is in force: its version.',
    text: ({ configuration }) => `configuration ${configuration.version} is in force`,
    fields: ({ configuration }) => ({ configuration: configuration.version }),
  },
  'pull-failed': {
    level: 'warning',
    what: 'The configuration could not be fetched, or be applied; the last good one stays.',
    text: ({ error }) => `the configuration could not be fetched${because(error)}`,
  },
  renewed: {
    level: 'info',
    what: 'It has a new certificate.',
    text: ({ identity }) => `connector ${identity.connectorId} has a new certificate`,
    fields: ({ identity }) => ({ identity: identity.connectorId }),
  },
  reverted: {
    level: 'warning',
    what: 'The new certificate was refused; the one before is used again.',
    text: () => 'the new certificate was refused: the one before is used again',
    fields: ({ refused }) => ({ refused: refused.connectorId }),
  },
  'renewal-failed': {
    level: 'warning',
    what: 'A try to renew the certificate failed; it is tried again.',
    text: ({ error }) => `the certificate is renewed later${because(error)}`,
  },
  'exchange-failed': {
    level: { failed: 'warning', cancelled: 'info' },
    what: 'A request failed, or its user gave it up: the number that the user was shown, and why.',
    text: ({ request, outcome, cause }) =>
      `request ${request} ${outcome.kind}${because(cause) || ('error' in outcome ? because(outcome.error) : '')}`,
  },
  'sign-on-file': {
    level: { taken: 'info', refused: 'error' },
    what: 'The file of `--sign-on` was changed: it is taken, or refused, and what it said before holds.',
    text: (event) =>
      event.state === 'taken'
        ? 'the file of --sign-on is taken as it is now'
        : `the file of --sign-on is refused${because(event.error)}`,
  },
  'status-not-written': {
    level: 'warning',
    what: '`connector status` shows what was before: the state directory takes no file. Told once.',
    text: ({ error }) => `the status cannot be written${because(error)}`,
  },
}

/** The two options, as they were given. */
export interface LogGiven {
  readonly 'log-level'?: string | undefined
  readonly 'log-format'?: string | undefined
}

const Options = v.strictObject({
  '--log-level': v.optional(LogLevelSetting, 'info'),
  '--log-format': v.optional(LogFormatSetting, 'json'),
})

/** @throws ConfigurationInvalid */
export function logSettings({
  'log-level': level,
  'log-format': format,
}: LogGiven): Pick<LogSettings, 'level' | 'format'> {
  const given = { '--log-level': level, '--log-format': format }
  const read = checkConfiguration(Options, given)
  return { level: read['--log-level'], format: read['--log-format'] }
}

/**
 * Reads the options at the first event: what is wrong with them is told with all other mistakes,
 * before anything happens.
 */
export function connectorLog(
  given: LogGiven,
  write: (line: string) => void,
): (event: ConnectorNotice) => void {
  let log: Log<ConnectorNotice> | undefined
  return (event) => {
    log ??= new Log(CONNECTOR_LOG, logSettings(given), write)
    log.tell(event)
  }
}
