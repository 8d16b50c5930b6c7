/** Many instances of one service, and connectors that serve all of them. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { chosenInstances } from '../src/connector/instance-choice.ts'

const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { maxLength: 40 })
const most = fc.integer({ min: 1, max: 12 })

test('R8.1a a connector dials every instance up to a number', () => {
  fc.assert(
    fc.property(fc.string(), names, most, (connector, listed, n) => {
      const chosen = chosenInstances(connector, listed, n)
      expect(chosen.length).toBe(Math.min(n, listed.length))
      expect(listed.filter((name) => chosen.includes(name))).toEqual(chosen)
      if (listed.length <= n) expect(chosen).toEqual(listed)
    }),
  )
})

test('R8.1a beyond it the same ones, in whatever order they are listed', () => {
  fc.assert(
    fc.property(fc.string(), names, most, (connector, listed, n) => {
      const sorted = [...listed].sort()
      const reversed = [...sorted].reverse()
      const a = new Set(chosenInstances(connector, sorted, n))
      expect(new Set(chosenInstances(connector, reversed, n))).toEqual(a)
    }),
  )
})

test('R8.1a an instance that leaves moves one link, and only of those who dialled it', () => {
  fc.assert(
    fc.property(fc.string(), names, most, fc.nat(), (connector, listed, n, pick) => {
      if (listed.length === 0) return
      const gone = listed[pick % listed.length]!
      const before = chosenInstances(connector, listed, n)
      const after = chosenInstances(
        connector,
        listed.filter((name) => name !== gone),
        n,
      )
      const kept = before.filter((name) => name !== gone)
      expect(kept.every((name) => after.includes(name))).toBe(true)
      if (!before.includes(gone)) expect(after).toEqual(before)
      expect(after.filter((name) => !before.includes(name)).length).toBeLessThanOrEqual(1)
    }),
  )
})

test('connectors share the instances out evenly', () => {
  const listed = Array.from({ length: 20 }, (_, i) => `cloud-${i}`)
  const counts = new Map<string, number>()
  for (let connector = 0; connector < 2_000; connector++)
    for (const name of chosenInstances(`connector-${connector}`, listed, 4))
      counts.set(name, (counts.get(name) ?? 0) + 1)
  // 400 each; five deviations of a fair draw.
  for (const name of listed) expect(Math.abs(counts.get(name)! - 400)).toBeLessThan(90)
})
