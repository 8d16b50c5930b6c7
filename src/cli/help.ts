/**
 * What `app-proxy` says of itself, at every level: made from the commands.
 */
import { JSON_FLAG, type Command } from './program/command.ts'
import { EXIT, EXIT_TEXTS, type ExitName } from './program/exit-codes.ts'
import { aligned, COMMON_FLAGS, flagForm, flagLines } from './program/flags.ts'
import { COMMANDS, GROUPS } from './commands.ts'

const NAME = 'app-proxy'

/** A column of text is read best where lines are not longer. */
const WIDTH = 96

/** `words`: none, a group's, or a command's. `undefined`: there is no such. */
export function helpOn(words: readonly string[]): string | undefined {
  const asked = words.join(' ')
  if (asked === '') return overview()
  if (asked === 'exit-codes') return exitCodes()
  const found = COMMANDS.find((one) => one.words === asked)
  if (found !== undefined) return commandHelp(found)
  return COMMANDS.some((one) => inGroup(one, asked)) ? groupHelp(asked) : undefined
}

function overview(): string {
  const groups = Object.entries(GROUPS).flatMap(([group, text]) => [
    `${group}: ${text}`,
    ...summaries(COMMANDS.filter((one) => inGroup(one, group))),
    '',
  ])
  return [
    `${NAME} publishes private web applications to signed-in users without one open inbound port.`,
    '',
    `usage: ${NAME} COMMAND [options]`,
    '',
    ...groups,
    `${NAME} COMMAND --help     what a command takes, with examples`,
    `${NAME} help exit-codes    what its exit codes mean`,
    `${NAME} --version          which version it is`,
    '',
    'To begin: a cloud on this machine, and a connector that is registered at it by a ticket.',
    '',
    `  ${NAME} cloud init --dir cloud`,
    `  ${NAME} cloud run --config cloud/cloud.jsonc`,
  ].join('\n')
}

function groupHelp(group: string): string {
  return [
    group in GROUPS ? `${NAME} ${group}: ${GROUPS[group]}` : `${NAME} ${group}`,
    '',
    ...summaries(COMMANDS.filter((one) => inGroup(one, group))),
    '',
    `${NAME} ${group} COMMAND --help says what each takes.`,
  ].join('\n')
}

function commandHelp({ words, summary, text, flags, names, examples }: Command): string {
  return [
    `${NAME} ${words}: ${summary}`,
    '',
    usageOf({ words, names, flags }),
    '',
    ...flagLines({ ...flags, ...JSON_FLAG, ...COMMON_FLAGS }),
    ...text.flatMap((paragraph) => ['', ...wrapped(paragraph)]),
    ...(examples.length === 0 ? [] : ['', 'examples']),
    ...examples.map((line) => `  ${NAME} ${line}`),
  ].join('\n')
}

function exitCodes(): string {
  const rows = Object.entries(EXIT_TEXTS).map(
    ([name, text]) => [String(EXIT[name as ExitName]), text] as const,
  )
  return ['exit codes', '', ...aligned(rows)].join('\n')
}

/** The options that must be given, and that there are others. */
export function usageOf({ words, names, flags }: Pick<Command, 'words' | 'names' | 'flags'>) {
  const required = Object.entries(flags)
    .filter(([, flag]) => flag.isRequired)
    .map(([name, flag]) => flagForm(name, flag))
  return `usage: ${[NAME, words, ...names, ...required, '[options]'].join(' ')}`
}

/** Whether a command is of those that begin with these words, or is these. */
export const inGroup = ({ words }: Command, group: string) =>
  words === group || words.startsWith(`${group} `)

const summaries = (commands: readonly Command[]) =>
  aligned(commands.map(({ words, summary }) => [words, summary]))

function wrapped(paragraph: string): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of paragraph.split(' ')) {
    if (line !== '' && line.length + word.length >= WIDTH) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
