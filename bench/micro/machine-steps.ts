/** The machines alone: one step of a table, one chunk through a body. */
import { BODY_SENDER, BodyReceiver, BodySender, Machine } from '../../src/protocol/internal.ts'
import { done, measure } from './measure.ts'

const CHUNK = 1024
const machine = new Machine(BODY_SENDER, 'open')
const sender = new BodySender({ writable: () => undefined, stopped: () => undefined }, CHUNK)
const receiver = new BodyReceiver({ credit: () => undefined, stop: () => undefined }, 64 * 1024)
let sink = 0

done('Machine steps', [
  measure('Machine.step', (times) => {
    for (let time = 0; time < times; time++) if (machine.step('write')) sink += 1
  }),
  measure('body sender: write and credit', (times) => {
    for (let time = 0; time < times; time++) {
      sink += sender.write(CHUNK)
      sender.credit(CHUNK)
    }
  }),
  measure('body receiver: data and consume', (times) => {
    for (let time = 0; time < times; time++) {
      receiver.data(CHUNK)
      receiver.consume(CHUNK)
    }
  }),
])
if (sink === 0) throw new Error('nothing was measured')
