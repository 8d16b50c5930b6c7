/**
 * A cloud under load is told to stop, twenty times: every request is answered, and it ends within its drain limit.
 */
import { createServer } from 'node:http'
import { KeptLoad } from '../integration/kept-load.ts'
import { startProcesses } from '../integration/processes.ts'
import { listen } from '../integration/listen.ts'
import { until } from '../until.ts'
import { atMost, exactly, type Campaign } from './campaign.ts'

const ROUNDS = 20
const DRAIN_MS = 10_000

export const campaign: Campaign = {
  title: `SIGTERM of the cloud, ${ROUNDS} times, under 32 kept connections that ask without a pause`,
  async run(say) {
    const backend = createServer((request, response) => void response.end(`of ${request.url}`))
    const internalUrl = `http://127.0.0.1:${await listen(backend)}/`
    let answered = 0
    let lost = 0
    let orderly = 0
    let slowestMs = 0
    try {
      for (let round = 1; round <= ROUNDS; round++) {
        const processes = await startProcesses({ internalUrl, limits: { drainMs: DRAIN_MS } })
        try {
          await processes.startConnector()
          const load = new KeptLoad(processes.port, 'open.localhost', 32)
          await until(() => load.answered > 300)
          const from = performance.now()
          const code = await processes.cloud.stop()
          slowestMs = Math.max(slowestMs, performance.now() - from)
          await load.ended
          if (code === 0) orderly += 1
          lost += load.lost.length
          answered += load.answered
          say(`round ${round}: ${load.answered} answered, ${load.lost.length} lost, code ${code}`)
        } finally {
          await processes.close()
        }
      }
    } finally {
      backend.close()
    }
    return [
      {
        name: 'requests answered',
        value: answered,
        wanted: 'more than 6 000',
        isGood: answered > 6_000,
      },
      exactly('requests lost', lost, 0),
      exactly('stops with code 0', orderly, ROUNDS),
      atMost('slowest stop, ms', Math.round(slowestMs), DRAIN_MS),
    ]
  },
}
