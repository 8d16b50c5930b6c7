/** What one more exchange costs while so many others are open on the same link. */
import { MAX_OFFERS } from 'app-proxy/protocol'
import { LinkPair } from './link-pair.ts'
import { done, measure } from './measure.ts'

done(
  'A whole exchange over both ends of a link, beside others that stay open',
  [1, 100, MAX_OFFERS].map((open) => {
    const pair = new LinkPair(MAX_OFFERS)
    while (pair.open < open - 1) pair.hold() // the one that is measured is the last of them
    return measure(`${open} open`, (times) => {
      for (let time = 0; time < times; time++) pair.exchange()
    })
  }),
)
