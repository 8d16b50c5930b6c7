/**
 * The deadline of a step of the sign-in.
 *
 * @module
 */
import type { SignInEvent } from '../../protocol/machines/sign-in.ts'

/** The effect's one answer, or `timeout`; an answer after it is dropped with the promise. */
export async function before(effect: () => Promise<SignInEvent>, ms: number): Promise<SignInEvent> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise<SignInEvent>((resolve) => {
    timer = setTimeout(() => resolve({ type: 'timeout' }), Math.max(0, ms))
  })
  try {
    return await Promise.race([effect(), timeout])
  } finally {
    clearTimeout(timer)
  }
}
