import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SlotShares } from '../../src/connector/offer-slots.ts'

const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'))

test('whatever instances come and go, all shares together are the slots of the process', () => {
  fc.assert(
    fc.property(fc.nat(500), fc.nat(2_000), fc.array(names), (slots, streams, lists) => {
      const shares = new SlotShares(slots, streams)
      for (const list of lists) {
        const before = new Map(list.map((name) => [name, shares.of(name)?.total]))
        const changed = shares.deal(list)
        const dealt = list.map((name) => shares.of(name))
        const sum = (of: (one: (typeof dealt)[number]) => number) =>
          dealt.reduce((all, one) => all + of(one), 0)
        expect([sum((one) => one.total), sum((one) => one.streams)]).toEqual(
          list.length === 0 ? [0, 0] : [slots, streams],
        )
        for (const one of dealt) expect(one.slots).toBe(slots)
        const totals = dealt.map((one) => one.total)
        expect(Math.max(0, ...totals) - Math.min(...totals, Infinity)).toBeLessThanOrEqual(1)
        for (const name of list) {
          const was = before.get(name)
          if (was !== undefined && was !== shares.of(name).total) expect(changed).toContain(name)
        }
      }
    }),
  )
})

test('what is taken stays taken when the share changes', () => {
  const shares = new SlotShares(10, 0)
  shares.deal(['a'])
  const one = shares.of('a')
  for (let i = 0; i < 7; i++) one.take()
  expect(shares.deal(['a', 'b'])).toEqual(['a'])
  expect([one.total, one.free, shares.of('b').free]).toEqual([5, 0, 5])
  for (let i = 0; i < 3; i++) one.release()
  expect(one.free).toBe(1)
})
