/** What the programs say of themselves on a port of their own, to whoever sends work to them. */
import { once } from 'node:events'
import { createServer, get } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listen } from '../test/integration/listen.ts'
import { CLI, startProcesses, type Processes } from '../test/integration/processes.ts'
import { until } from '../test/until.ts'

const application = createServer((_, response) => response.end('inside'))
let processes: Processes
beforeAll(async () => {
  processes = await startProcesses({
    internalUrl: `http://127.0.0.1:${await listen(application)}/`,
    unserved: 'away',
    health: { drainDelayMs: 2_000 },
  })
}, 120_000)
afterAll(async () => {
  await processes.close()
  application.close()
})

async function ask(base: string, path: string) {
  const answer = await fetch(new URL(path, base))
  return { status: answer.status, lines: (await answer.text()).trimEnd().split('\n') }
}

/** A user's request, on a connection of its own. */
async function userGets(host: string): Promise<readonly [status: number, body: string]> {
  const url = `http://127.0.0.1:${processes.port}/`
  const [response] = await once(get(url, { headers: { host }, agent: false }), 'response')
  return [response.statusCode as number, await text(response)]
}

test('R8.6c R8.6g each end says on a port of its own whether it is ready; one tenant whose connectors are away is told, and the others are served; what is to end says so first', async () => {
  const { cloud } = processes
  const cloudUrl = cloud.ready.healthUrl!
  expect(await ask(cloudUrl, '/livez')).toEqual({ status: 200, lines: ['ok'] })
  const [ours, theirs] = [
    'group contoso/default: no connector',
    'group fabrikam/away: no connector',
  ]
  expect(await ask(cloudUrl, '/readyz')).toEqual({
    status: 503,
    lines: ['not ready', ours, theirs],
  })

  const connector = await processes.startConnector(CLI, '--health-port', '0')
  const connectorUrl = connector.ready.healthUrl!
  expect(await ask(connectorUrl, '/readyz')).toEqual({ status: 200, lines: ['ok'] })
  expect(await ask(cloudUrl, '/readyz')).toEqual({ status: 200, lines: ['ok', theirs] })
  expect(await ask(cloudUrl, '/readyz?all')).toEqual({ status: 503, lines: ['not ready', theirs] })
  expect(await userGets('open.localhost')).toEqual([200, 'inside'])
  const figures = async () => (await ask(cloudUrl, '/metrics')).lines
  expect(await figures()).toEqual(
    expect.arrayContaining([
      'app_proxy_cloud_group_served{tenant="contoso",group="default"} 1',
      'app_proxy_cloud_group_served{tenant="fabrikam",group="away"} 0',
      'app_proxy_cloud_ready 1',
    ]),
  )

  await connector.stop()
  await until(async () => (await ask(cloudUrl, '/readyz')).status === 503)
  await processes.startConnector()
  await until(async () => (await ask(cloudUrl, '/readyz')).status === 200)

  // Whoever asks has the time to notice: until then users are served.
  cloud.signal('SIGTERM')
  await until(async () => (await ask(cloudUrl, '/readyz')).status === 503)
  expect(await ask(cloudUrl, '/readyz')).toEqual({ status: 503, lines: ['not ready', 'draining'] })
  expect(await ask(cloudUrl, '/livez')).toEqual({ status: 200, lines: ['ok'] })
  expect(await userGets('open.localhost')).toEqual([200, 'inside'])
  expect(await cloud.stop()).toBe(0)
  await expect(fetch(new URL('/livez', cloudUrl))).rejects.toThrow()
}, 120_000)
