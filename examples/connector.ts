/**
 * A connector: dials out to the cloud and serves published applications from where it runs.
 *
 *     node --import tsx examples/connector.ts --url URL --state-dir DIR [--ca FILE] [--token-file FILE | --ticket-file FILE] [--name NAME] [--sign-on FILE]
 *
 * The token is a registrar's, the ticket one that an operator of the cloud made; `--ticket-file -`
 * reads it from stdin. Either is read only if DIR holds no identity yet. What happens goes to
 * stderr, one JSON object a line. `--show-key` says the thumbprint of the key that it will register
 * with, for a ticket that nobody else can use, and ends. One line of JSON on stdout says that it is
 * ready: `{"connectorId":"…","tenantId":"…","bindings":{"INSTANCE":"link"}}`. SIGINT and SIGTERM
 * finish what is under way, then end with code 0. A wrong setting, or a cloud that says no for good,
 * is one line on stderr and code 2; a cloud that cannot be reached is waited for. `--sign-on` names
 * the secrets and certificates that applications are shown, and the keys of assertions: see
 * docs/single-sign-on/inject.md and docs/single-sign-on/assertion.md.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { assertionSignOn, injectSignOn } from 'app-proxy/connector'
import {
  connectorKeyThumbprint,
  FileIdentityStore,
  SignOnFile,
  startConnector,
  type ConnectorEvent,
  type Mistake,
  type MistakeKind,
  type RunningConnector,
  type SignOnFileEvent,
} from 'app-proxy/connector/node'
import { ConfigurationInvalid, Refused, type Binding } from 'app-proxy/protocol'
import { readAuthorities } from './program/certificates.ts'
import { readSecretFile } from './program/files.ts'
import { readFlags, type FlagValues } from './program/flags.ts'
import { allOf, named } from './program/mistakes.ts'
import { aborted, runAs, type Surroundings } from './program/program.ts'

const FLAGS = {
  url: { value: 'URL', text: "the cloud's connector listener, https (required)" },
  'state-dir': { value: 'DIR', isRequired: true, text: 'where key and certificate are kept' },
  ca: { value: 'FILE', text: "the cloud's certificate authority (default: the public ones)" },
  'token-file': { value: 'FILE', text: "a registrar's token, for a connector without identity" },
  'ticket-file': {
    value: 'FILE',
    text: 'a one-time ticket in the place of a token; - reads it from stdin',
  },
  'show-key': { text: 'say the thumbprint of the key that it will register with, and end' },
  name: { value: 'NAME', text: "what operators know it by (default: this machine's name)" },
  'sign-on': {
    value: 'FILE',
    text: 'secrets and certificates that applications are shown, keys of assertions: JSON',
  },
} as const

/** Resolves with the exit code, when it has ended. */
export async function main(surroundings: Surroundings): Promise<number> {
  const { signal, say, log } = surroundings
  const flags = readFlags(surroundings, 'node --import tsx examples/connector.ts', FLAGS)
  if (flags === undefined) return 0
  if (flags['show-key']) {
    const stateDirectory = flags['state-dir']
    say(await named(STATE_DIR, () => connectorKeyThumbprint({ stateDirectory })))
    return 0
  }
  const bindings: Record<string, Binding> = {}
  const connector = await start(flags, signal, (event) => {
    if (event.type === 'link' && event.state === 'up') bindings[event.instance] = event.binding!
    // A mistake is said once, when it is met, and not at each try.
    if (!('isExplained' in event)) log(logLine(event))
  })
  while (connector?.isReady === false && !signal.aborted) await sleep(20)
  if (connector === undefined) return 0
  const { connectorId, tenantId } = connector.identity
  if (!signal.aborted) say(JSON.stringify({ connectorId, tenantId, bindings }))
  await aborted(signal)
  await connector.stop()
  return 0
}

