/**
 * Several instances on one machine: a process each, which share the users' port and the state
 * directory. The process that starts them serves nobody: it holds the directory, starts again what
 * dies, and passes on what they say to each other.
 */
import cluster, { type Worker } from 'node:cluster'
import { availableParallelism } from 'node:os'
import { lockStateDirectory } from 'app-proxy/cloud/node'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import type { CloudServerSettings } from './configuration.ts'
import type { Closing } from './engines.ts'
import type { CloudRunGiven } from './flags.ts'
import { HubLine, OfferHub, type FromHub, type ToHub } from './offer-hub.ts'
import { openCloudLog, type CloudLog } from './log.ts'
import { readyLines, type Ready } from './ready.ts'
import { CommandFailed, EXIT, type ExitName } from '../program/exit-codes.ts'
import { linesOf, named } from '../program/mistakes.ts'
import { aborted, type Surroundings } from '../program/program.ts'

/** More than any machine has use for. */
const MOST = 256
/** After the first death; twice as long after each further one. Milliseconds. */
const RESTART_MS = 100
const LONGEST_RESTART_MS = 10_000
/** One that ran so long has not failed at its start. Milliseconds. */
const STEADY_MS = 60_000
/** In the environment of such a process. */
const PLACE = 'APP_PROXY_CLOUD_PLACE'

/** What one of them is told at its start. */
export interface Place {
  readonly instance: string
  /** The first has the listeners of which there is one. */
  readonly isFirst: boolean
  /** Its own port for connectors; 0: a free one. */
  readonly connectorsPort: number
  /** Added to the port of `connectors.publicUrl`. */
  readonly index: number
}

type FromWorker = ToHub | { readonly ready: Ready; readonly connectorsPort: number }

/** How many are asked for. @throws ConfigurationInvalid */
export function countOf(given: string | undefined): number {
  if (given === undefined) return 1
  if (given === 'auto') return Math.min(availableParallelism(), MOST)
  const count = /^[1-9]\d{0,2}$/.test(given) ? Number(given) : 0
  if (count >= 1 && count <= MOST) return count
  const [detail, value] = [`must be "auto" or a number from 1 to ${MOST}`, JSON.stringify(given)]
  throw new ConfigurationInvalid([{ path: '--instances', detail, value }])
}

/** The place that this process was started for; `undefined`: it is none of several. */
export function ownPlace(): Place | undefined {
  const text = cluster.isWorker ? process.env[PLACE] : undefined
  return text === undefined ? undefined : (JSON.parse(text) as Place)
}

/** This process's line to the others. */
export function ownLine(): HubLine {
  const line = new HubLine((message) => void process.send?.(message, undefined, undefined, unsent))
  process.on('message', (message) => {
    if (isOfHub(message)) line.heard(message)
  })
  return line
}

/** It serves; `ready` is put together by the process that started it. */
export function tellReady(ready: Ready, connectorsPort: number): void {
  process.send?.({ ready, connectorsPort } satisfies FromWorker)
}

/** Whoever it was for is gone: that is noticed elsewhere. */
const unsent = (): void => undefined

const isOfHub = (message: unknown): message is FromHub =>
  typeof message === 'object' && message !== null && 'hub' in message

/** Resolves with the exit code, when all have ended. */
export async function runWorkers(
  { config: file, json }: CloudRunGiven,
  settings: CloudServerSettings,
  count: number,
  surroundings: Surroundings,
): Promise<number> {
  const closing: Closing = []
  try {
    await named({ file, path: 'stateDir' }, async () => {
      const lock = await lockStateDirectory(settings.stateDir)
      closing.push(() => lock.release())
    })
    const log = openCloudLog(settings, undefined, surroundings.log)
    const workers = new Workers(settings, count, log)
    closing.push(() => workers.stop())
    const ready = await workers.start(surroundings.signal)
    if (ready !== undefined) surroundings.say(json ? JSON.stringify(ready) : readyLines(ready))
    surroundings.onReload(() => workers.signal('SIGHUP'))
    await aborted(surroundings.signal)
    return 0
  } finally {
    for (const close of closing.reverse()) await close()
  }
}

