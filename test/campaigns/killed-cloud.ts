/** A cloud on LMDB that is killed a thousand times. */
import { killedCloud } from '../fleet/killed-cloud.ts'
import type { Campaign } from './campaign.ts'

export const campaign: Campaign = {
  title:
    'a cloud is killed 1,000 times during registrations, renewals, sign-outs and changes by an operator: what it had answered is there',
  run: (say) => killedCloud({ kills: 1_000, seed: 14 }, say),
}
