import { expect, test } from 'vitest'
import { jsonLinesAudit, memoryAudit } from '../../src/cloud/index.ts'

const event = { time: 1, type: 'connector.registration', outcome: 'success' } as const

test('each event is one line of JSON, whatever is in it', () => {
  const lines: string[] = []
  const odd = { ...event, detail: { text: 'a\nb\u2028c' } }
  const audit = jsonLinesAudit((line) => lines.push(line))
  audit.write(event)
  audit.write(odd)
  expect(lines).toHaveLength(2)
  expect(lines.join('')).not.toContain('\n')
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([event, odd])
})

test('memory keeps the last events', () => {
  const audit = memoryAudit(2)
  for (const time of [1, 2, 3]) audit.write({ ...event, time })
  expect(audit.events.map(({ time }) => time)).toEqual([2, 3])
})
