/**
 * Programs that tests drive and npm does not bring. One list, `test/debian-packages`, is what
 * `.ci/run` installs and what a test says when a program is missing.
 *
 * @module
 */
import { describe, expect, test } from 'vitest'
import { fileOf, missingPackages } from './debian-package-files.ts'

export { fileOf, missingPackages }

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
