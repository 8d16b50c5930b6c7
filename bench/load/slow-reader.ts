/**
 * One reader who takes 10 KiB a second of a 1 GiB download, and 50 quick requests a second beside it on the same link: how much slower are the quick
 * ones than without it, and how much memory does the slow one cost?
 *
 * @module
 */
import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { startAppProxy, type Binding, type RunningAppProxy } from '../contenders/app-proxy.ts'
import type { Backends, Target } from '../contenders/contender.ts'
import { residentBytes } from '../harness/process-usage.ts'
import type { Workspace } from '../harness/workspace.ts'
import type { BenchOptions } from '../options.ts'
import type { SlowReaderFigures } from '../report/results.ts'
import { percentile } from '../report/statistics.ts'

export const SLOW_DOWNLOAD_BYTES = 2 ** 30
const SLOW_BYTES_PER_SECOND = 10 * 1024
const QUICK_PER_SECOND = 50

export async function measureSlowReader(
  backends: Backends,
  workspace: Workspace,
  options: BenchOptions,
  log: (line: string) => void,
): Promise<SlowReaderFigures[]> {
  const all: SlowReaderFigures[] = []
  for (const binding of ['link', 'plain'] as const) {
    log(`slow reader, ${binding}`)
    const part = await workspace.part()
    try {
      all.push(await ofBinding(binding, backends, part, options))
    } catch (error) {
      workspace.assertOpen()
      const failure = error instanceof Error ? error.message : String(error)
      log(`slow reader, ${binding}: ${failure}`)
      all.push({ binding, failure, phases: [] })
    } finally {
      await part.close()
    }
  }
  return all
}

async function ofBinding(
  binding: Binding,
  backends: Backends,
  workspace: Workspace,
  { quick }: BenchOptions,
): Promise<SlowReaderFigures> {
  const running = await startAppProxy(binding, true, backends, workspace)
  const seconds = quick ? 3 : 20
  await quickRequests(running.page, quick ? 2 : 10) // so that all phases find warm code
  const rounds: { idle: number[]; slow: number[] }[] = []
  let growth = { cloud: 0, connector: 0 }
  const slow = async (): Promise<number[]> => {
    const before = resident(running)
    const reader = await slowReader(running.download(SLOW_DOWNLOAD_BYTES))
    const watch = setInterval(() => (growth = most(growth, before, resident(running))), 200)
    await sleep(1_000) // until all that may be sent ahead has been
    const latencies = await quickRequests(running.page, seconds)
    clearInterval(watch)
    growth = most(growth, before, resident(running))
    const { received } = reader
    reader.stop()
    if (received < (SLOW_BYTES_PER_SECOND * seconds) / 2)
      throw new Error(`the slow reader got ${received} bytes only`)
    await sleep(1_000) // until what it leaves behind has been cleared away
    return latencies
  }
  for (let round = 0; round < (quick ? 1 : 5); round++) {
    // In turns, so that whatever else changes meanwhile falls on both.
    const isSlowFirst = round % 2 === 1
    const first = isSlowFirst ? await slow() : await quickRequests(running.page, seconds)
    const second = isSlowFirst ? await quickRequests(running.page, seconds) : await slow()
    rounds.push(isSlowFirst ? { idle: second, slow: first } : { idle: first, slow: second })
  }
  return {
    binding,
    phases: rounds.map(({ idle, slow }) => ({ idle: percentiles(idle), slow: percentiles(slow) })),
    all: {
      idle: percentiles(rounds.flatMap(({ idle }) => idle)),
      slow: percentiles(rounds.flatMap(({ slow }) => slow)),
    },
    ...(process.platform === 'linux' && {
      cloudGrowthMiB: growth.cloud / 2 ** 20,
      connectorGrowthMiB: growth.connector / 2 ** 20,
    }),
  }
}

const percentiles = (latencies: number[]) => ({
  p50Ms: percentile(latencies, 0.5),
  p99Ms: percentile(latencies, 0.99),
})

interface Memory {
  readonly cloud: number
  readonly connector: number
}

const resident = ({ cloud, connector }: RunningAppProxy): Memory => ({
  cloud: residentBytes([cloud]) ?? 0,
  connector: residentBytes([connector]) ?? 0,
})

const most = (known: Memory, before: Memory, now: Memory): Memory => ({
  cloud: Math.max(known.cloud, now.cloud - before.cloud),
  connector: Math.max(known.connector, now.connector - before.connector),
})

/** Asked at fixed times, whether or not the last answer is there: a stall delays all that come in it, as it would users. */
async function quickRequests(target: Target, seconds: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true })
  const latencies: Promise<number>[] = []
  const count = seconds * QUICK_PER_SECOND
  const start = performance.now()
  await new Promise<void>((done) => {
    const timer = setInterval(() => {
      const due = ((performance.now() - start) / 1000) * QUICK_PER_SECOND
      while (latencies.length < Math.min(due, count)) latencies.push(latency(target, agent))
      if (latencies.length < count) return
      clearInterval(timer)
      done()
    }, 1000 / QUICK_PER_SECOND)
  })
  const all = await Promise.all(latencies)
  agent.destroy()
  return all
}

function latency({ port, host, path, cookie }: Target, agent: Agent): Promise<number> {
  const headers = { host, ...(cookie !== undefined && { cookie }) }
  const start = performance.now()
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, headers, agent }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${response.statusCode}`))
      response.resume()
      response.on('end', () => resolve(performance.now() - start))
      response.on('error', reject)
    })
      .on('error', reject)
      .end()
  })
}

interface SlowReader {
  /** Bytes taken so far, the head included. */
  readonly received: number
  stop(): void
}

/** Takes a little ten times a second; the socket's own buffers fill, and then the sender's. */
async function slowReader({ port, host, path, cookie }: Target): Promise<SlowReader> {
  const socket = await opened(port)
  const cookieLine = cookie === undefined ? '' : `Cookie: ${cookie}\r\n`
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${cookieLine}\r\n`)
  let received = 0
  const timer = setInterval(() => {
    const piece = socket.read(SLOW_BYTES_PER_SECOND / 10) as Buffer | null
    if (piece !== null) received += piece.length
  }, 100)
  socket.on('readable', () => undefined) // paused mode: nothing flows but what `read` takes
  return {
    get received() {
      return received
    },
    stop() {
      clearInterval(timer)
      socket.destroy()
    },
  }
}

function opened(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      socket.on('error', () => undefined) // broken off at the end
      resolve(socket)
    })
  })
}