/** What ends one of them says which. */
export function ofInstance(instance: string, error: unknown): CommandFailed {
  const { code, lines } = linesOf(error, false)
  const words = lines.map((line) => `${instance}: ${line}`)
  return new CommandFailed(exitOf(code), words, { cause: error })
}

/** The whole ends as that one did. */
const exitOf = (code: number | null): ExitName =>
  (Object.keys(EXIT) as ExitName[]).find((name) => EXIT[name] === code && code !== 0) ?? 'failed'

/** All of them, while they run. */
class Workers {
  readonly #hub = new OfferHub()
  readonly #log: CloudLog
  readonly #places: Place[]
  /** By place; absent: it does not run now. */
  readonly #running = new Map<number, Worker>()
  readonly #ended = new Set<Promise<void>>()
  #isStopping = false

  constructor(settings: CloudServerSettings, count: number, log: CloudLog) {
    this.#log = log
    const { instance = 'cloud', connectors } = settings
    const { port } = connectors
    this.#places = Array.from({ length: count }, (_, index) => ({
      ...{ instance: `${instance}-${index + 1}`, isFirst: index === 0, index },
      connectorsPort: port === 0 ? 0 : port + index,
    }))
    // Each takes connections from the system by itself. Where this process dealt them out, one that
    // it gave to an instance that is stopped or dies would be answered by nobody, and never closed.
    cluster.schedulingPolicy = cluster.SCHED_NONE
    cluster.setupPrimary({ serialization: 'advanced' })
  }

  /**
   * The first makes the keys and certificates that all others share.
   *
   * @throws CommandFailed when one ends before it serves: it has said why
   */
  async start(signal: AbortSignal): Promise<Ready | undefined> {
    const first = await this.#begin(0)
    const rest = this.#places.slice(1).map((_, i) => this.#begin(i + 1))
    const all = [first, ...(await Promise.all(rest))]
    if (signal.aborted) return undefined
    const instances = Object.fromEntries(
      all.map(({ connectorUrl }, i) => [this.#places[i]!.instance, connectorUrl]),
    )
    return { ...first, instances }
  }

  signal(name: NodeJS.Signals): void {
    for (const worker of this.#running.values()) worker.process.kill(name)
  }

  /** All drain at once: none has to take over from another. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.signal('SIGTERM')
    await Promise.all(this.#ended)
  }

  /** Resolves when it serves. */
  #begin(index: number, deaths = 0): Promise<Ready> {
    const place = this.#places[index]!
    const worker = cluster.fork({ [PLACE]: JSON.stringify(place) })
    this.#running.set(index, worker)
    const begun = Date.now()
    const ended = new Promise<void>((resolve) => {
      worker.once('exit', (code, signal) => {
        this.#running.delete(index)
        this.#ended.delete(ended)
        this.#hub.gone(place.instance)
        resolve()
        if (this.#isStopping || !isReady) return
        const faults = Date.now() - begun > STEADY_MS ? 1 : deaths + 1
        const afterMs = Math.min(RESTART_MS * 2 ** (faults - 1), LONGEST_RESTART_MS)
        const how = signal || `code ${code}`
        this.#log.tell({ type: 'instance-ended', instance: place.instance, how })
        setTimeout(() => this.#again(index, faults), afterMs)
      })
    })
    this.#ended.add(ended)
    let isReady = deaths > 0
    this.#hub.join(place.instance, (message) => {
      if (worker.isConnected()) worker.send(message, unsent)
    })
    return new Promise<Ready>((resolve, reject) => {
      worker.on('message', (message: FromWorker) => {
        if (!('ready' in message)) return this.#hub.heard(place.instance, message)
        isReady = true
        // Connectors know it there.
        const { connectorsPort } = message
        this.#places[index] = { ...this.#places[index]!, connectorsPort }
        resolve(message.ready)
      })
      worker.once('exit', (code) => {
        const words = `${place.instance} ended before it served`
        reject(new CommandFailed(exitOf(code), words))
      })
    })
  }

  #again(index: number, deaths: number): void {
    if (this.#isStopping) return
    // Whether it serves this time is told by itself.
    this.#begin(index, deaths).catch(() => undefined)
  }
}
