import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, expectTypeOf, test } from 'vitest'
import {
  AUDIT_EVENTS,
  filterAudit,
  identifiedAudit,
  jsonLinesAudit,
  memoryAudit,
  queuedAudit,
  teeAudit,
  type AuditEvent,
} from '../../../src/cloud/index.ts'

const event = {
  time: 1,
  type: 'connector.registration',
  outcome: 'refused',
  reason: 'token-role',
} as const satisfies AuditEvent
const numbered = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ ...event, time: i + 1 }))

describe('lines of JSON', () => {
  test('are one an event, whatever is in it, with version and id first', () => {
    const lines: string[] = []
    const odd = { ...event, detail: { because: 'a\nb\u2028c' }, subject: undefined }
    const audit = jsonLinesAudit((line) => lines.push(line))
    audit.write(event)
    audit.write(odd)
    expect(lines).toHaveLength(2)
    expect(lines.join('')).not.toContain('\n')
    expect(lines[0]).toMatch(/^{"version":1,"id":"[0-9a-f]{16}-1","time":1,"type":"connector\./)
    expect(JSON.parse(lines[0]!)).toEqual({ version: 1, id: expect.any(String), ...event })
    expect(JSON.parse(lines[1]!)).toMatchObject({ detail: { because: 'a\nb\u2028c' } })
    expect(lines[1]).not.toContain('subject')
  })

  test('can have the names of OCSF', () => {
    const lines: string[] = []
    jsonLinesAudit((line) => lines.push(line), { format: 'ocsf' }).write(event)
    expect(JSON.parse(lines[0]!)).toMatchObject({
      class_uid: 3004,
      metadata: { event_code: 'connector.registration', uid: expect.stringMatching(/-1$/) },
    })
  })
})

test('ids are unique, count up, and are given once', () => {
  const [one, other] = [memoryAudit(), memoryAudit()]
  const audit = identifiedAudit(teeAudit(one, identifiedAudit(other)))
  for (const next of numbered(3)) audit.write(next)
  const ids = one.events.map(({ id }) => id!)
  expect(ids.map((id) => id.split('-')[1])).toEqual(['1', '2', '3'])
  expect(new Set(ids.map((id) => id.split('-')[0])).size).toBe(1)
  expect(other.events).toEqual(one.events)
  const run = memoryAudit()
  identifiedAudit(run).write(event)
  expect(run.events[0]!.id).not.toBe(ids[0])
})

test('a sink that throws takes nothing from the others', () => {
  const memory = memoryAudit()
  const broken = {
    write: () => {
      throw new Error('broken')
    },
  }
  teeAudit(broken, memory).write(event)
  expect(memory.events).toEqual([event])
})

test('a filter passes on what it says yes to', () => {
  const memory = memoryAudit()
  const audit = filterAudit(({ outcome }) => outcome !== 'success', memory)
  audit.write({ ...event, outcome: 'success' })
  audit.write(event)
  expect(memory.events).toEqual([event])
})

describe('a queue', () => {
  test('sends in order and in batches, one after the other', async () => {
    const batches: number[][] = []
    let sending = 0
    const audit = queuedAudit(
      async (events) => {
        expect(++sending).toBe(1)
        await new Promise((later) => setTimeout(later, 1))
        sending -= 1
        batches.push(events.map(({ time }) => time))
      },
      { batch: 2 },
    )
    for (const next of numbered(5)) audit.write(next)
    expect(batches).toEqual([])
    await audit.flush()
    expect(batches).toEqual([[1, 2], [3, 4], [5]])
    audit.write(event)
    await audit.flush()
    expect(batches).toHaveLength(4)
    expect(audit.dropped).toBe(0)
  })

  test('drops the oldest when nobody takes them, and counts', async () => {
    const sent: number[] = []
    const audit = queuedAudit(async (events) => void sent.push(...events.map(({ time }) => time)), {
      limit: 2,
    })
    for (const next of numbered(5)) audit.write(next)
    await audit.flush()
    expect(sent).toEqual([4, 5])
    expect(audit.dropped).toBe(3)
  })

  test('tries a batch again, then drops it and goes on; nobody is thrown at', async () => {
    let calls = 0
    const audit = queuedAudit(
      ([first]) => {
        calls += 1
        if (first!.time === 1) throw new Error('down')
        return Promise.resolve()
      },
      { batch: 1, attempts: 2 },
    )
    for (const next of numbered(2)) audit.write(next)
    await audit.flush()
    expect(calls).toBe(3)
    expect(audit.dropped).toBe(1)
  })
})

test('memory keeps the last events', () => {
  const audit = memoryAudit(2)
  for (const next of numbered(3)) audit.write(next)
  expect(audit.events.map(({ time }) => time)).toEqual([2, 3])
})

test('a writer cannot name what the row of its event does not have', () => {
  expectTypeOf({ ...event, detail: { nonsense: 1 } }).not.toExtend<AuditEvent>()
  expectTypeOf({ time: 1, type: 'sign-in.signed-in', outcome: 'refused' } as const) //
    .not.toExtend<AuditEvent>()
  expectTypeOf({ time: 1, type: 'sign-in.signed-in', outcome: 'success' } as const) //
    .toExtend<AuditEvent>()
  expect(Object.keys(AUDIT_EVENTS)).not.toEqual([])
})

test('every event of the table is written by something', () => {
  const sources = ['src/cloud', 'src/cli', 'examples'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.includes('audit-'))
      .map((name) => readFileSync(join(folder, name), 'utf8')),
  )
  for (const type of Object.keys(AUDIT_EVENTS))
    expect(
      sources.some((text) => text.includes(`'${type}'`)),
      type,
    ).toBe(true)
})
