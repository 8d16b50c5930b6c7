/**
 * Walks everything that a connector needs, and says what is wrong first.
 */
import { checkConnector } from 'app-proxy/connector/node'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { readAuthorities } from '../program/certificates.ts'
import { Findings } from '../program/findings.ts'
import { checkHealthPort } from '../program/health.ts'
import { allOf, named } from '../program/mistakes.ts'
import type { Surroundings } from '../program/program.ts'
import type { ConnectorCheckGiven } from './flags.ts'
import { healthSettings } from './health.ts'
import { readProxySettings, refuseUrl, STATE_DIR } from './settings.ts'

/** Resolves with the exit code. */
export async function checkFromHere(
  given: ConnectorCheckGiven,
  { say }: Surroundings,
): Promise<number> {
  const { url, ca, group: groupId, 'state-dir': stateDirectory, json } = given
  const [authorities, patienceMs, health, proxy] = await allOf(
    () => (ca === undefined ? undefined : readAuthorities(ca, { path: '--ca' })),
    () => patienceOf(given),
    () => healthSettings(given),
    () => readProxySettings(),
    () => refuseUrl(url),
  )
  const findings = new Findings(say, json)
  await named(STATE_DIR, () =>
    checkConnector({
      ...{ url, stateDirectory, groupId, patienceMs, proxy },
      ...(authorities && { ca: authorities }),
      onFinding: (finding) => findings.add(finding),
    }),
  )
  if (health !== undefined) await checkHealthPort(health, findings)
  return findings.end()
}

function patienceOf({ patience = '5' }: ConnectorCheckGiven): number {
  if (/^\d{1,3}(?:\.\d+)?$/.test(patience) && Number(patience) > 0) return Number(patience) * 1000
  const detail = 'must be a number of seconds'
  throw new ConfigurationInvalid([{ path: '--patience', detail, value: JSON.stringify(patience) }])
}
