/** Sixty damaged state files, by a fixed seed: a message and an exit code each time, and no process that ends by a signal. The campaign tries more. */
import { expect, test } from 'vitest'
import { faultsOf, tryDamages } from '../test/cli/damaged-state.ts'

test(
  'R8.7d whoever reads a damaged state file says which it is, and ends in order',
  { timeout: 300_000 },
  async () => {
    const all = await tryDamages(60, 1)
    expect(all).toHaveLength(60)
    expect(faultsOf(all)).toEqual([])
    // Of most it is known that they are damaged.
    expect(all.filter(({ code }) => code !== 0).length).toBeGreaterThan(30)
  },
)
