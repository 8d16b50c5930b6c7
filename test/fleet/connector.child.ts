/**
 * A connector as a process of its own.
 *
 *     connector.child.ts SETTINGS.json
 *
 * One line on stdout says that a link is up. SIGTERM: it finishes what it has, and ends. `fault` makes it a bad one; see {@link ConnectorSettings}.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { HttpsControlChannel, NodeBackend, startConnector } from '../../src/connector/node/index.ts'
import type { Backend } from '../../src/connector/index.ts'
import { ResetCode } from '../../src/protocol/internal.ts'

/** What a connector is told. */
export interface ConnectorSettings {
  readonly url: string
  readonly ca: string
  readonly stateDirectory: string
  readonly name: string
  /** A registrar's token, for one without an identity. */
  readonly token: string
  /**
   * `declining`: it takes nothing. `silent`: it claims and never answers. `unresolved`: no name of an application is known to it. Default: it is well.
   */
  readonly fault?: 'declining' | 'silent' | 'unresolved' | undefined
  readonly drainMs: number
}

const settings = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as ConnectorSettings
const { url, ca, stateDirectory, name, token, fault, drainMs } = settings

const own = new NodeBackend()
/** It takes every request, and no answer ever comes. */
const silent: Backend = {
  call: () => ({
    write: () => true,
    end: nothing,
    pause: nothing,
    resume: nothing,
    abort: nothing,
  }),
  close: () => own.close(),
}
/** No application's host has an address where it stands. */
const unresolved: Backend = {
  call: (_request, events) => {
    queueMicrotask(() => events.notSent(ResetCode.UNREACHABLE, new Error('no such name')))
    return { write: () => false, end: nothing, pause: nothing, resume: nothing, abort: nothing }
  },
  close: () => own.close(),
}
// It is told that no application is there: whatever it is offered it declines.
if (fault === 'declining')
  HttpsControlChannel.prototype.application = ({ v, applicationId }) =>
    Promise.resolve({ v, type: 'unknown-application', applicationId })
const backend = { declining: own, silent, unresolved, none: own }[fault ?? 'none']

function nothing(): void {
  // Nothing is under way.
}

const connector = await startConnector({
  ...{ url, ca: [ca], stateDirectory, name, token: () => token, limits: { drainMs } },
  backend,
  onEvent: (event) => {
    if (event.type === 'mistake') console.error(event.message)
  },
})
while (!connector.stats().links.some(({ state }) => state === 'up')) await sleep(10)
console.log(JSON.stringify({ connectorId: connector.identity.connectorId }))
// Nobody is there who could end it.
process.once('disconnect', () => process.exit(1))
process.on('SIGTERM', () => void connector.stop().then(() => process.exit(0)))
