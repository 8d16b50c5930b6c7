/** What a campaign leaves: its figures, and of which commit and machine they are. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describeMachine, type Machine } from '../../bench/harness/machine.ts'
import type { Figure } from './campaign.ts'

export interface CampaignRecord {
  readonly title: string
  readonly commit: string
  /** UTC, `YYYY-MM-DD`. */
  readonly day: string
  readonly seconds: number
  readonly machine: Machine
  readonly figures: readonly Figure[]
}

export function recordOf(
  title: string,
  startedAt: Date,
  figures: readonly Figure[],
): CampaignRecord {
  return {
    title,
    commit: git('rev-parse', 'HEAD'),
    day: startedAt.toISOString().slice(0, 10),
    seconds: Math.round((Date.now() - startedAt.getTime()) / 1000),
    machine: describeMachine(),
    figures,
  }
}

export function save(name: string, record: CampaignRecord): void {
  const folder = fileURLToPath(new URL('./recorded/', import.meta.url))
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}${name}.json`, `${JSON.stringify(record, null, 2)}\n`)
}

/** Files that differ from the commit, as git tells them. */
export const uncommitted = () => git('status', '--porcelain')

function git(...args: readonly string[]): string {
  const cwd = fileURLToPath(new URL('./', import.meta.url))
  const { status, stdout } = spawnSync('git', args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`git ${args[0]} failed`)
  return stdout.trim()
}
