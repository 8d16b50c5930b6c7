/**
 * Damaged state files of a cloud and a connector: what the commands that read them say. What is not noticed is counted by file and kind of damage.
 */
import { faultsOf, tryDamages } from '../cli/damaged-state.ts'
import { atLeast, exactly, type Campaign } from './campaign.ts'

const COUNT = 200
const SEED = 20_261_130

export const campaign: Campaign = {
  title: `${COUNT} state files, each damaged in one place: a message and an exit code each time`,
  async run(say) {
    const all = await tryDamages(COUNT, SEED, ({ file, damage, code, lines }) =>
      say(`${file}, ${damage}: code ${code}; ${lines[0] ?? 'nothing said'}`),
    )
    const signals = all.filter(({ code }) => code === undefined)
    const unseen = all.filter(({ code }) => code === 0)
    const tally = new Map<string, number>()
    for (const { file, damage } of unseen) {
      const what = `${file}, ${damage}`
      tally.set(what, (tally.get(what) ?? 0) + 1)
    }
    const wentOn = [...tally].map(([what, count]) => `${what}: ${count}`).sort()
    return [
      exactly('ended by a signal', signals.length, 0),
      exactly('without a message or with a stack trace', faultsOf(all).length, 0),
      atLeast(
        'refused by name',
        all.filter(({ code }) => code !== undefined && code > 0).length,
        120,
      ),
      { name: 'went on', value: wentOn.join('; '), wanted: 'counted', isGood: true },
    ]
  },
}
