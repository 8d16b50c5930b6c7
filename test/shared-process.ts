/**
 * Run with each file whose process runs others after it: the file leaves that process as it found it.
 */
import { afterAll, expect } from 'vitest'

const before = left()
afterAll(() => expect(left()).toEqual(before))

/** What others would notice. */
function left() {
  const events = process.eventNames().map((name) => [String(name), process.listenerCount(name)])
  return {
    listeners: Object.fromEntries(events) as Record<string, number>,
    environment: { ...process.env },
    directory: process.cwd(),
    // Helpers of compiled packages come with the first who loads them.
    globals: Object.getOwnPropertyNames(globalThis)
      .filter((name) => !name.startsWith('__'))
      .sort(),
    fetch: globalThis.fetch,
    now: Date.now,
    timer: setTimeout,
  }
}
