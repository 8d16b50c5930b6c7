/**
 * Visits every interleaving of two parties, breadth first, so that what is found has the shortest path to it.
 *
 * A world is saved as one plain value and restored before each of its moves: nothing is repeated, and one set of machines visits all worlds.
 * Worlds are the same if their saved values are: there is nothing else to remember, hence nothing that a key could leave out.
 *
 * @module
 */

/** Something that may happen now. */
export interface Move {
  readonly name: string
  /** Nobody need ever do it: a user may leave, and may also stay. Progress must not depend on it. */
  readonly optional?: boolean
  /** Makes it happen; may name what it is a witness of. */
  apply(): string | undefined
}

export interface Exploration<World, Saved> {
  /** The machines, and what the test remembers beside them; made once. */
  initial(): World
  /** All of it as one plain value, which later moves do not change. */
  save(world: World): Saved
  restore(world: World, saved: Saved): void
  /** What may happen now. The moves are kept while the world is restored before each. */
  moves(world: World): readonly Move[]
  /** Nothing more need happen. */
  isFinal(world: World): boolean
  /** What is wrong with a world, or `undefined`. */
  check(world: World): string | undefined
  /** Default 200 000: more means that the bounds are too wide. */
  readonly maxStates?: number
}

/** The names of the moves that lead there. */
export type Path = readonly string[]

export interface Findings {
  readonly states: number
  readonly moves: number
  /** What was seen, each with the shortest path to it. */
  readonly witnesses: ReadonlyMap<string, Path>
  /** Worlds that are not final and where nothing need happen. */
  readonly stalls: readonly Path[]
  /** Moves that a machine refused, although everybody was polite. */
  readonly refusals: readonly { readonly path: Path; readonly error: unknown }[]
  /** Worlds with a fault. */
  readonly faults: readonly { readonly path: Path; readonly fault: string }[]
}

/** How a world was reached first. */
interface Node {
  readonly parent: Node | undefined
  readonly name: string
}

/** Visits every world that can be reached. */
export function explore<World, Saved>(exploration: Exploration<World, Saved>): Findings {
  // An error is told by the path to it; the stacks of those that worlds make and drop take a tenth of the time.
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return visit(exploration)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

function visit<World, Saved>(exploration: Exploration<World, Saved>): Findings {
  const { initial, save, restore, moves, isFinal, check, maxStates = 200_000 } = exploration
  const findings = {
    witnesses: new Map<string, Path>(),
    stalls: [] as Path[],
    refusals: [] as { path: Path; error: unknown }[],
    faults: [] as { path: Path; fault: string }[],
  }
  const world = initial()
  const first = save(world)
  const seen = new Set([keyOf(first)])
  let layer: [Node, Saved][] = [[{ parent: undefined, name: '' }, first]]
  let made = 0
  while (layer.length > 0) {
    const next: [Node, Saved][] = []
    for (const [node, saved] of layer) {
      restore(world, saved)
      const possible = moves(world)
      if (!isFinal(world) && possible.every(({ optional }) => optional === true))
        findings.stalls.push(pathOf(node))
      for (const [index, { name, apply }] of possible.entries()) {
        made += 1
        if (index > 0) restore(world, saved)
        const here: Node = { parent: node, name }
        try {
          const witness = apply()
          if (witness !== undefined && !findings.witnesses.has(witness))
            findings.witnesses.set(witness, pathOf(here))
        } catch (error) {
          findings.refusals.push({ path: pathOf(here), error })
          continue
        }
        const fault = check(world)
        if (fault !== undefined) findings.faults.push({ path: pathOf(here), fault })
        const reached = save(world)
        const key = keyOf(reached)
        if (seen.has(key)) continue
        if (seen.size >= maxStates) throw new Error(`more than ${maxStates} states`)
        seen.add(key)
        next.push([here, reached])
      }
    }
    layer = next
  }
  return { ...findings, states: seen.size, moves: made }
}

function pathOf(node: Node): Path {
  const found: string[] = []
  for (let at = node; at.parent !== undefined; at = at.parent) found.push(at.name)
  return found.reverse()
}

/** All worlds of one exploration have the same fields in the same order: the values alone tell them apart. */
function keyOf(saved: unknown): string {
  const values: unknown[] = []
  gather(saved, values)
  return values.join(' ')
}

function gather(value: unknown, into: unknown[]): void {
  if (typeof value !== 'object' || value === null) return void into.push(value)
  if (Array.isArray(value)) into.push(value.length)
  for (const name in value) gather((value as Readonly<Record<string, unknown>>)[name], into)
}
