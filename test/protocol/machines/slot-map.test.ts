import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SlotMap, Slots } from '../../../src/protocol/internal.ts'

test('a slot map holds what a map does, whatever is set and deleted', () => {
  const key = fc.integer({ min: 0, max: 9 })
  const step = fc.tuple(fc.constantFrom('set', 'delete'), key)
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const model = new Map<number, object>()
      const map = new SlotMap<number, object>()
      for (const [what, of] of steps) {
        const value = { of }
        if (what === 'set') {
          model.set(of, value)
          map.set(of, value)
        } else expect(map.delete(of)).toBe(model.delete(of))
        expect(map.size).toBe(model.size)
        for (let each = 0; each < 10; each++) {
          expect(map.get(each)).toBe(model.get(each))
          expect(map.has(each)).toBe(model.has(each))
        }
      }
      expect(new Set(map.values())).toEqual(new Set(model.values()))
    }),
  )
})

test('a slot that is another’s by now is not emptied by the one before', () => {
  const slots = new Slots<{ name: string }>()
  const [one, other] = [{ name: 'one' }, { name: 'other' }]
  const slot = slots.add(one)
  slots.remove(slot, one)
  expect(slots.add(other)).toBe(slot)
  slots.remove(slot, one)
  expect([slots.size, slots.get(slot)]).toEqual([1, other])
})

test('all of them may be removed while they are gone through', () => {
  const map = new SlotMap<string, { key: string }>()
  for (const key of ['a', 'b', 'c']) map.set(key, { key })
  for (const { key } of map.values()) map.delete(key)
  expect([map.size, map.values()]).toEqual([0, []])
})
