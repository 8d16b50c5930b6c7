/**
 * Reads a V8 CPU profile: the time spent in each function itself, idle time left out.
 *
 * @module
 */
/** What `node --cpu-prof` writes, as far as it is needed. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string }
  }[]
  /** The node that ran at each sample, */
  readonly samples: readonly number[]
  /** and the microseconds since the sample before. */
  readonly timeDeltas: readonly number[]
}

export interface SelfTime {
  readonly name: string
  /** File, package or part of Node. */
  readonly place: string
  readonly microseconds: number
}

/**
 * The longest first.
 *
 * @param lastMicroseconds only what came so shortly before the end
 */
export function selfTimes(
  { nodes, samples, timeDeltas }: CpuProfile,
  lastMicroseconds = Infinity,
): SelfTime[] {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const times = new Map<string, { name: string; place: string; microseconds: number }>()
  let left = timeDeltas.reduce((sum, delta) => sum + delta, 0)
  samples.forEach((id, at) => {
    left -= timeDeltas[at]!
    if (left > lastMicroseconds) return
    const { functionName, url } = frames.get(id)!
    if (functionName === '(idle)') return
    const name = functionName === '' ? '(anonymous)' : functionName
    const place = placeOf(url)
    const key = `${name} ${place}`
    const time = times.get(key) ?? { name, place, microseconds: 0 }
    times.set(key, time)
    // V8 dates a sample by what passed before it; now and then a step goes backwards.
    time.microseconds += Math.max(0, timeDeltas[at]!)
  })
  return [...times.values()].toSorted((a, b) => b.microseconds - a.microseconds)
}

/** Our files and Node's by their path inside, other packages' by their name: nothing of where they are on this machine. */
function placeOf(url: string): string {
  if (url === '') return 'native'
  const installed = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\/(.*)$/.exec(url)
  if (installed !== null) return `${installed[1]}: ${installed[2]!.split('/').at(-1)}`
  return /\/((?:dist|src|bench)\/.*)$/.exec(url)?.[1] ?? url.replace(/^file:.*\//, '')
}
