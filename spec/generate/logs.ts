/**
 * The tables of what the two programs write on standard error, as the docs show them.
 *
 * @module
 */
import { CLOUD_LOG } from '../../src/cli/cloud/log.ts'
import { CONNECTOR_LOG } from '../../src/cli/connector/log.ts'
import { LOG_LEVELS, type LogLevel } from '../../src/cli/program/log.ts'
import { markdownTable } from './tables.ts'

export const cloudLog = (): string => logTable(CLOUD_LOG)
export const connectorLog = (): string => logTable(CONNECTOR_LOG)

interface Row {
  readonly level: LogLevel | Readonly<Record<string, LogLevel>>
  readonly what: string
}

/** What somebody has to act on comes first. */
function logTable(rows: Readonly<Record<string, Row>>): string {
  const byLevel = LOG_LEVELS.flatMap((level) =>
    Object.entries(rows).filter(([, row]) => levelsOf(row)[0]!.level === level),
  )
  return markdownTable(
    ['type', 'level', 'what'],
    byLevel.map(([type, row]) => [
      `\`${type}\``,
      levelsOf(row).map(levelWords).join('; '),
      row.what,
    ]),
  )
}

interface LevelOfStates {
  readonly level: LogLevel
  readonly states: readonly string[]
}

/** The gravest first. */
function levelsOf({ level }: Row): readonly LevelOfStates[] {
  if (typeof level === 'string') return [{ level, states: [] }]
  return LOG_LEVELS.flatMap((one) => {
    const states = Object.keys(level).filter((state) => level[state] === one)
    return states.length === 0 ? [] : [{ level: one, states }]
  })
}

const levelWords = ({ level, states }: LevelOfStates) =>
  states.length === 0
    ? `\`${level}\``
    : `\`${level}\`: ${states.map((state) => `\`${state}\``).join(', ')}`
