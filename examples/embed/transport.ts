/**
 * A link between cloud and connector over a transport of your own: a `MessageChannel` between
 * threads, a WebSocket through somebody else's gateway. Who is at the other end must be known
 * before; certificates, enrolment and configuration belong to `createConnectorListener` and
 * `startConnector`, which are not here.
 */
import type { MessagePort } from 'node:worker_threads'
import { ConnectorLink, LinkDriver, type Claimer, type Cloud } from 'app-proxy/cloud'
import { CloudLink, OfferSlots, systemEnvironment, Worker } from 'app-proxy/connector'
import { NodeBackend } from 'app-proxy/connector/node'
import type { WebSocket } from 'ws'

export function overMessagePort(port: MessagePort): LinkDriver {
  const driver = new LinkDriver({
    // A message is copied with all of the buffer that it is a part of.
    send: (octets) => port.postMessage(octets.slice()),
    close: () => port.close(),
  })
  port.on('message', (octets: Uint8Array) => driver.received(octets))
  port.on('close', () => driver.lost())
  return driver
}

export function overWebSocket(socket: WebSocket): LinkDriver {
  const driver = new LinkDriver({
    send: (octets) => socket.send(octets),
    unsentBytes: () => socket.bufferedAmount,
    close: () => socket.close(),
  })
  socket.on('message', (octets: Buffer) => driver.received(octets))
  socket.on('error', (cause) => driver.lost(cause))
  socket.on('close', () => driver.lost())
  return driver
}

/** The cloud's end. */
export function acceptLink(cloud: Cloud, claimer: Claimer, driver: LinkDriver): void {
  driver.drive(new ConnectorLink(cloud.origin, claimer, driver).link)
}

/** The connector's end: serves one application, and knows by itself where that is. */
export function dialLink(driver: LinkDriver, internalUrl: string): void {
  const worker = new Worker({
    ...systemEnvironment(),
    backend: new NodeBackend(),
    applications: {
      details: (id, version) => ({
        ...{ id, version, internalUrl, externalUrl: internalUrl, hostHeader: 'internal' },
        ...{ verifyCertificate: true, responseHeadMs: 120_000 },
      }),
    },
  })
  const { link } = new CloudLink({
    worker,
    instance: 'cloud-1',
    slots: new OfferSlots(200),
    hello: { run: crypto.randomUUID() },
    events: driver,
  })
  driver.drive(link)
}
