import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'app-proxy-reporter-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

test.each([
  ['tests that pass', `test('a', () => {})`, '1 passed, 0 failed', 0],
  [
    'a test that fails',
    `test('a', () => {}); test('b', () => { throw 1 })`,
    '1 passed, 1 failed',
    1,
  ],
  [
    'a test that is skipped',
    `test('a', () => {}); test.skip('b')`,
    '1 passed, 0 failed, 1 skipped',
    0,
  ],
  ['a file that does not load', `throw new Error()`, '0 passed, 1 failed', 1],
  [
    'an error outside of a test',
    `test('a', () => { setTimeout(() => { throw 1 }); return new Promise((r) => setTimeout(r, 20)) })`,
    '1 passed, 1 failed',
    1,
  ],
])('%s: the very last line', async (_, source, line, code) => {
  await writeFile(join(directory, 'only.test.js'), source)
  const result = await vitest()
  expect(result.output.trimEnd().split('\n').at(-1)).toBe(line)
  expect(result.code).toBe(code)
})

/** Runs the tests of the directory with our reporter; what it prints on either stream, in order. */
function vitest(): Promise<{ output: string; code: number }> {
  const reporter = join(ROOT, 'test/closing-line-reporter.ts')
  const command = `"${join(ROOT, 'node_modules/.bin/vitest')}" run --globals --root "${directory}" --reporter default --reporter "${reporter}" 2>&1`
  return new Promise((resolve) => {
    const child = execFile('sh', ['-c', command], { cwd: directory }, (_error, output) =>
      resolve({ output, code: child.exitCode! }),
    )
  })
}
