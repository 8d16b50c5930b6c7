/**
 * `--workers N`: what a request costs a cloud of N instances on one machine, and one of one.
 *
 * @module
 */
import { startBackend } from './contenders/backend.ts'
import { cloudRun } from './contenders/cloud-run.ts'
import { describeMachine } from './harness/machine.ts'
import type { Workspace } from './harness/workspace.ts'
import { runPairsSideBySide } from './load/pairs.ts'
import type { BenchOptions } from './options.ts'
import { FEWEST_PAIRS, pairedRatio } from './report/paired.ts'
import { median } from './report/statistics.ts'

/** Requests for each second of the cloud's processor time: this share of one instance's. */
const LEAST_SHARE = 0.9

/**
 * Prints what was measured. The answer is whether it is good.
 *
 * Both clouds run all the time and are asked in turn: what a process compiles and collects after
 * its start is not what a request costs, and of several there is more of it.
 */
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
  const here = cloudRun(instances)
  const compared = { name: here.name, here, reference: cloudRun(1) }
  const pairs = await runPairsSideBySide(compared, backends, workspace, { ...options, runs, log })
  const cost = pairedRatio(pairs)
  const share = 1 / cost.median
  const [many, one] = [
    median(pairs.map(({ hereRate }) => hereRate)),
    median(pairs.map(({ referenceRate }) => referenceRate)),
  ].map(Math.round)
  console.log(
    `${instances} instances, requests for each second of the cloud's processor time: ` +
      `×${share.toFixed(3)} of one instance's, 95 % interval ${(1 / cost.high).toFixed(3)} to ` +
      `${(1 / cost.low).toFixed(3)}, ${cost.pairs} pairs; ${many} requests/s, of one ${one}`,
  )
  return share >= LEAST_SHARE
}
