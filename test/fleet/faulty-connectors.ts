/**
 * One bad connector beside a good one, of each kind: after three seconds hardly anybody notices.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { atLeast, exactly, type Figure } from '../campaigns/campaign.ts'
import { FleetApplication } from './application.ts'
import { Clients } from './clients.ts'
import { Fleet } from './fleet.ts'

export const FAULTS = ['declining', 'unresolved', 'silent', 'stopped'] as const

/** Known, and passed over, after so long. Milliseconds. */
const NOTICED_MS = 3_000

export interface FaultyOptions {
  readonly fault: (typeof FAULTS)[number]
  readonly seconds: number
  readonly clients: number
  readonly seed: number
}

export async function faultyConnector(
  { fault, seconds, clients: count, seed }: FaultyOptions,
  say: (line: string) => void,
): Promise<readonly Figure[]> {
  const application = await FleetApplication.start(30)
  const { port } = application
  const fleet = await Fleet.start({
    instances: 2,
    connectors: ['default', 'default'],
    applications: { one: { groupId: 'default', port } },
    // Whoever it holds is told within the campaign.
    limits: { responseHeadMs: 10_000 },
    faults: fault === 'stopped' ? {} : { 0: fault },
  })
  try {
    if (fault === 'stopped') fleet.connectors[0]!.process.pause()
    const hosts = ['one.localhost']
    const kinds = ['GET', 'POST'] as const
    const from = Date.now()
    const clients = new Clients({ ports: fleet.ports, hosts, count, seed, pauseMs: 150, kinds })
    await sleep(seconds * 1_000 + NOTICED_MS)
    await clients.stop()
    const isLater = (at: number) => at >= from + NOTICED_MS
    const failed = clients.failures.filter((failure) => isLater(failure.from))
    const well = clients.well.filter(isLater)
    const early = clients.failures.length - failed.length
    say(
      `${fault}: ${well.length} well and ${failed.length} not, of those begun later; ${early} before`,
    )
    for (const failure of failed.slice(0, 5)) say(JSON.stringify(failure))
    return [
      atLeast(`${fault}: requests begun later`, well.length + failed.length, 10 * seconds),
      atLeast(
        `${fault}: of them answered well, per thousand`,
        Math.floor((1_000 * well.length) / (well.length + failed.length)),
        990,
      ),
      exactly(`${fault}: answers that are not their own, or not whole`, clients.wrong.length, 0),
      exactly(`${fault}: POSTs executed twice`, application.twice.length, 0),
    ]
  } finally {
    await fleet.close()
    application.close()
  }
}
