/**
 * This tree against another commit: both run the same load one right after the other, and who
 * comes first alternates. What disturbs the machine for a minute disturbs both halves of a pair.
 *
 * @module
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type * as AppProxy from '../contenders/app-proxy.ts'
import { appProxy, type Binding } from '../contenders/app-proxy.ts'
import type { Backends, Contender } from '../contenders/contender.ts'
import type { ReferenceBuild } from '../harness/reference-build.ts'
import type { Workspace } from '../harness/workspace.ts'
import type { Pair } from '../report/paired.ts'
import { measureRequests, startMeasured, type LoadRounds, type RequestFigures } from './rounds.ts'

/** One of our contenders in both trees. */
export interface Paired {
  readonly name: string
  readonly here: Contender
  readonly reference: Contender
}

/**
 * The other commit brings its own contender and processes: their options are its own affair. What
 * both must keep is the `Contender` interface and the workspace it is handed.
 */
export async function pairContenders(
  names: ReadonlySet<string>,
  reference: ReferenceBuild,
): Promise<readonly Paired[]> {
  const url = pathToFileURL(join(reference.root, 'bench/contenders/app-proxy.ts')).href
  const other = (await import(url)) as typeof AppProxy
  return [...names].map((name) => {
    const [binding, signIn] = splitName(name)
    return {
      name,
      here: appProxy(binding, signIn),
      reference: other.appProxy(binding, signIn),
    }
  })
}

function splitName(name: string): [Binding, boolean] {
  const match = /^(link|plain)(\+sign-in)?$/.exec(name)
  if (match === null) throw new TypeError(`--against measures app-proxy's own rows, not ${name}`)
  return [match[1] as Binding, match[2] !== undefined]
}

/** And what both answered in a second. */
export interface MeasuredPair extends Pair {
  readonly hereRate: number
  readonly referenceRate: number
}

/** The pairs of one contender, in the order they were run. */
export async function runPairs(
  { name, here, reference }: Paired,
  backends: Backends,
  workspace: Workspace,
  options: LoadRounds,
): Promise<readonly MeasuredPair[]> {
  const measured = (contender: Contender) => () =>
    measureRequests(contender, backends, workspace, options)
  return inPairs(name, measured(here), measured(reference), options)
}

/** The same of two that both run all the time: each is asked while the other rests. */
export async function runPairsSideBySide(
  { name, here, reference }: Paired,
  backends: Backends,
  workspace: Workspace,
  options: LoadRounds,
): Promise<readonly MeasuredPair[]> {
  const started = (contender: Contender) => startMeasured(contender, backends, workspace, options)
  return inPairs(name, await started(here), await started(reference), options)
}

async function inPairs(
  name: string,
  here: () => Promise<RequestFigures>,
  reference: () => Promise<RequestFigures>,
  options: LoadRounds,
): Promise<readonly MeasuredPair[]> {
  const pairs: MeasuredPair[] = []
  const measured = async (one: () => Promise<RequestFigures>) => {
    const { cpuMicroseconds, requestsPerSecond: rate } = await one()
    if (cpuMicroseconds === undefined)
      throw new Error('processor time of processes cannot be read on this system')
    return { cpuMicroseconds, rate }
  }
  for (let round = 0; round < options.runs; round++) {
    const first = round % 2 === 0 ? await measured(here) : undefined
    const other = await measured(reference)
    const own = first ?? (await measured(here))
    const [hereMicroseconds, referenceMicroseconds] = [own.cpuMicroseconds, other.cpuMicroseconds]
    pairs.push({
      ...{ hereMicroseconds, referenceMicroseconds },
      ...{ hereRate: own.rate, referenceRate: other.rate },
    })
    const ratio = (hereMicroseconds / referenceMicroseconds).toFixed(3)
    options.log(
      `${name}, pair ${round + 1}/${options.runs}: ${hereMicroseconds.toFixed(1)} µs against ` +
        `${referenceMicroseconds.toFixed(1)} µs, ×${ratio}`,
    )
  }
  return pairs
}
