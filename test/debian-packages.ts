/**
 * Programs that tests drive and npm does not bring. One list, `test/debian-packages`, is what
 * `.ci/run` installs and what a test says when a program is missing.
 *
 * @module
 */
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

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

/**
 * A suite that needs Debian packages. Where one is missing it is skipped and its title says why;
 * with `CI=true` that is a failure.
 */
export function describeWithPackages(
  title: string,
  debianPackages: readonly string[],
  suite: () => void,
  timeoutMs = 90_000,
): void {
  const missing = missingPackages(...debianPackages)
  if (missing === undefined) describe(title, { timeout: timeoutMs }, suite)
  else if (process.env['CI'] === 'true') test(title, () => expect.fail(missing))
  else describe.skip(`${title} (${missing})`, suite)
}
