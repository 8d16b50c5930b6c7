/**
 * The reference of `app-proxy`: every command with its options, and the exit codes, from the table that the program itself reads.
 *
 * @module
 */
import { COMMANDS, GROUPS } from '../../src/cli/commands.ts'
import { inGroup, usageOf } from '../../src/cli/help.ts'
import { JSON_FLAG, type Command } from '../../src/cli/program/command.ts'
import { EXIT, EXIT_TEXTS, type ExitName } from '../../src/cli/program/exit-codes.ts'
import { COMMON_FLAGS, flagForm } from '../../src/cli/program/flags.ts'
import { markdownTable } from './tables.ts'

/** By the groups of the help. */
export function commandReference(): string {
  return Object.entries(GROUPS)
    .flatMap(([group, text]) => [
      `### ${group}: ${text}`,
      ...COMMANDS.filter((one) => inGroup(one, group)).map(section),
    ])
    .join('\n\n')
}

/** Options that all commands take. */
export const commonOptions = () => optionTable({ ...JSON_FLAG, ...COMMON_FLAGS })

export const exitCodes = () =>
  markdownTable(
    ['code', 'what it says'],
    Object.entries(EXIT_TEXTS).map(([name, text]) => [String(EXIT[name as ExitName]), text]),
  )

function section(command: Command): string {
  const { words, summary, text, flags, examples } = command
  return [
    `#### ${words}`,
    `${summary[0]!.toUpperCase()}${summary.slice(1)}.`,
    ['```text', usageOf(command).replace('usage: ', ''), '```'].join('\n'),
    ...(Object.keys(flags).length === 0 ? [] : [optionTable(flags)]),
    ...text.map((paragraph) => paragraph.replace(/[<>]/g, '\\$&')),
    ...(examples.length === 0
      ? []
      : [['```sh', ...examples.map((line) => `npx app-proxy ${line}`), '```'].join('\n')]),
  ].join('\n\n')
}

function optionTable(flags: Command['flags']): string {
  return markdownTable(
    ['option', 'what it is'],
    Object.entries(flags).map(([name, flag]) => {
      const form = `\`${flagForm(name, flag)}\``
      return [flag.isRequired ? `**${form}**` : form, flag.text]
    }),
  )
}
