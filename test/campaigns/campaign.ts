/**
 * A campaign is a trial that is too long, or needs too much, for every change: it runs by `npm run campaign -- NAME`, judges its own figures, and what it found is
 * recorded beside it. What it proves in short is a test of its own.
 */

/** One thing that was found, and whether it is good enough. */
export interface Figure {
  readonly name: string
  readonly value: number | string
  /** In words, as it is judged: `0`, `at most 12`. */
  readonly wanted: string
  readonly isGood: boolean
}

/** What a file of `test/campaigns` exports as `campaign`. */
export interface Campaign {
  /** One sentence: what is tried, with what. */
  readonly title: string
  /** Why it cannot run here; absent or undefined: it can. */
  readonly missing?: () => string | undefined
  /** Runs it; whatever it started has ended when the promise settles. `say` tells the user how far it is. */
  run(say: (line: string) => void): Promise<readonly Figure[]>
}

export const exactly = (name: string, value: number, wanted: number): Figure => ({
  ...{ name, value, wanted: String(wanted) },
  isGood: value === wanted,
})

export const atLeast = (name: string, value: number, wanted: number): Figure => ({
  ...{ name, value, wanted: `at least ${wanted}` },
  isGood: value >= wanted,
})

export const atMost = (name: string, value: number, wanted: number): Figure => ({
  ...{ name, value, wanted: `at most ${wanted}` },
  isGood: value <= wanted,
})
