/**
 * The storm: users ask without end while connectors are killed and instances are stopped, again and again. What fails is exactly what a killed connector had.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { exactly, atLeast, type Figure } from '../campaigns/campaign.ts'
import { FleetApplication } from './application.ts'
import { Clients } from './clients.ts'
import { Fleet } from './fleet.ts'
import type { JournalLine } from './instance.child.ts'
import { randomNumbers } from './random.ts'

export interface StormOptions {
  readonly seconds: number
  readonly seed: number
  readonly clients: number
}

/** A connector is killed so often, and an instance stopped. Milliseconds. */
const KILL_MS = 2_000
const STOP_MS = 10_000

export async function storm(
  { seconds, seed, clients: count }: StormOptions,
  say: (line: string) => void,
): Promise<readonly Figure[]> {
  const application = await FleetApplication.start()
  const { port } = application
  const fleet = await Fleet.start({
    instances: 2,
    connectors: ['default', 'default', 'second'],
    applications: { one: { groupId: 'default', port }, two: { groupId: 'second', port } },
    // A connector that was killed is back within seconds, on a busy machine within a minute or two: nobody is sent away before.
    limits: { queueWaitMs: 180_000, drainMs: 30_000 },
  })
  try {
    const random = randomNumbers(seed)
    const hosts = ['one.localhost', 'two.localhost']
    const clients = new Clients({ ports: fleet.ports, hosts, count, seed, pauseMs: 200 })
    const killed: { readonly connectorId: string; readonly at: number }[] = []
    const stopped: Stop[] = []
    const end = performance.now() + seconds * 1_000
    const busy = new Set<Promise<void>>()
    const away = new Set<number>()
    const troubles: unknown[] = []
    const meanwhile = (work: Promise<void>) => {
      const done: Promise<void> = work
        .catch((error: unknown) => void troubles.push(error))
        .finally(() => busy.delete(done))
      busy.add(done)
    }
    let nextStop = performance.now() + STOP_MS / 2
    let isStopping = false
    while (performance.now() < end) {
      await sleep(KILL_MS)
      const there = fleet.connectors.flatMap((_, i) => (away.has(i) ? [] : [i]))
      const victim = there[Math.floor(random() * there.length)]
      if (victim !== undefined) {
        const { connectorId } = fleet.connectors[victim]!.process.ready
        killed.push({ connectorId, at: Date.now() })
        away.add(victim)
        const killedAt = Date.now()
        meanwhile(
          fleet.killConnector(victim).finally(() => {
            away.delete(victim)
            say(`connector ${victim} was away for ${Date.now() - killedAt} ms`)
          }),
        )
      }
      if (performance.now() < nextStop || isStopping) continue
      nextStop = performance.now() + STOP_MS
      isStopping = true
      const instance = Math.floor(random() * fleet.instances.length)
      const stop = { port: fleet.ports[instance]!, from: Date.now() }
      stopped.push(stop)
      meanwhile(
        fleet.restartInstance(instance).finally(() => {
          isStopping = false
          say(`instance ${instance} was away for ${Date.now() - stop.from} ms`)
        }),
      )
    }
    say(`${killed.length} connectors killed, ${stopped.length} instances stopped`)
    await Promise.all(busy)
    say('all are back')
    await clients.stop()
    const { GET, POST, WebSocket } = clients.answered
    say(
      `answered: ${GET} GET, ${POST} POST, ${WebSocket} WebSocket; failed: ${clients.failures.length}`,
    )
    const judged = judge(clients, fleet.lines(), killed, stopped)
    for (const line of [...judged.unexplained, ...clients.wrong, ...troubles].slice(0, 20))
      say(typeof line === 'string' ? line : String(line))
    return [
      atLeast('requests answered', GET + POST + WebSocket, seconds * 3),
      atLeast('POST answered', POST, seconds / 2),
      atLeast('WebSockets that said all they had to say', WebSocket, seconds / 10),
      atLeast('connectors killed', killed.length, Math.floor((seconds * 1_000) / KILL_MS / 4)),
      atLeast('instances stopped', stopped.length, Math.floor((seconds * 1_000) / STOP_MS / 2)),
      exactly('answers that are not their own, or not whole', clients.wrong.length, 0),
      exactly('POSTs executed twice', application.twice.length, 0),
      { name: 'requests failed', value: clients.failures.length, wanted: 'any', isGood: true },
      exactly('failed, and not claimed at a killed connector', judged.unexplained.length, 0),
      exactly('claimed at a killed connector and failed, and nobody was told', judged.untold, 0),
      exactly('answers broken off that no instance knows of', judged.unknown, 0),
      {
        name: 'connections ended by an instance that stopped, before it had heard of a request',
        value: judged.unheard,
        wanted: 'any',
        isGood: true,
      },
      exactly('processes that ended in another way', troubles.length, 0),
    ]
  } finally {
    await fleet.close()
    application.close()
  }
}

