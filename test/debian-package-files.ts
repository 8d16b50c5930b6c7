/**
 * Where the programs of `test/debian-packages` are. Not only tests import this.
 *
 * @module
 */
import { existsSync, readFileSync } from 'node:fs'

const files = new Map(
  readFileSync(new URL('debian-packages', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(/\s+/) as [string, string]),
)

/**
 * The file of a package in the list, the program as a rule.
 *
 * @throws TypeError when the list does not name the package: `.ci/run` would not install it
 */
export function fileOf(debianPackage: string): string {
  const file = files.get(debianPackage)
  if (file === undefined) throw new TypeError(`test/debian-packages lacks ${debianPackage}`)
  return file
}

/** Why tests that need these packages cannot run here. `undefined`: they can. */
export function missingPackages(...debianPackages: readonly string[]): string | undefined {
  const missing = debianPackages.filter((name) => !existsSync(fileOf(name)))
  if (missing.length === 0) return undefined
  const installed = missing.length === 1 ? 'is not installed' : 'are not installed'
  return `${missing.join(', ')} ${installed}: apt-get install ${missing.join(' ')}`
}
