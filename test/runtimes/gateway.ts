/** A cloud, a connector and an application in one program of no particular runtime: what a fetch handler is tried on. */
import {
  ConnectorLink,
  createCertificateAuthority,
  createCloud,
  createDirectory,
  createMemoryRegistry,
  fetchHandler,
  KeyRing,
  LinkDriver,
  type LoadedAuthority,
} from 'app-proxy/cloud'
import {
  CloudLink,
  OfferSlots,
  systemEnvironment,
  Worker,
  type Backend,
  type BackendCall,
  type BackendEvents,
  type BackendRequest,
} from 'app-proxy/connector'

const APPLICATION = {
  ...{ id: 'wiki', groupId: 'default', externalUrl: 'http://wiki.localhost/' },
  internalUrl: 'http://inside.example/',
}

export async function openGateway(): Promise<
  (request: Request, remoteAddress: string) => Promise<Response>
> {
  let root: LoadedAuthority | undefined
  const store = {
    load: async () => root,
    save: async (made: LoadedAuthority) => void (root ??= made),
  }
  const cloud = createCloud({
    directory: createDirectory({
      tenants: [
        { id: 'contoso', issuer: 'https://id.example', registrars: { audience: 'urn:cloud' } },
      ],
      groups: [{ id: 'default', tenantId: 'contoso' }],
      applications: [{ ...APPLICATION, preAuthentication: 'passthrough' }],
    }),
    registry: createMemoryRegistry(),
    authority: await createCertificateAuthority({ store }),
    keyRing: await KeyRing.open(),
    audit: { write: () => undefined },
    instances: () => ({}),
  })
  connect(cloud)
  const published = fetchHandler(cloud.edge)
  return (request, remoteAddress) => published(request, { remoteAddress })
}

/** Both ends of a link, back to back. */
function connect(cloud: ReturnType<typeof createCloud>): void {
  const cloudEnd: LinkDriver = new LinkDriver({
    send: (octets) => queueMicrotask(() => connectorEnd.received(octets)),
    close: () => queueMicrotask(() => connectorEnd.lost()),
  })
  const connectorEnd = new LinkDriver({
    send: (octets) => queueMicrotask(() => cloudEnd.received(octets)),
    close: () => queueMicrotask(() => cloudEnd.lost()),
  })
  const worker = new Worker({
    ...systemEnvironment(),
    backend: new Application(),
    applications: {
      details: (_id, version) => ({
        ...{ ...APPLICATION, version, hostHeader: 'internal' as const },
        ...{ verifyCertificate: true, responseHeadMs: 10_000 },
      }),
    },
  })
  const { link } = new CloudLink({
    ...{ worker, instance: 'cloud-1', slots: new OfferSlots(10), events: connectorEnd },
    hello: { run: 'only' },
  })
  const claimer = { tenantId: 'contoso', connectorId: 'inside', groupId: 'default' }
  cloudEnd.drive(new ConnectorLink(cloud.origin, claimer, cloudEnd).link)
  connectorEnd.drive(link)
}

/** Says what it was asked; `/endless` says more as long as somebody reads, `/count` how much that was, and how often it was broken off. */
class Application implements Backend {
  #sent = 0
  #aborted = 0

  call({ method, target, headers, body }: BackendRequest, events: BackendEvents): BackendCall {
    let received = 0
    let isPaused = false
    let isOver = false
    const respond = (): void => {
      if (isOver) return
      events.responded({ status: 200, headers: ['content-type', 'application/json'] })
      if (target === '/endless') return more()
      const from = headers[headers.findIndex((name) => /^x-forwarded-for$/i.test(name)) + 1]
      const [sent, aborted] = [this.#sent, this.#aborted]
      const said = JSON.stringify({ method, target, from, received, sent, aborted })
      events.data(new TextEncoder().encode(said))
      events.ended(undefined)
    }
    const more = (): void => {
      if (isPaused || isOver) return
      this.#sent += 16 * 1024
      events.data(new Uint8Array(16 * 1024))
      queueMicrotask(more)
    }
    if (body.kind === 'none') queueMicrotask(respond)
    return {
      write(bytes) {
        received += bytes.length
        return true
      },
      end: () => {
        if (body.kind !== 'none') queueMicrotask(respond)
      },
      pause: () => void (isPaused = true),
      resume() {
        isPaused = false
        queueMicrotask(more)
      },
      abort: () => {
        isOver = true
        this.#aborted += 1
      },
    }
  }

  async close(): Promise<void> {}
}
