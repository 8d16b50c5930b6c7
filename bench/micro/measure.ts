/**
 * Time and memory of one operation, measured in a process of its own.
 *
 * @module
 */
import type { MicroFigure } from '../report/results.ts'
import { median } from '../report/statistics.ts'

const SAMPLES = 9
const WARM_UP_MS = 500
const SAMPLE_MS = Number(process.env['BENCH_SAMPLE_MS'] ?? 100)
/** Well within the semi-space that the process is started with. */
const ENOUGH_ALLOCATED_BYTES = 4 * 2 ** 20

/** @param operation does it so many times */
export function measure(
  name: string,
  operation: (times: number) => void,
  note?: string,
): MicroFigure {
  return {
    name,
    nanoseconds: nanoseconds(operation),
    bytes: allocatedBytes(operation),
    ...(note !== undefined && { note }),
  }
}

/** The median of some samples, after the compiler has seen it. */
export function nanoseconds(operation: (times: number) => void): number {
  const warm = performance.now() + WARM_UP_MS
  while (performance.now() < warm) operation(16)
  let times = 1
  while (elapsedMs(operation, times) < SAMPLE_MS) times *= 2
  const samples = Array.from({ length: SAMPLES }, () => elapsedMs(operation, times))
  return (median(samples) * 1e6) / times
}

/**
 * What is on the heap and in buffers afterwards, counted over as few times as show it: so little that nothing is collected meanwhile. Zero where it
 * cannot be told from none.
 */
function allocatedBytes(operation: (times: number) => void): number {
  for (let times = 64; ; times *= 2) {
    collect()
    const before = usedBytes()
    operation(times)
    const used = usedBytes() - before
    if (used < ENOUGH_ALLOCATED_BYTES && times < 65_536) continue
    return used / times < 0.5 ? 0 : used / times
  }
}

export function usedBytes(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Everything that can be collected. */
export function collect(): void {
  if (gc === undefined) throw new Error('run with --expose-gc')
  for (let time = 0; time < 3; time++) void gc()
}

function elapsedMs(operation: (times: number) => void, times: number): number {
  const start = performance.now()
  operation(times)
  return performance.now() - start
}

/** What a script reports to whoever started it. */
export function done(title: string, figures: readonly MicroFigure[]): void {
  console.log(JSON.stringify({ title, figures }))
}
