/** How many states a second the exploration visits, with the machines as they are shipped. In short: spec/exploration.test.ts. */
import { bodyExploration } from '../../spec/body-world.ts'
import { exchangeExploration } from '../../spec/exchange-world.ts'
import { offerExploration } from '../../spec/offer-world.ts'
import { explore, type Findings } from '../../spec/explore.ts'
import { atLeast, exactly, type Campaign, type Figure } from './campaign.ts'

const WORLDS: Readonly<Record<string, () => Findings>> = {
  'a body through a window of 8 bytes': () => explore(bodyExploration(8, 9)),
  'an exchange with one byte each way': () =>
    explore(exchangeExploration({ requestBytes: 1, responseBytes: 1, windowBytes: 1 })),
  'an offer between two connectors': () =>
    explore(offerExploration({ isReplayable: false, attempts: 3 })),
}
const ROUNDS = 5

export const campaign: Campaign = {
  title: 'Exploration by restored states, on one core: states a second, the best of five rounds.',
  run(say) {
    const figures: Figure[] = []
    for (const [name, visit] of Object.entries(WORLDS)) {
      let best = 0
      let found = visit()
      for (let round = 0; round < ROUNDS; round++) {
        const start = process.cpuUsage()
        found = visit()
        const { user, system } = process.cpuUsage(start)
        best = Math.max(best, Math.round((found.states * 1e6) / (user + system)))
      }
      say(`${name}: ${found.states} states, ${found.moves} moves, ${best} states a second`)
      figures.push(
        atLeast(`${name}: states`, found.states, 10_000),
        atLeast(`${name}: states a second of processor time`, best, 10_000),
        exactly(
          `${name}: faults, refusals and stalls`,
          found.faults.length + found.refusals.length + found.stalls.length,
          0,
        ),
      )
    }
    return Promise.resolve(figures)
  },
}
