/**
 * How the connector on this machine does: it writes that into its state directory every few
 * seconds, and this reads it.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  replacePrivateFile,
  type ConnectorStats,
  type Mistake,
  type RunningConnector,
} from 'app-proxy/connector/node'
import { CommandFailed } from '../program/exit-codes.ts'
import { aligned } from '../program/flags.ts'
import type { Surroundings } from '../program/program.ts'
import type { ConnectorStatusGiven } from './flags.ts'

const FILE = 'status.json'
const EVERY_MS = 2_000
/** A machine may be busy; one that has not written for so long hangs, or is stopped. */
const SILENT_MS = 15_000

interface Status {
  readonly pid: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly isReady: boolean
  readonly stats: ConnectorStats
  /** What a person has to put right. */
  readonly mistakes: readonly Pick<Mistake, 'kind' | 'message'>[]
}

/** Writes it until it is told to end. What cannot be written is told once. */
export class StatusFile {
  readonly #path: string
  readonly #failed: (error: Error) => void
  readonly #mistakes = new Map<string, Pick<Mistake, 'kind' | 'message'>>()
  #timer: NodeJS.Timeout | undefined
  #isTold = false

  /** `failed` is told why it cannot be written. */
  constructor(stateDirectory: string, failed: (error: Error) => void) {
    this.#path = join(stateDirectory, FILE)
    this.#failed = failed
  }

  met(mistake: Pick<Mistake, 'kind' | 'message'>): void {
    this.#mistakes.set(mistake.kind, { kind: mistake.kind, message: mistake.message })
  }

  mended(kind: string): void {
    this.#mistakes.delete(kind)
  }

  async keep(connector: RunningConnector): Promise<void> {
    await this.#write(connector)
    this.#timer = setInterval(() => void this.#write(connector), EVERY_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  async #write(connector: RunningConnector): Promise<void> {
    const { isReady } = connector
    const status: Status = {
      ...{ pid: process.pid, at: Date.now(), isReady, stats: connector.stats() },
      mistakes: [...this.#mistakes.values()],
    }
    await replacePrivateFile(this.#path, JSON.stringify(status)).catch((error: Error) => {
      if (!this.#isTold) this.#failed(error)
      this.#isTold = true
    })
  }
}

/** Resolves with the exit code. */
export async function tellStatus(
  { 'state-dir': directory, json }: ConnectorStatusGiven,
  { say }: Surroundings,
): Promise<number> {
  const text = await readFile(join(directory, FILE), 'utf8').catch(() => undefined)
  const none = (why: string) =>
    new CommandFailed('failed', `no connector runs on ${directory}: ${why}`)
  if (text === undefined) throw none('none has written there')
  const status = statusOf(text)
  if (status === undefined) throw none(`${FILE} there is none of a connector's`)
  const seconds = Math.round((Date.now() - status.at) / 1000)
  if (!isAlive(status.pid)) throw none(`process ${status.pid} has ended, ${seconds} s ago or later`)
  const isSilent = Date.now() - status.at > SILENT_MS
  if (json) say(JSON.stringify({ ...status, isSilent }))
  else say(statusLines(status, isSilent, seconds))
  return status.isReady && !isSilent ? 0 : 1
}

function statusLines(
  { pid, isReady, stats, mistakes }: Status,
  isSilent: boolean,
  seconds: number,
) {
  const { connectorId, tenantId, groupId, standing = 'active', links, certificate } = stats
  const open = stats.applications.reduce((sum, one) => sum + one.open, 0)
  const how = isReady ? 'ready' : 'not ready'
  return [
    ...aligned([
      ['connector', `${connectorId} of ${tenantId}, in group ${groupId}, ${standing}`],
      ['process', `${pid}, ${isSilent ? `silent for ${seconds} s: it hangs, or is stopped` : how}`],
      ...links.map(
        ({ instance, url, state, grants, offers }) =>
          [`link ${instance}`, `${state}, ${url}, ${grants} of ${offers} slots free`] as const,
      ),
      ['under way', `${open} requests`],
      ['certificate', `${certificate.state}, ends in ${certificate.daysLeft} days`],
    ]),
    ...mistakes.map(({ message }) => `to be put right: ${message}`),
  ].join('\n')
}

function statusOf(text: string): Status | undefined {
  try {
    const status = JSON.parse(text) as Partial<Status> | null
    const isWhole =
      typeof status?.pid === 'number' &&
      typeof status.at === 'number' &&
      Array.isArray(status.stats?.links) &&
      Array.isArray(status.mistakes)
    return isWhole ? (status as Status) : undefined
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
