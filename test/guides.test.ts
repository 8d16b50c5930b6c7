/** What the guides say in JSON and in codes is what the sources take and give. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import * as v from 'valibot'
import { CloudServerConfiguration } from '../src/cli/cloud/configuration.ts'
import { createDirectory } from '../src/cloud/index.ts'
import { PROBLEM_TYPE } from '../src/cloud/pages/problem.ts'
import { ALL_ANSWERS } from './cloud/pages/all-answers.ts'

const guide = (name: string) => readFileSync(new URL(`../docs/${name}`, import.meta.url), 'utf8')

test.each(['configuration.md', 'two-machines.md'])('the file in %s is taken', (name) => {
  const [, json] = /```json\n([^]*?)```/.exec(guide(name))!
  const { directory } = v.parse(CloudServerConfiguration, JSON.parse(json!))
  expect(createDirectory(directory).applications()).toHaveLength(1)
})

describe('the error catalogue', () => {
  const headings = new Set([...guide('errors.md').matchAll(/^### (.+)$/gm)].map(([, text]) => text))

  // There the two codes of one name are told apart.
  const answers = ALL_ANSWERS.filter(
    ({ status, code }) => status >= 400 && code !== 'internal-at-sign-in',
  )
  test.each(answers)('has $code', ({ code }) => {
    expect(headings).toContain(code)
  })

  test('says what the type of a problem begins with', () => {
    expect(guide('errors.md')).toContain(`\`${PROBLEM_TYPE}CODE\``)
  })
})
