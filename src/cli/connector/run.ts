/**
 * A connector: dials out to the cloud and serves published applications from where it runs.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { assertionSignOn, injectSignOn } from 'app-proxy/connector'
import {
  FileIdentityStore,
  SignOnFile,
  startConnector,
  type Mistake,
  type RunningConnector,
  type ConnectorOptions,
} from 'app-proxy/connector/node'
import { ConfigurationInvalid, Refused, type Binding } from 'app-proxy/protocol'
import { readAuthorities } from '../program/certificates.ts'
import { allOf, named } from '../program/mistakes.ts'
import { aborted, type Surroundings } from '../program/program.ts'
import type { ConnectorRunGiven } from './flags.ts'
import { ConnectorHealth, healthSettings } from './health.ts'
import { connectorLog, logSettings, type ConnectorNotice } from './log.ts'
import { readProof } from './proof.ts'
import { StatusFile } from './status.ts'
import {
  isEnding,
  readProxySettings,
  refusedBy,
  refuseName,
  refuseUrl,
  STATE_DIR,
} from './settings.ts'

/** Resolves with the exit code, when it has ended. */
export async function runConnector(
  given: ConnectorRunGiven,
  surroundings: Surroundings,
): Promise<number> {
  const closing: (() => unknown)[] = []
  try {
    return await serve(given, surroundings, closing)
  } finally {
    for (const close of closing) await close()
  }
}

async function serve(
  given: ConnectorRunGiven,
  { signal, say, log: write }: Surroundings,
  closing: (() => unknown)[],
): Promise<number> {
  const bindings: Record<string, Binding> = {}
  const log = connectorLog(given, write)
  const status = new StatusFile(given['state-dir'], (error) =>
    log({ type: 'status-not-written', error }),
  )
  const health = new ConnectorHealth(given)
  let healthUrl: string | undefined
  const connector = await start(given, {
    ...{ signal, observer: health.observer },
    onChecked: async () => {
      healthUrl = await health.open(closing)
    },
    log: (event) => {
      if (event.type === 'mistake') status.met(event)
      if (event.type === 'mended') status.mended(event.kind)
      if (event.type === 'link' && event.state === 'up') bindings[event.instance] = event.binding!
      log(event)
    },
  })
  if (connector === undefined) return 0
  health.watch(connector)
  await status.keep(connector)
  while (!connector.isReady && !signal.aborted) await sleep(20)
  const { connectorId, tenantId } = connector.identity
  if (!signal.aborted) say(readyLine({ connectorId, tenantId, bindings, healthUrl }, given.json))
  await aborted(signal)
  health.drain()
  await connector.stop()
  status.stop()
  return 0
}

interface Starting extends Pick<ConnectorOptions, 'observer'> {
  readonly signal: AbortSignal
  /** When nothing is wrong with what was given, before the cloud is asked. */
  readonly onChecked: () => Promise<void>
  readonly log: (event: ConnectorNotice) => void
}

/** `undefined`: a signal came first. Registration may have to be repeated for long. */
async function start(
  flags: ConnectorRunGiven,
  { signal, observer, onChecked, log }: Starting,
): Promise<RunningConnector | undefined> {
  const { url, name, ca, 'state-dir': stateDirectory, 'sign-on': signOnFile } = flags
  const [authorities, identity, file, proxy] = await allOf(
    () => (ca === undefined ? undefined : readAuthorities(ca, { path: '--ca' })),
    () => named(STATE_DIR, () => new FileIdentityStore({ directory: stateDirectory }).load()),
    () => (signOnFile === undefined ? undefined : openSignOn(signOnFile, signal, log)),
    () => readProxySettings(),
    () => refuseUrl(url),
    () => refuseName(name),
    () => healthSettings(flags),
    () => logSettings(flags),
  )
  await onChecked()
  const proof = identity.current === undefined ? await readProof(flags) : {}
  // What ends the start is told then, as a mistake of the setting that it comes from.
  let ending: Mistake | undefined
  try {
    return await startConnector({
      ...{ url, stateDirectory, signal, observer },
      proxy,
      onEvent: (event) => {
        if (event.type === 'mistake' && isEnding(event)) ending = event
        else log(event)
      },
      ...(name !== undefined && { name }),
      ...(authorities && { ca: authorities }),
      ...(file && {
        signOn: [
          injectSignOn({ secrets: file }),
          ...(file.assertions ? [assertionSignOn(file.assertions)] : []),
        ],
        applicationTls: file.applicationTls,
      }),
      ...proof,
    })
  } catch (cause) {
    if (signal.aborted) return undefined
    if (!(cause instanceof Refused) || ending === undefined) throw cause
    throw refusedBy(ending, cause)
  }
}

/** Its mistakes are told by their place in the file; one that cannot be read, by the option. */
async function openSignOn(
  path: string,
  signal: AbortSignal,
  onEvent: (event: ConnectorNotice) => void,
): Promise<SignOnFile> {
  try {
    const file = await SignOnFile.open(path, { onEvent })
    signal.addEventListener('abort', () => file.close())
    return file
  } catch (error) {
    const isOfFile = error instanceof ConfigurationInvalid && error.path === path
    return isOfFile
      ? named({ path: '--sign-on' }, () => Promise.reject(error))
      : Promise.reject(error)
  }
}

const readyLine = (
  ready: {
    readonly connectorId: string
    readonly tenantId: string
    readonly bindings: Readonly<Record<string, Binding>>
    readonly healthUrl: string | undefined
  },
  json: boolean,
) =>
  json
    ? JSON.stringify(ready)
    : [
        `ready: connector ${ready.connectorId} of ${ready.tenantId}`,
        ...Object.entries(ready.bindings).map(([instance, by]) => `  ${instance}  by ${by}`),
        ...(ready.healthUrl === undefined ? [] : [`  health  ${ready.healthUrl}`]),
      ].join('\n')
