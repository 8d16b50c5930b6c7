/**
 * A command: its words, its options, what it does. Help, the page in the docs and the command line
 * are read from the same table.
 */
import type { Flag, FlagValues } from './flags.ts'
import type { Surroundings } from './program.ts'

export type Flags = Readonly<Record<string, Flag>>

/** What a command is given: its options, and what stands without `--`. */
export type Given<F extends Flags> = FlagValues<F & typeof JSON_FLAG> & {
  readonly given: readonly string[]
}

/** Every command takes it. */
export const JSON_FLAG = {
  json: { text: 'answer in JSON, and tell mistakes in it' },
} as const satisfies Flags

export interface Command {
  /** As they are typed: `connector run`. */
  readonly words: string
  /** One line, without a full stop. */
  readonly summary: string
  /** Paragraphs. */
  readonly text: readonly string[]
  readonly flags: Flags
  /** What stands without `--`, in this order. */
  readonly names: readonly string[]
  /** Command lines, without `app-proxy`. */
  readonly examples: readonly string[]
  /** Resolves with the exit code. */
  readonly run: (given: never, surroundings: Surroundings) => Promise<number>
}

/** Options of {@link command}. */
export interface CommandOptions<F extends Flags> {
  readonly words: string
  readonly summary: string
  readonly text?: readonly string[]
  readonly flags: F
  readonly names?: readonly string[]
  readonly examples?: readonly string[]
  /** Loads what it needs then: help does not wait for a cloud. */
  readonly run: (given: Given<F>, surroundings: Surroundings) => Promise<number>
}

export function command<const F extends Flags>(options: CommandOptions<F>): Command {
  return { text: [], names: [], examples: [], ...options }
}
