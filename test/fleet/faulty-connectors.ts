/**
 * One bad connector beside a good one, of each kind: after three seconds hardly anybody notices, and the operator is shown which it is.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ApplicationView, ConnectorView } from '../../src/cloud/admin/admin-views.ts'
import { atLeast, atMost, exactly, type Figure } from '../campaigns/campaign.ts'
import { FleetApplication } from './application.ts'
import { Clients } from './clients.ts'
import { Fleet } from './fleet.ts'

export const FAULTS = ['declining', 'unresolved', 'silent', 'stopped'] as const
/** What the operator is told that it failed at. */
const SHOWN: Readonly<Record<(typeof FAULTS)[number], readonly string[]>> = {
  declining: ['unknown-application'],
  unresolved: ['not-sent'],
  silent: ['given-up'],
  // Offers are not claimed; then its links are silent as well.
  stopped: ['claim-missed', 'lost'],
}

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
    const [bad, good] = fleet.connectors.map(({ process }) => process.ready.connectorId)
    const shown = await shownAtAll(fleet, bad!, SHOWN[fault])
    const { isRunning } = fleet.connectors[0]!.process
    await clients.stop()
    const isLater = (at: number) => at >= from + NOTICED_MS
    const failed = clients.failures.filter((failure) => isLater(failure.from))
    const well = clients.well.filter(isLater)
    const early = clients.failures.length - failed.length
    say(
      `${fault}: ${well.length} well and ${failed.length} not, of those begun later; ${early} before`,
    )
    for (const failure of failed.slice(0, 5)) say(JSON.stringify(failure))
    say(`${fault}: shown to the operator: ${JSON.stringify(shown)}`)
    return [
      atLeast(`${fault}: requests begun later`, well.length + failed.length, 2 * seconds),
      // One of a hundred; of a few, one that tried whether the bad one is well again.
      atMost(
        `${fault}: of them failed`,
        failed.length,
        Math.max(1, Math.floor((well.length + failed.length) / 100)),
      ),
      exactly(`${fault}: bad ones that run still`, Number(isRunning), 1),
      exactly(
        `${fault}: instances that show the bad one to the operator`,
        shown.filter(({ failing }) => failing.includes(bad!)).length,
        2,
      ),
      exactly(
        `${fault}: instances that show the good one for it`,
        shown.filter(({ ids }) => ids.includes(good!)).length,
        0,
      ),
      exactly(`${fault}: answers that are not their own, or not whole`, clients.wrong.length, 0),
      exactly(`${fault}: POSTs executed twice`, application.twice.length, 0),
    ]
  } finally {
    await fleet.close()
    application.close()
  }
}

/** Every instance comes to ask the bad one, sooner or later. Milliseconds. */
const SHOWN_MS = 20_000

async function shownAtAll(fleet: Fleet, bad: string, reasons: readonly string[]) {
  for (const end = Date.now() + SHOWN_MS; ; await sleep(250)) {
    const shown = await Promise.all(fleet.instances.map((_, i) => shownAt(fleet, i, reasons)))
    if (shown.every(({ failing }) => failing.includes(bad)) || Date.now() > end) return shown
  }
}

/** Connectors that an instance's operator sees failing, by their own view and the application's; and what they failed at last. */
async function shownAt(fleet: Fleet, i: number, reasons: readonly string[]) {
  const { items } = await fleet.operator<{ items: ConnectorView[] }>(i, '/v1/connectors')
  const [application] = (await fleet.operator<{ items: ApplicationView[] }>(i, '/v1/applications'))
    .items
  const ofApplication = new Map(application!.connectors.map((one) => [one.connectorId, one]))
  const faults = items.flatMap(({ id, applications }) =>
    applications.flatMap(({ health, lastFault }) =>
      health === 'healthy' || lastFault === undefined || ofApplication.get(id)?.health !== health
        ? []
        : [{ id, health, reason: lastFault.reason }],
    ),
  )
  return {
    ids: faults.map(({ id }) => id),
    failing: faults.flatMap(({ id, reason }) => (reasons.includes(reason) ? [id] : [])),
    faults: faults.map(({ health, reason }) => `${health}, ${reason}`),
  }
}
