/**
 * The command line of a program: what its options are, and what is wrong with those that it was
 * given.
 */
import * as v from 'valibot'
import { checkConfiguration } from 'app-proxy/connector'
import { ConfigurationInvalid, type ConfigurationMistake } from 'app-proxy/protocol'
import type { Surroundings } from './program.ts'

/** An option: `--name`, or `--name VALUE` and `--name=VALUE`. */
export interface Flag {
  /** What its value is called. Default: it has none, and is on when it is there. */
  readonly value?: string
  /** Default false. */
  readonly isRequired?: boolean
  /** Whether it may be given more than once. Default false. */
  readonly isMany?: boolean
  /** What it is for. */
  readonly text: string
}

/** What the options of a program are set to. */
export type FlagValues<F extends Readonly<Record<string, Flag>>> = {
  readonly [K in keyof F]: F[K] extends { readonly isMany: true }
    ? readonly string[]
    : F[K] extends { readonly value: string }
      ? F[K] extends { readonly isRequired: true }
        ? string
        : string | undefined
      : boolean
}

export const COMMON_FLAGS = {
  verbose: { text: 'show where in the program something went wrong' },
  help: { text: 'print this' },
} as const satisfies Record<string, Flag>

/**
 * Reads the command line. `undefined`: help was asked for, and given.
 *
 * `node:util` has a parser of options; it stops at the first mistake, and takes the option behind
 * one whose value is missing for that value.
 *
 * @param usage how the program is called, such as `node --import tsx examples/sts.ts`; or makes its
 *   help
 * @param names what else it is given, without `--` before it
 * @throws ConfigurationInvalid with all mistakes; the path of each is the option
 */
export function readFlags<F extends Readonly<Record<string, Flag>>>(
  { argv, say }: Pick<Surroundings, 'argv' | 'say'>,
  usage: string | (() => string),
  own: F,
  names: readonly string[] = [],
): (FlagValues<F> & { readonly given: readonly string[] }) | undefined {
  const flags: Readonly<Record<string, Flag>> = { ...own, ...COMMON_FLAGS }
  const mistakes: ConfigurationMistake[] = []
  const tell = (path: string, detail: string) => mistakes.push({ path, detail })
  const given: string[] = []
  const values: Record<string, string | string[] | true> = {}
  const left = [...argv]
  while (left.length > 0) {
    const word = left.shift()!
    const written = word === '-h' ? '--help' : word
    if (/^-[^-]/.test(written)) {
      // It may be a secret that was pasted in the wrong place.
      tell(written.slice(0, 2), 'is not known here: options begin with "--"')
      continue
    }
    if (!written.startsWith('--')) {
      given.push(written)
      continue
    }
    const [, name = '', value] = /^(--[^=]*)(?:=(.*))?$/s.exec(written) ?? []
    const flag = flags[name.slice(2)]
    const isValueNext = value === undefined && left.length > 0 && !left[0]!.startsWith('--')
    if (flag?.value === undefined) {
      if (flag !== undefined && value !== undefined) tell(name, 'takes no value')
      // One that is not known most likely has a value, as its neighbour has.
      if (flag === undefined && isValueNext) left.shift()
      values[name] = true
      continue
    }
    const before = values[name]
    const read = value ?? (isValueNext ? left.shift()! : undefined)
    if (read === undefined) tell(name, `needs a value behind it: ${flag.value}`)
    if (before !== undefined && !flag.isMany) tell(name, 'is given twice')
    values[name] = flag.isMany ? [...((before as string[]) ?? []), read ?? '?'] : (read ?? '?')
  }
  if (values['--help'] === true) {
    say(typeof usage === 'string' ? usageOf(usage, flags, names) : usage())
    return undefined
  }
  // What it is may be a secret that was pasted in the wrong place.
  if (given.length > names.length)
    tell(`argument ${names.length + 1}`, 'is more than this program takes')
  for (const name of names.slice(given.length)) tell(name, 'is missing')
  tellUnknown(values, flags, mistakes)
  if (mistakes.length > 0) throw new ConfigurationInvalid(mistakes)
  const known = Object.entries(flags).map(([name, flag]) => {
    const absent = flag.isMany ? [] : flag.value === undefined ? false : undefined
    return [name, values[`--${name}`] ?? absent]
  })
  return { ...(Object.fromEntries(known) as FlagValues<F>), given }
}

/**
 * The value of `--port`, or of another option for a port.
 *
 * @throws ConfigurationInvalid
 */
export function readPort(text: string, path = '--port'): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text)
  const detail = 'must be a number from 0 to 65535'
  throw new ConfigurationInvalid([{ path, detail, value: JSON.stringify(text) }])
}

function tellUnknown(
  values: object,
  flags: Readonly<Record<string, Flag>>,
  mistakes: ConfigurationMistake[],
): void {
  const entries = Object.entries(flags).map(([name, { value, isMany, isRequired }]) => {
    const text = v.pipe(v.string(), v.minLength(1))
    const shape = value === undefined ? v.literal(true) : isMany ? v.array(text) : text
    return [`--${name}`, isRequired ? shape : v.optional(shape as v.GenericSchema)]
  })
  try {
    checkConfiguration(v.strictObject(Object.fromEntries(entries) as v.ObjectEntries), values)
  } catch (error) {
    if (!(error instanceof ConfigurationInvalid)) throw error
    // Of one that may be given more than once, the option is told, and not which it was.
    for (const { path, ...one } of error.mistakes)
      mistakes.push({ path: path.replace(/\[\d+\]$/, ''), ...one })
  }
}

function usageOf(
  usage: string,
  flags: Readonly<Record<string, Flag>>,
  names: readonly string[],
): string {
  return [`usage: ${[usage, ...names].join(' ')} [options]`, '', ...flagLines(flags)].join('\n')
}

/** A line for each option. */
export function flagLines(flags: Readonly<Record<string, Flag>>): readonly string[] {
  return aligned(
    Object.entries(flags).map(([name, flag]) => [
      flagForm(name, flag),
      flag.isRequired ? `${flag.text} (required)` : flag.text,
    ]),
  )
}

/** An option with what its value is called. */
export const flagForm = (name: string, { value }: Flag) =>
  `--${name}${value === undefined ? '' : ` ${value}`}`

/** Two columns. */
export function aligned(rows: readonly (readonly [string, string])[]): readonly string[] {
  const width = Math.max(0, ...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
}
