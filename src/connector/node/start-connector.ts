/**
 * Starts a connector on Node: its state directory is its own, it is registered, and knows what it
 * is for.
 *
 * @module
 */
import { hostname } from 'node:os'
import { ApiMisuse, TIME_LIMITS } from '../../protocol/internal.ts'
import { Containment } from '../../runtime/containment.ts'
import { lockStateDirectory } from '../../runtime/node/state-lock.ts'
import { ConfigurationKeeper } from '../configuration-keeper.ts'
import { CONNECTOR_VERSION } from '../connector-version.ts'
import { register } from '../enrolment.ts'
import { systemEnvironment } from '../environment.ts'
import { NodeConnector } from './connector.ts'
import type { ConnectorEvent, TriedEvent } from './connector-events.ts'
import { ConnectorMistakes, ExplainedChannel } from './connector-mistakes.ts'
import type { ConnectorOptions, RunningConnector } from './connector-options.ts'
import { HttpsControlChannel } from './control-channel.ts'
import { FileIdentityStore } from './file-identity-store.ts'
import { containedDial } from './own-dial.ts'
import { proxyDial } from './proxy-dial.ts'

/**
 * Starts a connector; resolves once it is registered, configured and its links are being dialled.
 *
 * A cloud that cannot be reached is waited for without end, and tried again, until `signal` aborts:
 * `onEvent` is told why, and nobody else is.
 *
 * @throws Refused when the cloud says no for good, with what has to be put right as its message;
 *   ConfigurationInvalid when it must register and has neither token nor ticket, or one that has
 *   not the form of one, when `url` is none, and when another process has the state directory; the
 *   reason of `signal`
 */
export async function startConnector(options: ConnectorOptions): Promise<RunningConnector> {
  if (options.proxy !== undefined && options.dial !== undefined)
    throw new ApiMisuse('"proxy" and "dial" both say how the cloud is reached: give one')
  const lock = await lockStateDirectory(options.stateDirectory)
  try {
    return await started(options, () => lock.release())
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** `released` is called when it has ended. */
async function started(
  options: ConnectorOptions,
  released: () => Promise<void>,
): Promise<RunningConnector> {
  const environment = systemEnvironment()
  const limits = { ...TIME_LIMITS, ...options.limits }
  const { onEvent, onError } = options
  const containment = new Containment(onError)
  const tell = containment.notify('onEvent', (event: ConnectorEvent) => onEvent?.(event))
  const dial = options.proxy
    ? proxyDial(options.proxy)
    : options.dial && containedDial(options.dial, containment)
  const mistakes = new ConnectorMistakes(options.url, environment.clocks, tell, dial)
  const tried = (event: TriedEvent): void =>
    tell(
      'error' in event && mistakes.explains(event.error) ? { ...event, isExplained: true } : event,
    )
  const store = new FileIdentityStore({ directory: options.stateDirectory })
  const known: { keeper?: ConfigurationKeeper } = {}
  const instances = () => Object.values(known.keeper?.configuration?.instances ?? {})
  const https = new HttpsControlChannel({ ...options, dial, instances })
  const channel = new ExplainedChannel(https, mistakes)
  const isKnown = (await store.load()).current !== undefined
  const identity = await register({
    channel,
    store,
    environment,
    token: options.token,
    ticket: options.ticket,
    instance: { name: options.name ?? hostname(), version: CONNECTOR_VERSION },
    limits,
    onRetry: (error) => tried({ type: 'registration-delayed', error }),
    ...(options.signal !== undefined && { signal: options.signal }),
  }).catch(async (error: unknown) => {
    // Whatever is still being dialled is for nobody.
    await https.close()
    throw mistakes.worded(error)
  })
  if (!isKnown) {
    tell({ type: 'registered', connectorId: identity.connectorId, tenantId: identity.tenantId })
  }
  const keeper = await ConfigurationKeeper.open({
    channel,
    store,
    environment,
    limits,
    onEvent: tried,
  })
  known.keeper = keeper
  const close = (): Promise<void> => https.close().finally(released)
  const parts = { environment, limits, channel, close, keeper, tell, mistakes, containment, dial }
  const connector = new NodeConnector(options, parts)
  try {
    await unlessAborted(connector.start(), options.signal)
    return connector
  } catch (error) {
    await connector.stop()
    throw error
  }
}

/** What `work` comes to, unless the signal is first. */
function unlessAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return work
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', giveUp, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp))
    if (signal.aborted) giveUp()
  })
}
