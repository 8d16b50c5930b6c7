/** The queue between instances of one process. */
import { MemoryOfferQueue } from '../../../src/cloud/index.ts'
import { offerQueueSuite } from '../../suites/offer-queue-suite.ts'

offerQueueSuite('in memory', () => {
  const queue = new MemoryOfferQueue()
  return Promise.resolve({
    queue: () => Promise.resolve(queue),
    close: () => Promise.resolve(),
  })
})
