/**
 * The name that was probably meant by one that is not known.
 *
 * @module
 */

/**
 * Of the known names the one that this is most likely a slip of: another case or hyphenation, one
 * letter in three wrong at the most, or the beginning of it. `undefined`: it resembles none.
 */
export function probableName(written: string, known: readonly string[]): string | undefined {
  const folded = fold(written)
  let best: string | undefined
  let least = Infinity
  for (const name of known) {
    const steps = distance(folded, fold(name))
    if (steps < least) [best, least] = [name, steps]
  }
  const longer = Math.max(folded.length, fold(best ?? '').length)
  if (least <= Math.max(1, Math.floor(longer / 3)) && least < longer) return best
  const begun = known.filter((name) => isBegun(folded, fold(name)))
  return begun.length === 1 ? begun[0] : undefined
}

const fold = (name: string) => name.toLowerCase().replace(/[-_ ]/g, '')

/** Shorter beginnings are of too many names. */
const LEAST_BEGINNING = 4

function isBegun(one: string, other: string): boolean {
  const [short, long] = one.length < other.length ? [one, other] : [other, one]
  return short.length >= LEAST_BEGINNING && long.startsWith(short)
}

/** Letters to insert, remove, replace, or exchange with their neighbour. */
function distance(from: string, to: string): number {
  if (Math.abs(from.length - to.length) > MAX_DISTANCE) return Infinity
  let [beforeLast, last]: number[][] = [[], Array.from({ length: to.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= from.length; i++) {
    const row = [i]
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1] ? 0 : 1
      row[j] = Math.min(last![j]! + 1, row[j - 1]! + 1, last![j - 1]! + same)
      const isExchanged = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]
      if (isExchanged) row[j] = Math.min(row[j]!, beforeLast![j - 2]! + 1)
    }
    ;[beforeLast, last] = [last, row]
  }
  return last![to.length]!
}

/** No slip is longer, and a long text is not compared with every name. */
const MAX_DISTANCE = 8
