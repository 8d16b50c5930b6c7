/** Instances that are processes of one machine, joined by the one that started them. */
import { HubLine, OfferHub, type FromHub, type ToHub } from '../../src/cli/cloud/offer-hub.ts'
import type { OfferQueue, OfferReceiver } from '../../src/cloud/index.ts'
import { offerQueueSuite } from '../suites/offer-queue-suite.ts'
import { presenceSuite } from '../suites/presence.suite.ts'

let last = 0

/** A line between two processes: values, later, in order. */
function lineTo(hub: OfferHub): { line: HubLine; begin(instance: string): void } {
  let called = `process-${++last}`
  const line = new HubLine((message: ToHub) => {
    const copy = structuredClone(message)
    setImmediate(() => hub.heard(called, copy))
  })
  return {
    line,
    begin(instance) {
      called = instance
      hub.join(instance, (message: FromHub) => {
        const copy = structuredClone(message)
        setImmediate(() => line.heard(copy))
      })
    },
  }
}

offerQueueSuite('over the lines of processes', () => {
  const hub = new OfferHub()
  const queue = (): OfferQueue => {
    const { line, begin } = lineTo(hub)
    return {
      publish: (envelope) => line.publish(envelope),
      tell: (instance, outcome) => line.tell(instance, outcome),
      announce: (presence) => line.announce(presence),
      observe: (health) => line.observe(health),
      join: (receiver: OfferReceiver) => {
        begin(receiver.instance)
        return line.join(receiver)
      },
    }
  }
  return Promise.resolve({ queue: () => Promise.resolve(queue()), close: () => Promise.resolve() })
})

const hub = new OfferHub()
presenceSuite('over the lines of processes', () => {
  const { line, begin } = lineTo(hub)
  return Promise.resolve({
    join: (notice) => {
      begin(notice().instance)
      return line.join(notice)
    },
    known: () => line.known(),
  })
})