interface Stop {
  /** Of the instance's user listener. */
  readonly port: number
  /** When it was told to end. Milliseconds since 1970. */
  readonly from: number
}

export interface Judged {
  readonly unexplained: string[]
  readonly untold: number
  readonly unknown: number
  /** Failures of requests that came to no instance: the connection was ended before. */
  readonly unheard: number
}

/**
 * Every failure that a user was told has a number: its last claim was at a connector that was killed while the request was under way, and the instance says that
 * the connector was lost. An answer that was broken off shows none: there are as many as the instances know.
 */
export function judge(
  { failures, closed }: Pick<Clients, 'failures' | 'closed'>,
  lines: readonly JournalLine[],
  killed: readonly { readonly connectorId: string; readonly at: number }[],
  stopped: readonly Stop[],
): Judged {
  const heard = new Set(lines.flatMap((line) => ('heard' in line ? [line.heard] : [])))
  const claims = new Map<string, string>()
  const failed = new Map<string, string | undefined>()
  for (const line of lines) {
    if ('claimed' in line) claims.set(line.claimed, line.connectorId)
    if ('ended' in line && line.kind === 'failed') failed.set(line.ended, line.reason)
  }
  const victims = new Set(killed.map(({ connectorId }) => connectorId))
  const unexplained: string[] = []
  const isLost = (number: string) =>
    failed.get(number) === 'connector-lost' && victims.has(claims.get(number) ?? '')
  let [brokenOff, unheard] = [0, 0]
  for (const { kind, path, port, said, because, from, at } of failures) {
    const wasStopped = stopped.some((stop) => stop.port === port && stop.from <= at)
    if (said === undefined && !heard.has(path) && wasStopped) {
      unheard += 1
      continue
    }
    const wasKilled = killed.some((kill) => kill.at >= from - 1_000 && kill.at <= at + 1_000)
    const told = said === undefined ? 'was broken off' : `${said.status} ${said.code}`
    if (said === undefined) brokenOff += 1
    if (
      wasKilled &&
      (said === undefined || (said.code === 'connector-lost' && isLost(said.requestNumber)))
    )
      continue
    const known = said && `${claims.get(said.requestNumber)}, ${failed.get(said.requestNumber)}`
    unexplained.push(`${kind} ${path} ${told} (${because}) ${known ?? ''} after ${at - from} ms`)
  }
  const numbers = new Set(failures.map(({ said }) => said?.requestNumber))
  const unseen = [...failed].filter(([number]) => !numbers.has(number))
  for (const [number, reason] of unseen)
    if (!isLost(number)) unexplained.push(`${number} failed: ${reason}, of ${claims.get(number)}`)
  // Both ends had closed a tunnel, and its connector was killed before it had said so.
  const justClosed = closed.filter((at) => killed.some((kill) => Math.abs(kill.at - at) < 300))
  return {
    unexplained,
    untold: Math.max(0, unseen.length - brokenOff - justClosed.length),
    unknown: Math.max(0, brokenOff - unseen.length),
    unheard,
  }
}
