/** How long connections to an application are kept: not for ever under steady traffic, and no longer than we say. */
import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import {
  NodeBackend,
  type ApplicationConnectionOptions,
} from '../../../src/connector/node/index.ts'
import { listen } from '../../integration/listen.ts'
import { until } from '../../until.ts'
import { detailsAt, ObservedCall, requestTo } from './observed-call.ts'

let backend: NodeBackend
let server: Server
afterEach(async () => {
  await backend.close()
  server.closeAllConnections()
  server.close()
})

/** An application that keeps connections for a minute, and the sockets that it was asked on. */
async function application(options: ApplicationConnectionOptions, hint?: string) {
  backend = new NodeBackend(options)
  const sockets = new Set<Socket>()
  server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    sockets.add(request.socket)
    if (hint !== undefined) response.setHeader('Keep-Alive', hint)
    request.resume().on('end', () => response.end('here'))
  })
  const details = detailsAt(await listen(server))
  return {
    sockets,
    /** One request after the other, without a pause, by GET or by POST. */
    async ask(method: string): Promise<void> {
      const body =
        method === 'GET' ? ({ kind: 'none' } as const) : ({ kind: 'length', bytes: 1 } as const)
      const call = new ObservedCall(backend, requestTo(details, { method, body }))
      if (method !== 'GET') {
        call.call.write(new Uint8Array(1))
        call.call.end()
      }
      expect((await call.settled()).outcome).toBe('done')
    },
  }
}

describe.each(['GET', 'POST'])('by %s', (method) => {
  test('under steady traffic a connection that is old takes no further request', async () => {
    const { sockets, ask } = await application({ connectionAgeMs: 100, keepAliveMs: 60_000 })
    await until(async () => {
      await ask(method)
      return sockets.size > 3
    })
  })

  test('one that is not serves all of them', async () => {
    const { sockets, ask } = await application({ keepAliveMs: 60_000 })
    for (let i = 0; i < 50; i++) await ask(method)
    expect(sockets.size).toBe(1)
  })

  test('what the application says of its own patience does not lengthen ours', async () => {
    const { sockets, ask } = await application({ keepAliveMs: 1_500 }, 'timeout=60')
    await ask(method)
    await until(() => [...sockets].every(({ destroyed }) => destroyed))
  })
})
