/** A cloud that speaks the plain binding falsely ends its own link, and no more. */
import { createServer } from 'node:https'
import { expect, test } from 'vitest'
import { createServerAuthority } from '../../../src/cloud/index.ts'
import { CloudConnections } from '../../../src/connector/node/cloud-connections.ts'
import { PlainLink } from '../../../src/connector/node/plain-link.ts'
import { OfferSlots } from '../../../src/connector/offer-slots.ts'
import type { Worker } from '../../../src/connector/worker.ts'
import {
  encodeFrame,
  encodeWelcome,
  FrameType,
  MAX_DATA_BYTES,
  TIME_LIMITS,
} from '../../../src/protocol/internal.ts'
import { memoryAuthorityStore } from '../../cloud/trust.ts'
import { listen, until } from '../../integration/tunnel.ts'

test.each([
  [0, 0, 'WELCOME without a lease'],
  [60_000, 1, undefined],
])('a lease of %i ms: up %i times, then %s', async (leaseMs, times, fault) => {
  const authority = await createServerAuthority({ store: memoryAuthorityStore() })
  const { key, certificate: cert, ca } = await authority.issue()
  let streams = 0
  const server = createServer({ key, cert }, (_request, response) => {
    streams += 1
    const welcome = {
      ...{ version: 1, instance: 'cloud-1', windowBytes: 65_536, maxDataBytes: MAX_DATA_BYTES },
      ...{ pingMs: 15_000, leaseMs, features: ['plain'] },
    }
    response.write(encodeFrame(FrameType.WELCOME, 0, 0, encodeWelcome(welcome)))
  })
  const port = await listen(server)
  const connections = new CloudConnections({
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    ca: [ca],
  })
  const causes: unknown[] = []
  let ups = 0
  const link = new PlainLink({
    ...{ instance: 'cloud-1', url: `https://127.0.0.1:${port}`, connections: () => connections },
    ...{ run: 'raw', epoch: 1, limits: TIME_LIMITS, slots: new OfferSlots(1) },
    worker: {} as Worker,
    clocks: { now: () => performance.now(), wallClock: () => Date.now() },
    events: {
      up: () => (ups += 1),
      ended: (cause) => causes.push(cause),
      hint: () => undefined,
      draining: () => undefined,
    },
  })
  await until(() => ups + causes.length > 0)
  expect([ups, streams, causes.length]).toEqual([times, 1, fault === undefined ? 0 : 1])
  if (fault !== undefined) expect(String(causes[0])).toContain(fault)
  link.close()
  server.closeAllConnections()
  await link.gone
  connections.destroy()
  server.close()
})
