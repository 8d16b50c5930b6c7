/**
 * A connector: dials out to the cloud and serves published applications from where it runs.
 *
 *     node --import tsx examples/connector.ts --url URL --state-dir DIR [--ca FILE] [--token-file FILE | --ticket-file FILE] [--name NAME]
 *
 * The token is a registrar's, the ticket one that an operator of the cloud made; `--ticket-file -`
 * reads it from stdin. Either is read only if DIR holds no identity yet. What happens goes to
 * stderr, one JSON object a line. `--show-key` says the thumbprint of the key that it will register
 * with, for a ticket that nobody else can use, and ends. One line of JSON on stdout says that it is ready:
 * `{"connectorId":"…","tenantId":"…","bindings":{"INSTANCE":"link"}}`. SIGINT and SIGTERM finish
 * what is under way, then end with code 0.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import {
  connectorKeyThumbprint,
  readPrivateFile,
  startConnector,
  type ConnectorEvent,
  type RunningConnector,
} from 'app-proxy/connector/node'
import type { Binding } from 'app-proxy/protocol'

const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    ca: { type: 'string' },
    'state-dir': { type: 'string' },
    'token-file': { type: 'string' },
    'ticket-file': { type: 'string' },
    'show-key': { type: 'boolean', default: false },
    name: { type: 'string' },
  },
})
const { url, ca, 'state-dir': stateDirectory, name } = values
const { 'token-file': tokenFile, 'ticket-file': ticketFile } = values
if (values['show-key'] && stateDirectory !== undefined) {
  console.log(await connectorKeyThumbprint({ stateDirectory }))
  process.exit()
}
if (url === undefined || stateDirectory === undefined) {
  console.error(
    'usage: connector.ts --url URL --state-dir DIR [--ca FILE] [--token-file FILE | --ticket-file FILE]',
  )
  process.exit(2)
}

// A log that nobody reads any more is no reason to end.
process.stderr.on('error', () => undefined)
process.stdout.on('error', () => undefined)

// Registration may have to be repeated for long: a signal ends that as well.
const starting = new AbortController()
let stop = async (): Promise<void> => starting.abort()
let stopping: Promise<void> | undefined
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    stopping ??= stop().then(() => process.exit(0))
  })

/**
 * How each cloud instance was reached: by the fast `link`, or by `plain` calls where it does not
 * get through.
 */
const bindings: Record<string, Binding> = {}
const connector = await start(url, stateDirectory).catch(refused)
stop = () => connector.stop()
while (!connector.isReady) await sleep(20)
const { connectorId, tenantId } = connector.identity
console.log(JSON.stringify({ connectorId, tenantId, bindings }))

async function start(cloud: string, directory: string): Promise<RunningConnector> {
  return startConnector({
    url: cloud,
    stateDirectory: directory,
    signal: starting.signal,
    onEvent: log,
    ...(ca !== undefined && { ca: await readFile(ca) }),
    ...(tokenFile !== undefined && { token: () => readSecret(tokenFile) }),
    ...(ticketFile !== undefined && {
      ticket: () => (ticketFile === '-' ? readStdin() : readSecret(ticketFile)),
    }),
    ...(name !== undefined && { name }),
  })
}

/** The cloud says no for good, or a setting is wrong: its words, and no stack trace. */
function refused(error: unknown): never {
  if (!starting.signal.aborted) logLine({ type: 'refused', error })
  process.exit(starting.signal.aborted ? 0 : 1)
}

/** A secret is taken only from a file that nobody else can read. */
async function readSecret(path: string): Promise<string> {
  const secret = await readPrivateFile(path, { mayBeLink: true })
  if (secret === undefined) throw new Error(`${path} is not there`)
  return secret.trim()
}

/** Whoever pipes a ticket in leaves it in no argument, no environment and no file. */
async function readStdin(): Promise<string> {
  let text = ''
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    text += chunk
    if (text.includes('\n') || text.length > 1_024) break
  }
  return text.trim()
}

/**
 * Identities and configurations are told by name: a log keeps no keys, and no pages of settings.
 */
function log(event: ConnectorEvent): void {
  if (event.type === 'link' && event.state === 'up') bindings[event.instance] = event.binding!
  // A mistake is said once, when it is met, and not at each try.
  if (!('isExplained' in event)) logLine(event)
}

function logLine(event: object): void {
  const line = JSON.stringify(
    { time: new Date().toISOString(), ...event },
    (key, value: unknown) => {
      if (value instanceof Error) return value.message
      if (key === 'configuration') return (value as { version: string }).version
      if (key === 'identity' || key === 'refused')
        return (value as { connectorId: string }).connectorId
      return value
    },
  )
  process.stderr.write(`${line}\n`)
}
