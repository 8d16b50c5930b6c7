import { expect, test } from 'vitest'
import { drifted } from './generate/files.ts'
import { proves, requirementTests, unproven } from './generate/requirements.ts'
import { REQUIREMENTS } from './requirements.ts'

test('every generated file is as `npm run generate` makes it', async () =>
  expect(await drifted()).toEqual([]))

test('every requirement that is not for later has a test', async () =>
  expect(unproven(await requirementTests()).map(({ id, text }) => `${id} ${text}`)).toEqual([]))

test('every test that names a requirement names one that exists', async () => {
  const unknown = (await requirementTests()).filter(
    ({ id }) => !REQUIREMENTS.some((requirement) => proves(id, requirement)),
  )
  expect(unknown).toEqual([])
})

test('no two requirements have one id', () => {
  const ids = REQUIREMENTS.map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
})
