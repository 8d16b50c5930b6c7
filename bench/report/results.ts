/**
 * What a run found: the JSON file, and what tables and plots are made from.
 *
 * @module
 */
import type { Machine } from '../harness/machine.ts'

/** One contender, one round. Absent: not measured here. */
export interface Figures {
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Processor time of all its processes, user and system, per request. */
  readonly cpuMicroseconds?: number
  /** 10⁶ bytes per second. */
  readonly downMBps: number
  readonly upMBps: number
  /** Peak resident memory of all its processes, added up. */
  readonly peakMiB?: number
}

/** One contender, all its rounds. */
export interface Row {
  readonly name: string
  readonly title: string
  readonly rounds: readonly Figures[]
  /** Why it did not take part, or stopped doing so. */
  readonly failure?: string
}

export interface MicroFigure {
  readonly name: string
  readonly nanoseconds?: number
  readonly bytes?: number
  readonly note?: string
}

interface Latencies {
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Quick requests without the slow reader, and beside it. */
interface Beside {
  readonly idle: Latencies
  readonly slow: Latencies
}

export interface SlowReaderFigures {
  readonly binding: string
  readonly failure?: string
  readonly phases: readonly Beside[]
  /** Of all phases together: a percentile of many is steadier than many percentiles. */
  readonly all?: Beside
  /** The most that resident memory grew by while the slow reader was there. */
  readonly cloudGrowthMiB?: number
  readonly connectorGrowthMiB?: number
}

export interface Results {
  /** ISO 8601, day only. */
  readonly date: string
  readonly machine: Machine
  readonly command: string
  readonly backend?: string
  readonly loadGenerator?: string
  readonly load?: readonly Row[]
  readonly slowReader?: readonly SlowReaderFigures[]
  readonly micro?: Readonly<Record<string, readonly MicroFigure[]>>
}
