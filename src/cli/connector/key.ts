/**
 * The thumbprint of a connector's key, for a ticket that nobody else can use.
 */
import { connectorKeyThumbprint } from 'app-proxy/connector/node'
import { named } from '../program/mistakes.ts'
import type { Surroundings } from '../program/program.ts'
import type { ConnectorKeyGiven } from './flags.ts'

export async function sayKey(
  { 'state-dir': stateDirectory, json }: ConnectorKeyGiven,
  { say }: Surroundings,
): Promise<number> {
  const thumbprint = await named({ path: '--state-dir' }, () =>
    connectorKeyThumbprint({ stateDirectory }),
  )
  say(json ? JSON.stringify({ thumbprint }) : thumbprint)
  return 0
}
