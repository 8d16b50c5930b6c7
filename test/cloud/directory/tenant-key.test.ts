import fc from 'fast-check'
import { expect, test } from 'vitest'
import { idsOf, tenantKey } from '../../../src/cloud/directory/tenant-key.ts'

test('a key is of one pair only, whatever the ids contain', () => {
  const id = fc.string({ unit: fc.constantFrom('1', ':', 'a', ' ', '"', '\\', '\ud83d') })
  fc.assert(
    fc.property(id, id, (tenantId, own) => {
      expect(idsOf(tenantKey(tenantId, own))).toEqual([tenantId, own])
    }),
  )
})
