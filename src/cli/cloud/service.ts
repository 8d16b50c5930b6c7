/**
 * Prints a hardened unit for systemd that runs a cloud.
 */
import { resolve } from 'node:path'
import type { Surroundings } from '../program/program.ts'
import { ownCommand, unitFile } from '../program/service.ts'
import { cloudUnit } from '../program/units.ts'
import type { CloudServiceGiven } from './flags.ts'

/** Resolves with the exit code. */
export async function printCloudUnit(
  given: CloudServiceGiven,
  { say }: Surroundings,
): Promise<number> {
  const { config, user = 'app-proxy', 'low-ports': bindsLowPorts, json } = given
  const command = ownCommand(['cloud', 'run', '--config', resolve(config)])
  const name = 'app-proxy-cloud'
  const unit = unitFile(name, user, cloudUnit({ command, user, bindsLowPorts }))
  say(json ? JSON.stringify({ name, unit }) : unit)
  return 0
}
