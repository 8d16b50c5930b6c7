/**
 * The audit record of a test's cloud, held to the rule that nothing secret is in it.
 *
 * Every cloud that the tests assemble (cloud/trust.ts, cloud/edge-world.ts, cloud/sts-process.ts, integration/tunnel.ts, connector/cloud-in-memory.ts) writes to one of these,
 * so the events of the whole suite are looked at when the tests of each file are over: for what looks like a secret. That it is none of the secrets in play is what
 * examples/secrets.test.ts finds out, which knows them.
 */
import { afterAll, expect } from 'vitest'
import { jsonLinesAudit, memoryAudit, teeAudit } from '../src/cloud/audit/audit.ts'
import { secretLike } from './secret-like.ts'

const lines: string[] = []

export function recordedAudit(): ReturnType<typeof memoryAudit> {
  const memory = memoryAudit()
  const written = jsonLinesAudit((line) => lines.push(line))
  const { write } = teeAudit(memory, written)
  return { write, events: memory.events }
}

afterAll(() => {
  const told = lines.flatMap((line) => secretLike(line).map((found) => `${found}: ${line}`))
  expect(told).toEqual([])
})
