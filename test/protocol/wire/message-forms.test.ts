/**
 * Control messages are written twice: as interfaces, which people read, and as schemas, which octets are held to. The compiler
 * holds one against the other.
 */
import type * as v from 'valibot'
import { expect, test } from 'vitest'
import type { MESSAGES } from '../../../src/protocol/wire/message-schemas.ts'
import type { ControlMessages } from '../../../src/protocol/wire/messages.ts'
import type { SameForm } from '../../same-form.ts'

test('every message has the form of its schema', () => {
  const isSame: SameForm<
    { [Name in keyof typeof MESSAGES]: v.InferOutput<(typeof MESSAGES)[Name]> },
    ControlMessages
  > = true
  expect(isSame).toBe(true)
})
