/**
 * What `cloud run` writes on standard error. Audit events are no part of it: they go where `audit`
 * of the file says, whatever the level is.
 */
import { ConfigurationInvalid, mistakeLine } from 'app-proxy/protocol'
import { Log, type LogTable } from '../program/log.ts'
import type { CloudServerSettings } from './configuration.ts'

/** What it tells. */
export type CloudNotice =
  | { readonly type: 'configuration-refused'; readonly mistake: string }
  | { readonly type: 'part-failed'; readonly part: string; readonly error: string }
  | { readonly type: 'plain-http' }
  | { readonly type: 'instance-ended'; readonly instance: string; readonly how: string }
  | { readonly type: 'configuration-read'; readonly applications: number }
  | { readonly type: 'certificate-made' }
  | { readonly type: 'ending' }

export type CloudLog = Log<CloudNotice>

export const CLOUD_LOG: LogTable<CloudNotice> = {
  'configuration-refused': {
    level: 'error',
    what: 'A file that is read while it runs is wrong; what was before stays in force.',
    text: ({ mistake }) => `configuration not changed: ${mistake}`,
  },
  'part-failed': {
    level: 'error',
    what: 'A part did not do what it was asked: a sink, a store, the broker. Its name, and the name of the error.',
    text: ({ part, error }) => `${part} failed: ${error}`,
  },
  'plain-http': {
    level: 'warning',
    what: 'Users come without TLS.',
    text: () => 'users come by plain http: fit for this machine or behind a TLS terminator',
  },
  'instance-ended': {
    level: 'warning',
    what: 'One of several processes ended by itself, and is started again.',
    text: ({ instance, how }) => `${instance} ended (${how}); started again`,
  },
  'configuration-read': {
    level: 'info',
    what: 'The file was read again, at SIGHUP, and nothing is wrong with it.',
    text: ({ applications }) => `configuration read again: ${applications} applications`,
  },
  'certificate-made': {
    level: 'debug',
    what: 'A generated certificate was made anew.',
    text: () => 'the generated certificate was made anew',
  },
  ending: {
    level: 'debug',
    what: 'It takes no more work, finishes what is under way, and ends.',
    text: () => 'ending: what is under way is finished',
  },
}

/** `instance`: where there are several, or the file names it. */
export function openCloudLog(
  { log }: Pick<CloudServerSettings, 'log'>,
  instance: string | undefined,
  write: (line: string) => void,
): CloudLog {
  return new Log(CLOUD_LOG, { ...log, instance }, write)
}

/** A line for each mistake. */
export function tellRefused(log: CloudLog, error: unknown): void {
  const mistakes =
    error instanceof ConfigurationInvalid
      ? error.mistakes.map(mistakeLine)
      : [error instanceof Error ? error.message : String(error)]
  for (const mistake of mistakes) log.tell({ type: 'configuration-refused', mistake })
}
