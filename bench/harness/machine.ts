/**
 * Where figures were taken: enough to judge them, nothing that names the machine.
 *
 * @module
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'
import { delimiter, join } from 'node:path'

export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly memoryGiB: number
  readonly kernel: string
  readonly node: string
  /** Versions of the programs that take part. */
  readonly programs: Readonly<Record<string, string>>
}

export function describeMachine(): Machine {
  const programs = {
    nginx: versionOf('nginx', '-v'),
    wrk: versionOf('wrk', '-v'),
    ssh: versionOf('ssh', '-V'),
    curl: versionOf('curl', '--version'),
  }
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round((totalmem() / 2 ** 30) * 10) / 10,
    kernel: `${type()} ${release()}`,
    node: process.version,
    programs: Object.fromEntries(Object.entries(programs).filter(([, version]) => version)),
  }
}

/** Where a program is, also in the places that only the administrator's path names. */
export function findProgram(name: string): string | undefined {
  const places = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return places
    .map((place) => join(place, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

/** @throws Error that names the package to install */
export function needProgram(name: string, packageName = name): string {
  const path = findProgram(name)
  if (path === undefined) throw new Error(`${packageName} is not installed`)
  return path
}

function versionOf(name: string, flag: string): string {
  const path = findProgram(name)
  if (path === undefined) return ''
  const { stdout, stderr } = spawnSync(path, [flag], { encoding: 'utf8' })
  return /\d+(?:\.\d+)+\w*/.exec(`${stdout}${stderr}`)?.[0] ?? 'installed'
}
