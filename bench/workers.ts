/**
 * `--workers N`: what a request costs a cloud of N instances on one machine, and one of one.
 *
 * @module
 */
import { startBackend } from './contenders/backend.ts'
import { cloudRun } from './contenders/cloud-run.ts'
import { describeMachine } from './harness/machine.ts'
import type { Workspace } from './harness/workspace.ts'
import { measureRequests } from './load/rounds.ts'
import type { BenchOptions } from './options.ts'
import { FEWEST_PAIRS, pairedRatio, type Pair } from './report/paired.ts'
import { median } from './report/statistics.ts'

/** Requests for each second of the cloud's processor time: this share of one instance's. */
const LEAST_SHARE = 0.9

/** Prints what was measured. The answer is whether it is good. */
export async function compareWorkers(
  instances: number,
  options: BenchOptions,
  workspace: Workspace,
  log: (line: string) => void,
): Promise<boolean> {
  const runs = Math.max(options.runs, FEWEST_PAIRS)
  const backends = await startBackend(workspace, [])
  const { processor, cores, node } = describeMachine()
  console.log(`${processor}, ${cores} cores, Node ${node}; application: ${backends.description}`)
  const contenders = { many: cloudRun(instances), one: cloudRun(1) }
  const rates = { many: [] as number[], one: [] as number[] }
  const measured = async (which: keyof typeof contenders): Promise<number> => {
    const contender = contenders[which]
    const figures = await measureRequests(contender, backends, workspace, { ...options, log })
    if (figures.cpuMicroseconds === undefined)
      throw new Error('processor time of processes cannot be read on this system')
    rates[which].push(figures.requestsPerSecond)
    return figures.cpuMicroseconds
  }
  const pairs: Pair[] = []
  for (let round = 0; round < runs; round++) {
    const first = round % 2 === 0 ? await measured('many') : undefined
    const referenceMicroseconds = await measured('one')
    const hereMicroseconds = first ?? (await measured('many'))
    pairs.push({ hereMicroseconds, referenceMicroseconds })
    log(
      `pair ${round + 1}/${runs}: ${hereMicroseconds.toFixed(1)} µs of ${instances} instances, ` +
        `${referenceMicroseconds.toFixed(1)} µs of one`,
    )
  }
  const cost = pairedRatio(pairs)
  const share = 1 / cost.median
  const [many, one] = [median(rates.many), median(rates.one)].map(Math.round)
  console.log(
    `${instances} instances, requests for each second of the cloud's processor time: ` +
      `×${share.toFixed(3)} of one instance's, 95 % interval ${(1 / cost.high).toFixed(3)} to ` +
      `${(1 / cost.low).toFixed(3)}, ${cost.pairs} pairs; ${many} requests/s, of one ${one}`,
  )
  return share >= LEAST_SHARE
}
