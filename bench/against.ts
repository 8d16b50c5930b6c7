/**
 * `--against REF`: whether a request costs more processor time than it did at another commit.
 *
 * @module
 */
import { startBackend } from './contenders/backend.ts'
import { describeMachine } from './harness/machine.ts'
import { buildReference } from './harness/reference-build.ts'
import type { Workspace } from './harness/workspace.ts'
import { pairContenders, runPairs } from './load/pairs.ts'
import type { BenchOptions } from './options.ts'
import { FEWEST_PAIRS, isNotWorse, pairedRatio, sayRatio, WORSE_FROM } from './report/paired.ts'

/** What is compared unless `--contenders` says otherwise. */
const USUAL: ReadonlySet<string> = new Set(['link+sign-in', 'link'])

/**
 * Prints a line for each contender. One that comes out worse is measured once more, and both lines
 * stand. The answer is whether each was not worse in one of its runs.
 */
export async function compareAgainst(
  ref: string,
  options: BenchOptions,
  workspace: Workspace,
  log: (line: string) => void,
): Promise<boolean> {
  if (options.runs < FEWEST_PAIRS)
    throw new TypeError(`--against needs --runs ${FEWEST_PAIRS} at the least`)
  const reference = await buildReference(ref, workspace, log)
  const contenders = await pairContenders(options.contenders ?? USUAL, reference)
  const backends = await startBackend(workspace, [])
  const { processor, cores, node } = describeMachine()
  console.log(`${processor}, ${cores} cores, Node ${node}; application: ${backends.description}`)
  let isGood = true
  for (const contender of contenders) {
    const measure = async () => {
      const pairs = await runPairs(contender, backends, workspace, { ...options, log })
      const ratio = pairedRatio(pairs)
      console.log(sayRatio(contender.name, reference.commit, ratio))
      return isNotWorse(ratio)
    }
    if ((await measure()) || (await measure())) continue
    isGood = false
  }
  if (!isGood) console.log(`Worse: the lower end of an interval is above ${WORSE_FROM} twice.`)
  return isGood
}
