/**
 * A rolling restart, as an upgrade does it: every connector, then every instance, is told to end and started again, one after the other, under load; then the
 * broker is stopped and started. Nobody notices but those who needed the broker while it was away.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { atLeast, exactly, type Figure } from '../campaigns/campaign.ts'
import { FleetApplication } from './application.ts'
import { Clients } from './clients.ts'
import { Fleet } from './fleet.ts'

export interface RollingOptions {
  readonly clients: number
  readonly rounds: number
  readonly seed: number
}

export async function rolling(
  { clients: count, rounds, seed }: RollingOptions,
  say: (line: string) => void,
): Promise<readonly Figure[]> {
  const application = await FleetApplication.start()
  const { port } = application
  const fleet = await Fleet.start({
    instances: 2,
    connectors: ['default', 'default', 'second'],
    applications: { one: { groupId: 'default', port }, two: { groupId: 'second', port } },
    limits: { queueWaitMs: 20_000, drainMs: 30_000 },
  })
  try {
    const hosts = ['one.localhost', 'two.localhost']
    const clients = new Clients({ ports: fleet.ports, hosts, count, seed, pauseMs: 100 })
    await sleep(1_000)
    for (let round = 1; round <= rounds; round++) {
      for (const i of fleet.connectors.keys()) await fleet.restartConnector(i)
      say(`round ${round}: all connectors are others, ${clients.failures.length} failed`)
      for (const i of fleet.instances.keys()) await fleet.restartInstance(i)
      say(`round ${round}: all instances are others, ${clients.failures.length} failed`)
    }
    const before = clients.failures.length
    await fleet.nats.stop()
    await sleep(3_000)
    await fleet.nats.restart()
    await sleep(2_000)
    const during = clients.failures.slice(before)
    const healed = clients.well.length
    await sleep(2_000)
    await clients.stop()
    const { GET, POST, WebSocket } = clients.answered
    say(`answered: ${GET} GET, ${POST} POST, ${WebSocket} WebSocket`)
    for (const failure of clients.failures.slice(0, 10)) say(JSON.stringify(failure))
    const unforced = during.filter(({ said }) => said?.code !== 'instances-unreachable')
    return [
      atLeast('requests answered', GET + POST + WebSocket, count * rounds),
      exactly('failed while connectors and instances were restarted', before, 0),
      {
        name: 'needed the broker while it was away',
        value: during.length,
        wanted: 'any',
        isGood: true,
      },
      exactly('failed otherwise while it was away', unforced.length, 0),
      exactly('failed once it was back', clients.failures.length - before - during.length, 0),
      atLeast('answered once it was back', clients.well.length - healed, 5),
      exactly('answers that are not their own, or not whole', clients.wrong.length, 0),
      exactly('POSTs executed twice', application.twice.length, 0),
    ]
  } finally {
    await fleet.close()
    application.close()
  }
}
