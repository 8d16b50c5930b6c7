import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  slotDelete,
  slotGet,
  slotMap,
  Slots,
  slotSet,
  slotValues,
} from '../../../src/protocol/internal.ts'

test('a slot map holds what a map does, whatever is set and deleted', () => {
  const key = fc.integer({ min: 0, max: 9 })
  const step = fc.tuple(fc.constantFrom('set', 'delete'), key)
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const model = new Map<number, object>()
      const map = slotMap<number, object>()
      for (const [what, of] of steps) {
        const value = { of }
        if (what === 'set') {
          model.set(of, value)
          slotSet(map, of, value)
        } else expect(slotDelete(map, of)).toBe(model.delete(of))
        expect(map.slotOf.size).toBe(model.size)
        for (let each = 0; each < 10; each++) {
          expect(slotGet(map, each)).toBe(model.get(each))
        }
      }
      expect(new Set(slotValues(map))).toEqual(new Set(model.values()))
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
  const map = slotMap<string, { key: string }>()
  for (const key of ['a', 'b', 'c']) slotSet(map, key, { key })
  for (const { key } of slotValues(map)) slotDelete(map, key)
  expect([map.slotOf.size, slotValues(map)]).toEqual([0, []])
})

test('of requests that are over nothing stays for a full collection', async () => {
  const program = fileURLToPath(new URL('old-space.ts', import.meta.url))
  // With so much room no full collection runs by itself.
  const flags = ['--expose-gc', '--initial-heap-size=1024', '--import', 'tsx']
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, program])
  const { octets } = JSON.parse(stdout) as { octets: number }
  // Names and tables of them: a record with all that it refers to has three times as many.
  expect(octets).toBeLessThan(200)
})
