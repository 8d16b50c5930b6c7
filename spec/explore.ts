/**
 * Visits every interleaving of two parties, breadth first, so that what is found has the shortest path to it.
 *
 * Machines hide their state and cannot be copied; a world is therefore reached again by repeating the moves that led to it. That asks of
 * a world only that it is deterministic, and of `key` that worlds of one key behave alike.
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

export interface Exploration<World> {
  initial(): World
  /** Always the same moves in the same order for worlds of one key. */
  moves(world: World): readonly Move[]
  key(world: World): string
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
  readonly move: number
  readonly name: string
}

/** Visits every world that can be reached. */
export function explore<World>(exploration: Exploration<World>): Findings {
  const { initial, moves, key, isFinal, check, maxStates = 200_000 } = exploration
  const findings = {
    witnesses: new Map<string, Path>(),
    stalls: [] as Path[],
    refusals: [] as { path: Path; error: unknown }[],
    faults: [] as { path: Path; fault: string }[],
  }
  const root: Node = { parent: undefined, move: -1, name: '' }
  const seen = new Set([key(initial())])
  const queue = [root]
  let made = 0
  for (const node of queue) {
    const here = arrive(initial(), node, moves)
    const possible = moves(here)
    if (!isFinal(here) && possible.every(({ optional }) => optional === true))
      findings.stalls.push(pathOf(node))
    for (const [move, { name }] of possible.entries()) {
      made += 1
      // The first move may use the world we hold; the others need one of their own.
      const world = move === 0 ? here : arrive(initial(), node, moves)
      const next: Node = { parent: node, move, name }
      try {
        const witness = (move === 0 ? possible : moves(world))[move]!.apply()
        if (witness !== undefined && !findings.witnesses.has(witness))
          findings.witnesses.set(witness, pathOf(next))
      } catch (error) {
        findings.refusals.push({ path: pathOf(next), error })
        continue
      }
      const fault = check(world)
      if (fault !== undefined) findings.faults.push({ path: pathOf(next), fault })
      const reached = key(world)
      if (seen.has(reached)) continue
      if (seen.size >= maxStates) throw new Error(`more than ${maxStates} states`)
      seen.add(reached)
      queue.push(next)
    }
  }
  return { ...findings, states: seen.size, moves: made }
}

function arrive<World>(world: World, node: Node, moves: (world: World) => readonly Move[]): World {
  for (const move of indexes(node)) moves(world)[move]!.apply()
  return world
}

function indexes(node: Node): number[] {
  const found: number[] = []
  for (let at = node; at.parent !== undefined; at = at.parent) found.push(at.move)
  return found.reverse()
}

function pathOf(node: Node): Path {
  const found: string[] = []
  for (let at = node; at.parent !== undefined; at = at.parent) found.push(at.name)
  return found.reverse()
}
