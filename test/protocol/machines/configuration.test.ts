import { expect, test } from 'vitest'
import {
  nextConfiguration,
  unconfigured,
  type ConfigurationEvent,
  type ConfigurationState,
} from '../../../src/protocol/machines/configuration.ts'
import { TIME_LIMITS } from '../../../src/protocol/wire/limits.ts'
import type { ConnectorConfiguration } from '../../../src/protocol/wire/messages.ts'

const configuration: ConnectorConfiguration = {
  version: 'v1',
  groupId: 'group-1',
  groupName: 'Group 1',
  instances: {},
  pullEveryMs: 100_000,
  renewAfterMs: 1,
}
const EVENTS = {
  hint: { type: 'hint', now: 0 },
  timeout: { type: 'timeout', now: 0, random: 0.5 },
  unfit: { type: 'unfit', now: 0, random: 0.5, applied: { version: 'v2', error: 'no' } },
  failed: { type: 'failed', now: 0, random: 0.5 },
  changed: { type: 'changed', now: 0, random: 0.5, configuration },
  unchanged: { type: 'unchanged', now: 0, random: 0.5 },
} as const satisfies Record<string, ConfigurationEvent>

function trace(...events: readonly (keyof typeof EVENTS | ConfigurationEvent)[]) {
  const pulls: unknown[] = []
  let state: ConfigurationState = unconfigured(TIME_LIMITS)
  for (const event of events)
    state = nextConfiguration(state, typeof event === 'string' ? EVENTS[event] : event, {
      pull: (op, have, applied) => pulls.push({ op, have, applied }),
      apply: () => undefined,
    })
  return { state, pulls }
}

test('nothing is pulled before the first hint', () => {
  expect(trace().state).toMatchObject({ deadline: Infinity })
})

test('the next pull is due in one period, ± 20 %', () => {
  const due = (random: number) => trace('hint', { ...EVENTS.changed, random }).state.deadline
  expect([due(0), due(0.5), due(1)].map(Math.round)).toEqual([80_000, 100_000, 120_000])
})

test('after failures it is due sooner, more slowly each time, and never later than a period', () => {
  const due = (failures: number) =>
    trace(
      'hint',
      'changed',
      ...(Array(failures).fill(['hint', 'failed']).flat() as ('hint' | 'failed')[]),
    ).state.deadline
  expect([1, 2, 3, 4].map(due)).toEqual([250, 500, 1000, 2000])
  expect(due(2000)).toBe(15_000)
})

test('a cloud that names a time is not asked before', () => {
  const { state } = trace('hint', { ...EVENTS.failed, retryAfterMs: 60_000 })
  expect(state).toMatchObject({ state: 'unconfigured', deadline: 60_000 })
})

test('a hint during a pull makes the next one due at once', () => {
  expect(trace('hint', 'hint', 'changed').state.deadline).toBe(0)
})

test('what became of a version is told until somebody has heard it', () => {
  const { pulls } = trace('hint', 'changed', 'hint', 'failed', 'hint', 'unchanged', 'hint')
  const applied = { version: 'v1' }
  expect(pulls.slice(1)).toMatchObject([
    { have: 'v1', applied },
    { have: 'v1', applied },
    { have: 'v1', applied: undefined },
  ])
})

// The witnesses of the two legal races: the pull was given up, and its answer comes after all.
test.each(['changed', 'unchanged'] as const)('an answer that comes too late: %s', (late) => {
  const without = trace('hint', 'timeout')
  expect(trace('hint', 'timeout', late).state).toEqual(without.state)
  const having = trace('hint', 'changed', 'hint', 'timeout')
  expect(trace('hint', 'changed', 'hint', 'timeout', late).state).toEqual(having.state)
})

test('"unchanged" to a connector that has nothing is a violation', () => {
  expect(() => trace('hint', 'unchanged')).toThrowError(
    expect.objectContaining({ code: 'ERR_PEER_VIOLATION' }),
  )
})
