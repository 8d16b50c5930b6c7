/**
 * Two instances, a broker, three connectors in two groups and 64 users; a connector is killed every two seconds, an instance stopped every ten: three minutes of it.
 */
import { missingPackages } from '../debian-package-files.ts'
import { storm } from '../fleet/storm.ts'
import type { Campaign } from './campaign.ts'

export const campaign: Campaign = {
  title:
    'a connector is killed every 2 s, an instance stopped every 10 s, under 64 users, for 3 minutes',
  missing: () => missingPackages('nats-server'),
  run: (say) => storm({ seconds: 180, seed: 14, clients: 64 }, say),
}
