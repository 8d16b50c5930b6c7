/** A bad connector beside a good one: one that declines everything, resolves nothing, never answers, or is stopped. */
import { missingPackages } from '../debian-package-files.ts'
import { FAULTS, faultyConnector } from '../fleet/faulty-connectors.ts'
import type { Campaign, Figure } from './campaign.ts'

export const campaign: Campaign = {
  title: 'a bad connector of each kind beside a good one, at two instances, under 32 users',
  missing: () => missingPackages('nats-server'),
  async run(say) {
    const figures: Figure[] = []
    for (const fault of FAULTS)
      figures.push(...(await faultyConnector({ fault, seconds: 20, clients: 32, seed: 14 }, say)))
    return figures
  },
}
