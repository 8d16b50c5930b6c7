/**
 * Prints a hardened unit for systemd that runs a connector.
 */
import type { Surroundings } from '../program/program.ts'
import { fileOption, ownCommand, unitFile } from '../program/service.ts'
import { connectorUnit } from '../program/units.ts'
import type { ConnectorServiceGiven } from './flags.ts'
import { healthSettings } from './health.ts'
import { logSettings } from './log.ts'
import { refuseUrl } from './settings.ts'

/** Resolves with the exit code. */
export async function printConnectorUnit(
  given: ConnectorServiceGiven,
  { say }: Surroundings,
): Promise<number> {
  const { url, user = 'app-proxy', json } = given
  refuseUrl(url)
  healthSettings(given)
  logSettings(given)
  const name = 'app-proxy-connector'
  const command = ownCommand([
    ...['connector', 'run', '--url', url, '--state-dir', `/var/lib/${name}`],
    ...fileOption('ca', given.ca),
    ...fileOption('sign-on', given['sign-on']),
    ...passedOn(given),
  ])
  const environmentFile = given['environment-file']
  const unit = unitFile(name, user, connectorUnit({ command, user, environmentFile }))
  say(json ? JSON.stringify({ name, unit }) : unit)
  return 0
}

const passedOn = (given: ConnectorServiceGiven) =>
  (['health-port', 'health-host', 'log-level', 'log-format'] as const).flatMap((name) =>
    given[name] === undefined ? [] : [`--${name}`, given[name]],
  )
