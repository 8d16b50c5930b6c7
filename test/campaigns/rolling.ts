/** Three rolling restarts of a whole fleet under load, and of its broker. */
import { missingPackages } from '../debian-package-files.ts'
import { rolling } from '../fleet/rolling.ts'
import type { Campaign } from './campaign.ts'

export const campaign: Campaign = {
  title:
    'all connectors, all instances and the broker are restarted, one after the other, under 64 users',
  missing: () => missingPackages('nats-server'),
  run: (say) => rolling({ clients: 64, rounds: 3, seed: 14 }, say),
}
