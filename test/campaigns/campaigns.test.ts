/** The runner, and what it has recorded. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { atLeast, atMost, exactly } from './campaign.ts'
import type { CampaignRecord } from './record.ts'

const HERE = fileURLToPath(new URL('./', import.meta.url))
const recorded = readdirSync(HERE).includes('recorded') ? readdirSync(`${HERE}recorded`) : []

test('a figure is judged by what is wanted', () => {
  expect([exactly('x', 0, 0), exactly('x', 1, 0)].map(({ isGood }) => isGood)).toEqual([
    true,
    false,
  ])
  expect([atLeast('x', 2, 2), atLeast('x', 1, 2)].map(({ isGood }) => isGood)).toEqual([
    true,
    false,
  ])
  expect([atMost('x', 2, 2), atMost('x', 3, 2)].map(({ isGood }) => isGood)).toEqual([true, false])
})

test('the runner says what there is when it is asked for what there is not', () => {
  const run = spawnSync(process.execPath, ['--import', 'tsx', `${HERE}main.ts`, 'nothing'])
  expect(run.status).toBe(2)
  expect(run.stderr.toString()).toContain('campaigns:')
})

test('every campaign can be loaded outside of a test', () => {
  const own = ['campaign.ts', 'main.ts', 'record.ts']
  const files = readdirSync(HERE).filter((file) => /^[a-z0-9-]+\.ts$/.test(file))
  const loads = files
    .filter((file) => !own.includes(file))
    .map((file) => `await import(${JSON.stringify(`file://${HERE}${file}`)})`)
  const script = `${loads.join('\n')}\nprocess.exit(0)`
  const options = ['--import', 'tsx', '--input-type=module', '-e', script]
  const { status, stderr } = spawnSync(process.execPath, options, { cwd: HERE })
  expect(status, stderr.toString()).toBe(0)
}, 60_000)

test.each(recorded)('%s tells its commit and its machine, and is good', (file) => {
  const record = JSON.parse(readFileSync(`${HERE}recorded/${file}`, 'utf8')) as CampaignRecord
  expect(record.commit).toMatch(/^[0-9a-f]{40}$/)
  expect(record.machine.cores).toBeGreaterThan(0)
  expect(record.figures.length).toBeGreaterThan(0)
  expect(record.figures.every(({ isGood }) => isGood)).toBe(true)
})
