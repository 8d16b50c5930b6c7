/**
 * Everything at once, on this machine: an issuer, a private site, a cloud and a connector, each a
 * process of its own; with `--instances 2` two of the cloud, and the broker that they share.
 *
 *     npm run demo -- [options]        (--help lists them)
 *
 * 1. the issuer, the private site and the cloud start
 * 2. Alice, who may register connectors, signs in through the issuer's forms for a token
 * 3. the connector registers with the token and serves; one that is registered already needs none
 */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { FileIdentityStore } from 'app-proxy/connector/node'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import {
  applicationsOf,
  AUDIENCE,
  publicKeysOf,
  REGISTRAR,
  ROBOT,
  SCOPE,
  serviceUrlOf,
  writeCloudConfiguration,
  writePrivate,
  writeSignOnFile,
  writeStsConfiguration,
} from './demo/configurations.ts'
import { findBroker, sharedByInstances, writeBrokerConfiguration } from './demo/instances.ts'
import { endWithShell } from './demo/end-with-shell.ts'
import { readOptions, type DemoOptions } from './demo/options.ts'
import { Processes } from './demo/processes.ts'
import { keepAuthorization } from './demo/program.ts'
import { IN_PACKAGE, IN_REPOSITORY, jsonReport, tableReport, type Ready } from './demo/report.ts'
import { isFree, openState } from './demo/state.ts'
import { linesOf } from '#program/mistakes'
import { registrarToken } from './registrar-token.ts'

const words = process.env['APP_PROXY_DEMO_OF'] === 'package' ? IN_PACKAGE : IN_REPOSITORY
const options = await orEnd(readDemoOptions)
const isSeveral = options.instances > 1
const broker = isSeveral ? await orEnd(async () => findBroker()) : undefined
const state = await orEnd(() => openState(options))
const inState = (name: string) => join(state.dir, name)
// What one instance remembers is in files, and what several do in the broker.
const connectorDir = inState(isSeveral ? 'connector-of-several' : 'connector')
const users = Object.entries(state.passwords).map(([username, password]) => ({
  username,
  password,
  ...(username in state.pins && { pin: state.pins[username as keyof typeof state.pins] }),
}))
if (!options.json) mkdirSync(inState('logs'), { recursive: true })
const processes = new Processes({
  ...(!options.json && { logDir: inState('logs') }),
  died: (message) => void end(1, message),
})
let ending: Promise<void> | undefined
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void end(0))
endWithShell(() => void end(0))

try {
  const ready = await start()
  console.log(options.json ? jsonReport(ready) : tableReport(ready, state.isTemporary, words))
} catch (error) {
  await end(1, error instanceof Error ? error.message : String(error))
}

type CloudReady = Pick<Ready, 'connectorUrl' | 'caFile' | 'instances'>

/** Says what is under way: several seconds without a word look like a fault. */
function progress(words: string): void {
  if (!options.json) console.error(words)
}

async function start(): Promise<Ready> {
  progress('Starting an issuer, a private site and a cloud …')
  const applications = applicationsOf(options, state)
  const rpc = applications.find(({ id }) => id === 'rpc')
  const stsConfiguration = await writeStsConfiguration(state, applications)
  const shared = isSeveral ? await sharedByInstances(state) : {}
  const cloudConfiguration = await writeCloudConfiguration(state, applications, shared)
  if (broker !== undefined) {
    const brokerConfiguration = await writeBrokerConfiguration(state)
    const args = [broker, brokerConfiguration, String(state.ports.broker)]
    await processes.start('demo/broker', args, true)
  }
  const [{ issuer }, { connectorUrl, caFile, instances }] = await Promise.all([
    processes.start<Pick<Ready, 'issuer'>>('sts', ['--config', stsConfiguration]),
    processes.start<CloudReady>('cloud run', [
      ...['--config', cloudConfiguration, '--instances', String(options.instances)],
    ]),
    processes.start('intranet', [
      ...['--port', String(state.ports.intranet)],
      ...['--assertions', applications.find(({ id }) => id === 'assertion')!.externalUrl],
      ...['--issuer', serviceUrlOf(applications), '--assertion-keys', publicKeysOf(state)],
    ]),
    ...(rpc === undefined ? [] : [processes.start('rpc', ['--port', String(state.ports.rpc)])]),
  ])
  const signOnFile = await writeSignOnFile(state, applications)
  progress('Alice signs in for a token, with which the connector registers …')
  const tokenFile = await fetchToken(issuer)
  const { bindings } = await processes.start<{ bindings: Ready['bindings'] }>('connector run', [
    ...['--url', connectorUrl, '--ca', caFile, '--state-dir', connectorDir],
    ...['--name', 'demo', '--token-file', tokenFile, '--sign-on', signOnFile],
  ])
  rmSync(tokenFile, { force: true })
  const resource = applications.find(({ id }) => id === 'intranet')!.externalUrl
  const authorizationFile = inState('authorization')
  const rpcAuthorizationFile = inState('authorization-rpc')
  const robot = {
    ...{ id: ROBOT, secret: state.clientSecrets[ROBOT]!, scope: SCOPE, authorizationFile },
    ...(rpc !== undefined && { rpcAuthorizationFile }),
  }
  await keepAuthorization({ issuer, robot, resource, file: authorizationFile })
  if (rpc !== undefined) {
    const file = rpcAuthorizationFile
    await keepAuthorization({ issuer, robot, resource: rpc.externalUrl, file })
  }
  return {
    ...{ applications, users, robot, issuer, connectorUrl, bindings, caFile, stateDir: state.dir },
    ...(isSeveral && { instances }),
  }
}

/** Where the registrar's token is, unless the connector has registered before. */
async function fetchToken(issuer: string): Promise<string> {
  const tokenFile = inState('registrar-token')
  const { current } = await new FileIdentityStore({ directory: connectorDir }).load()
  if (current !== undefined) return tokenFile
  const token = await registrarToken({ issuer, ...REGISTRAR, audience: AUDIENCE, ...users[0]! })
  return writePrivate(tokenFile, token)
}

/** Ends every process, then the demo; whoever asks first says with which code. */
function end(code: number, message?: string): Promise<void> {
  ending ??= (async () => {
    if (message !== undefined) console.error(message)
    await processes.stop()
    if (state.isTemporary) rmSync(state.dir, { recursive: true, force: true })
    process.exit(code)
  })()
  return ending
}

async function readDemoOptions(): Promise<DemoOptions> {
  const read = await readOptions({ argv: process.argv.slice(2), say: (line) => console.log(line) })
  if (read === undefined) process.exit(0)
  if (read.port === undefined || (await isFree(read.port))) return read
  const detail = 'is in use by another process'
  throw new ConfigurationInvalid([{ path: '--port', detail, value: String(read.port) }])
}

/** A wrong setting is told before anything has started. */
async function orEnd<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { code, lines } = linesOf(error, process.argv.includes('--verbose'))
    const { name: command } = words
    if (process.argv.includes('--json'))
      console.error(JSON.stringify({ command, code, mistakes: lines }))
    else for (const line of lines) console.error(`${command}: ${line}`)
    process.exit(code)
  }
}
