/**
 * Finds the command that is asked for, and runs it.
 */
import * as v from 'valibot'
import { checkConfiguration } from 'app-proxy/connector'
import { COMMANDS } from './commands.ts'
import { helpOn } from './help.ts'
import { JSON_FLAG, type Command } from './program/command.ts'
import { CommandFailed } from './program/exit-codes.ts'
import { readFlags } from './program/flags.ts'
import { exitCodeOf, type Surroundings } from './program/program.ts'
import { ownVersion } from './program/version.ts'

/** Resolves with the exit code. */
export async function cli(surroundings: Surroundings): Promise<number> {
  const { argv, say } = surroundings
  const [first = '', ...rest] = argv
  if (first === '--version') {
    say(ownVersion())
    return 0
  }
  if (first === 'help' || first === '--help' || first === '-h') {
    const words = rest.filter((word) => !word.startsWith('-'))
    say(helpOn(words) ?? unknown(words))
    return 0
  }
  const found = commandOf(argv)
  if (found === undefined) return group(argv, say)
  const name = `app-proxy ${found.words}`
  const given = argv.slice(found.words.split(' ').length)
  return exitCodeOf(name, (inner) => run(found, inner), { ...surroundings, argv: given })
}

async function run(command: Command, surroundings: Surroundings): Promise<number> {
  const { words, flags, names } = command
  const given = readFlags(
    surroundings,
    () => helpOn(words.split(' '))!,
    { ...flags, ...JSON_FLAG },
    names,
  )
  return given === undefined ? 0 : command.run(given as never, surroundings)
}

/** Words of a command may be a beginning of another's: the longest counts. */
function commandOf(argv: readonly string[]): Command | undefined {
  const matching = COMMANDS.filter(({ words }) =>
    words.split(' ').every((word, i) => argv[i] === word),
  )
  return matching.sort((a, b) => b.words.length - a.words.length)[0]
}

/** No command, or words that several begin with: their help; code 0 where it was asked for. */
function group(argv: readonly string[], say: (line: string) => void): number {
  const end = argv.findIndex((word) => word.startsWith('-'))
  const words = end < 0 ? argv : argv.slice(0, end)
  const isAsked = argv.some((word) => word === '--help' || word === '-h')
  const help = helpOn(words) ?? unknown(words)
  if (!isAsked) throw new CommandFailed('usage', ['a command is missing', ...help.split('\n')])
  say(help)
  return 0
}

/** Tells the first word that leads to no command, and nothing of what stands behind it. */
function unknown(words: readonly string[]): never {
  const begin = (count: number) =>
    COMMANDS.map((one) => one.words.split(' ')).filter((command) =>
      command.slice(0, count).every((word, i) => word === words[i]),
    )
  const at = words.findIndex((_, i) => begin(i + 1).length === 0)
  const known = [...new Set(begin(at).map((command) => command[at]!))]
  const shape = v.strictObject(Object.fromEntries(known.map((word) => [word, v.optional(v.any())])))
  return checkConfiguration(shape, { [words[at]!]: true }) as never
}
