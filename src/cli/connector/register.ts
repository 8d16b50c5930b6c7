/**
 * Registers a connector once, and ends: with a registrar's token that a person confirms at the
 * issuer, or with a token or ticket out of a file.
 */
import {
  FileIdentityStore,
  startConnector,
  type Mistake,
  type ProxyOptions,
} from 'app-proxy/connector/node'
import { ConfigurationInvalid, Refused } from 'app-proxy/protocol'
import { readAuthorities } from '../program/certificates.ts'
import { CommandFailed, interrupted } from '../program/exit-codes.ts'
import { allOf, named } from '../program/mistakes.ts'
import type { Surroundings } from '../program/program.ts'
import { deviceToken, type AskedAtIssuer } from './device-grant.ts'
import type { ConnectorRegisterGiven } from './flags.ts'
import { readProof } from './proof.ts'
import {
  isEnding,
  readProxySettings,
  refusedBy,
  refuseName,
  refuseUrl,
  STATE_DIR,
} from './settings.ts'

/** Resolves with the exit code. */
export async function registerConnector(
  given: ConnectorRegisterGiven,
  surroundings: Surroundings,
): Promise<number> {
  const { say } = surroundings
  const { url, name, ca, 'state-dir': stateDirectory, json } = given
  const [authorities, { current }, proxy] = await allOf(
    () => (ca === undefined ? undefined : readAuthorities(ca, { path: '--ca' })),
    () => named(STATE_DIR, () => new FileIdentityStore({ directory: stateDirectory }).load()),
    () => readProxySettings(),
    () => refuseUrl(url),
    () => refuseName(name),
  )
  if (current !== undefined) {
    const { connectorId, tenantId } = current
    const known = { connectorId, tenantId, registered: 'before' }
    say(json ? JSON.stringify(known) : `registered before, as ${connectorId} of ${tenantId}`)
    return 0
  }
  const proof = await proofOf(given, proxy, surroundings)
  const registered = await registerBy(
    { url, stateDirectory, name, ca: authorities, proxy, proof },
    surroundings,
  )
  say(json ? JSON.stringify(registered) : registeredLines(registered, given))
  return 0
}

type Proof = Awaited<ReturnType<typeof readProof>>

async function proofOf(
  given: ConnectorRegisterGiven,
  proxy: ProxyOptions | undefined,
  { say, log, signal }: Surroundings,
): Promise<Proof> {
  const { issuer, 'client-id': clientId = 'registrar', audience, scope, json } = given
  const isInFile = given['token-file'] !== undefined || given['ticket-file'] !== undefined
  if (isInFile && issuer !== undefined)
    throw new ConfigurationInvalid('--issuer', 'cannot be combined with a token or a ticket')
  if (isInFile) return readProof(given)
  if (issuer === undefined)
    throw new ConfigurationInvalid(
      '--issuer',
      'is missing: somebody confirms the registration there; or give --token-file or --ticket-file',
    )
  const token = await deviceToken({
    ...{ issuer, clientId, audience, proxy, signal },
    scope: scope ?? 'openid register',
    ask: (asked) => (json ? say(JSON.stringify(asked)) : log(askLines(asked))),
  })
  return { token: () => token }
}

function askLines(asked: AskedAtIssuer): string {
  const minutes = Math.round((asked.expiresAt - Date.now()) / 60_000)
  return [
    'Somebody who may register connectors has to confirm this one. In any browser, open',
    `  ${asked.verificationUri}`,
    'and enter the code',
    `  ${asked.userCode}`,
    ...(asked.verificationUriComplete === undefined
      ? []
      : [`(or open ${asked.verificationUriComplete})`]),
    `It is good for ${minutes} minutes. Waiting …`,
  ].join('\n')
}

interface Registered {
  readonly connectorId: string
  readonly tenantId: string
  readonly group: string
  readonly standing: string
}

async function registerBy(
  options: {
    readonly url: string
    readonly stateDirectory: string
    readonly name: string | undefined
    readonly ca: readonly string[] | undefined
    readonly proxy: ProxyOptions | undefined
    readonly proof: Proof
  },
  { signal, log }: Surroundings,
): Promise<Registered> {
  const { url, stateDirectory, name, ca, proxy, proof } = options
  const giveUp = new AbortController()
  let met: Mistake | undefined
  try {
    const connector = await startConnector({
      ...{ url, stateDirectory, proxy, ...proof },
      signal: AbortSignal.any([signal, giveUp.signal]),
      ...(name !== undefined && { name }),
      ...(ca && { ca }),
      onEvent: (event) => {
        if (event.type === 'registration-delayed' && event.isExplained === undefined)
          log('the cloud does not take it now; it is asked again (Ctrl-C gives up)')
        // Whoever watches mends it and asks again: nobody waits for that here.
        if (event.type !== 'mistake' || event.to !== 'cloud') return
        met = event
        if (!isEnding(event)) giveUp.abort()
      },
    })
    const { connectorId, tenantId } = connector.identity
    const { groupId: group, standing = 'active' } = connector.configuration
    await connector.stop()
    return { connectorId, tenantId, group, standing }
  } catch (cause) {
    if (signal.aborted) throw interrupted(signal)
    if (met === undefined) throw cause
    if (cause instanceof Refused && isEnding(met)) throw refusedBy(met, cause)
    throw new CommandFailed('unreachable', met.message, { cause })
  }
}

function registeredLines(
  { connectorId, tenantId, group, standing }: Registered,
  { url, ca, 'state-dir': stateDir }: ConnectorRegisterGiven,
): string {
  const trust = ca === undefined ? '' : ` --ca ${ca}`
  return [
    `registered as ${connectorId} of ${tenantId}, in group ${group}`,
    ...(standing === 'active' ? [] : [`it is ${standing}: an operator has to approve it`]),
    `now: app-proxy connector run --url ${url}${trust} --state-dir ${stateDir}`,
  ].join('\n')
}
