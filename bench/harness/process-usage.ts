/**
 * What processes have used, from `/proc`. Elsewhere than on Linux there is none: the columns stay empty.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs'
import type { Child } from './child.ts'

const MICROSECONDS_PER_TICK = 10_000 // USER_HZ is 100 on every Linux that Node runs on

/** Of all the processes, and all that they started: processor time in user and system mode. Microseconds. */
export function processorMicroseconds(children: readonly Child[]): number | undefined {
  return sum(children, (pid) => {
    const fields = statOf(pid)
    return (Number(fields[11]) + Number(fields[12])) * MICROSECONDS_PER_TICK
  })
}

/** The most resident memory each of them ever had, added up. Bytes. */
export function peakBytes(children: readonly Child[]): number | undefined {
  return sum(children, (pid) => statusBytes(pid, 'VmHWM'))
}

/** Resident memory now. Bytes. */
export function residentBytes(children: readonly Child[]): number | undefined {
  return sum(children, (pid) => statusBytes(pid, 'VmRSS'))
}

function sum(children: readonly Child[], of: (pid: number) => number): number | undefined {
  if (process.platform !== 'linux' || children.length === 0) return undefined
  return tree(children.map(({ pid }) => pid)).reduce((total, pid) => total + of(pid), 0)
}

/** The processes, and what descends from them. */
function tree(roots: readonly number[]): number[] {
  const found = new Set(roots)
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        return [[Number(name), Number(statOf(Number(name))[1])] as const]
      } catch {
        return [] // ended meanwhile
      }
    })
  for (let before = 0; before !== found.size;) {
    before = found.size
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid)
  }
  return [...found]
}

/** The fields after the name, which may itself hold blanks: state, parent, … */
function statOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(') ') + 2).split(' ')
}

function statusBytes(pid: number, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024
}