/** `undefined`: a signal came first. Registration may have to be repeated for long. */
async function start(
  flags: FlagValues<typeof FLAGS>,
  signal: AbortSignal,
  log: (event: ConnectorEvent | SignOnFileEvent) => void,
): Promise<RunningConnector | undefined> {
  const { url = '', name, ca, 'state-dir': stateDirectory, 'sign-on': signOnFile } = flags
  const [authorities, identity, file] = await allOf(
    () => (ca === undefined ? undefined : readAuthorities(ca, { path: '--ca' })),
    () => named(STATE_DIR, () => new FileIdentityStore({ directory: stateDirectory }).load()),
    () => (signOnFile === undefined ? undefined : openSignOn(signOnFile, signal, log)),
    () => refuseUrl(flags.url),
    () => refuseName(name),
  )
  const proof = identity.current === undefined ? await readProof(flags) : {}
  // What ends the start is told then, as a mistake of the setting that it comes from.
  let ending: Mistake | undefined
  try {
    return await startConnector({
      ...{ url, stateDirectory, signal },
      onEvent: (event) => {
        if (event.type === 'mistake' && event.kind in ENDING) ending = event
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
    throw new ConfigurationInvalid(ENDING[ending.kind]!, ending.message, { cause })
  }
}

/** Its mistakes are told by where in the file they are; a file that cannot be read, by the option. */
async function openSignOn(
  path: string,
  signal: AbortSignal,
  onEvent: (event: SignOnFileEvent) => void,
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

/** What a cloud says no to for good, and the option that it is about. */
const ENDING: Partial<Record<MistakeKind, string>> = {
  'token-refused': '--token-file',
  'ticket-refused': '--ticket-file',
  'connector-limit': '--url',
  'cloud-path': '--url',
}
const STATE_DIR = { path: '--state-dir' }

function refuseUrl(url: string | undefined): void {
  const refuse = (detail: string, value?: string) => {
    throw new ConfigurationInvalid([{ path: '--url', detail, value }])
  }
  if (url === undefined) return refuse('is missing')
  const value = JSON.stringify(url)
  if (!URL.canParse(url))
    return refuse('must be an https URL, such as https://cloud.example:8444', value)
  const { protocol, username, password, search, hash } = new URL(url)
  if (username !== '' || password !== '') return refuse('must not hold credentials')
  if (protocol !== 'https:') return refuse('must be an https URL', value)
  if (search !== '' || hash !== '') return refuse('must not have a query or a fragment', value)
}

/** The cloud takes no longer one. */
const MOST_CHARACTERS = 1024

function refuseName(name: string | undefined): void {
  if (name !== undefined && name.length > MOST_CHARACTERS)
    throw new ConfigurationInvalid('--name', `must have at most ${MOST_CHARACTERS} characters`)
}

/** What it registers with, read once. */
async function readProof(
  flags: FlagValues<typeof FLAGS>,
): Promise<{ readonly token?: () => string; readonly ticket?: () => string }> {
  const { 'token-file': tokenFile, 'ticket-file': ticketFile } = flags
  if (tokenFile !== undefined && ticketFile !== undefined)
    throw new ConfigurationInvalid('--ticket-file', 'cannot be combined with --token-file')
  if (ticketFile !== undefined) {
    const ticket = await readSecret(ticketFile, '--ticket-file')
    if (!/^[\w-]{43}$/.test(ticket)) {
      const detail = 'holds no ticket: one is 43 characters of base64url'
      const value = JSON.stringify(ticketFile)
      throw new ConfigurationInvalid([{ path: '--ticket-file', detail, value }])
    }
    return { ticket: () => ticket }
  }
  if (tokenFile === undefined)
    throw new ConfigurationInvalid(
      '--token-file',
      'or --ticket-file is missing: there is no identity in --state-dir yet',
    )
  const token = await readSecret(tokenFile, '--token-file')
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return { token: () => token }
  const detail = 'holds no access token: one is three base64url texts with dots between them'
  throw new ConfigurationInvalid([
    { path: '--token-file', detail, value: JSON.stringify(tokenFile) },
  ])
}

/** A secret is taken only from a file that nobody else can read; or it is piped in. */
async function readSecret(file: string, path: string): Promise<string> {
  const text = file === '-' ? await readStdin() : await readSecretFile(file, { path })
  if (text.trim() === '')
    throw new ConfigurationInvalid([{ path, detail: 'is empty', value: JSON.stringify(file) }])
  return text.trim()
}

/** Whoever pipes a ticket in leaves it in no argument, no environment and no file. */
async function readStdin(): Promise<string> {
  let text = ''
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    text += chunk
    if (text.includes('\n') || text.length > 1_024) break
  }
  return text
}

/**
 * Identities and configurations are told by name: a log keeps no keys, and no pages of settings.
 */
function logLine(event: ConnectorEvent | SignOnFileEvent): string {
  return JSON.stringify({ time: new Date().toISOString(), ...event }, (key, value: unknown) => {
    if (value instanceof Error) return value.message
    if (key === 'configuration') return (value as { version: string }).version
    if (key === 'identity' || key === 'refused')
      return (value as { connectorId: string }).connectorId
    return value
  })
}

await runAs('connector', main, import.meta.url)
