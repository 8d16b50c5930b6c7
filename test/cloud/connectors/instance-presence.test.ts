/** Instances that know of each other. */
import { expect, test } from 'vitest'
import { MemoryPresence } from '../../../src/cloud/index.ts'
import { InstanceList } from '../../../src/cloud/connectors/instance-presence.ts'
import { noticeOf, presenceSuite } from '../../suites/presence.suite.ts'

const shared = new MemoryPresence()
presenceSuite('in memory', () => Promise.resolve(shared))

test('silence is told, and is no reason to forget an instance for ten minutes', () => {
  const list = new InstanceList()
  list.hear('far', noticeOf('far'), 1_000, 1_000)
  const stateAt = (now: number, isHearing = true) => list.known(now, isHearing)[0]?.state
  expect(stateAt(5_000)).toBe('serving')
  expect(stateAt(5_001)).toBe('silent')
  expect(stateAt(5_001, false)).toBe('unknown')
  expect(list.known(5_001, false, 'far')[0]?.state).toBe('serving')
  expect(stateAt(601_000)).toBe('silent')
  expect(stateAt(601_001)).toBeUndefined()
})

test('what is passed on late changes nothing that was said after it', () => {
  const list = new InstanceList()
  list.hear('far', noticeOf('far', { links: 2 }), 2_000, 2_000)
  list.hear('far', noticeOf('far', { links: 1 }), 1_000, 2_500)
  expect(list.known(3_000, true)).toMatchObject([{ links: 2, heardAt: 2_000 }])
  list.hear('far', undefined, 3_000, 3_000)
  list.hear('far', noticeOf('far'), 2_500, 3_100)
  expect(list.known(3_200, true)).toEqual([])
  list.hear('far', noticeOf('far', { links: 9 }), 4_000, 9_000, 4_500)
  expect(list.known(9_000, true)).toMatchObject([{ links: 9, heardAt: 4_500, state: 'silent' }])
})
