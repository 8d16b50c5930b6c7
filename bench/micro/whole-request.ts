/**
 * A signed-in request through the edge, the queue, both ends of a link and the connector's worker,
 * all in memory: what our own code costs, without HTTP, TLS and the kernel.
 */
import {
  createCertificateAuthority,
  createCloud,
  createDirectory,
  createMemoryRegistry,
  KeyRing,
  type AuthorityStore,
  type UserConnection,
  type UserEvents,
  type UserExchange,
  type UserRequestHead,
} from '../../src/cloud/index.ts'
import type { Backend } from '../../src/connector/index.ts'
import { TIME_LIMITS } from '../../src/protocol/internal.ts'
import { MemoryConnector } from '../../test/integration/memory-connector.ts'
import type { MicroFigure } from '../report/results.ts'
import { done, usedBytes } from './measure.ts'

const AT_ONCE = 64
const SAMPLES = 9
const REQUESTS = 100 * Number(process.env['BENCH_SAMPLE_MS'] ?? 100)
const BODY = new Uint8Array(1024)
const HOST = 'app.example'
const FIELDS = [
  ...['Host', HOST, 'User-Agent', 'Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101'],
  ...['Accept', 'text/html,application/xhtml+xml', 'Accept-Language', 'en-GB,en;q=0.5'],
  ...['Accept-Encoding', 'gzip, deflate, br', 'Connection', 'keep-alive'],
]
const ANSWER = [
  ...['Server', 'nginx/1.22.1', 'Date', 'Mon, 30 Nov 2026 12:00:00 GMT'],
  ...['Content-Type', 'text/html', 'Content-Length', '1024', 'ETag', '"6929f2b4-400"'],
  ...['Last-Modified', 'Mon, 30 Nov 2026 11:00:00 GMT', 'Accept-Ranges', 'bytes'],
]

/** Answers each request at once. */
const backend: Backend = {
  call(_request, events) {
    queueMicrotask(() => {
      events.responded({ status: 200, headers: ANSWER })
      events.data(BODY)
      events.ended(undefined)
    })
    const nothing = (): void => undefined
    return { write: () => true, end: nothing, pause: nothing, resume: nothing, abort: nothing }
  },
  close: () => Promise.resolve(),
}

const directory = createDirectory({
  tenants: [{ id: 'contoso', issuer: 'https://id.example', registrars: { audience: 'x' } }],
  groups: [{ id: 'berlin', tenantId: 'contoso' }],
  applications: [
    {
      ...{ id: 'app', groupId: 'berlin', preAuthentication: 'oidc', client: { id: 'app' } },
      ...{ internalUrl: 'http://app.internal:8080/', externalUrl: `https://${HOST}/` },
      identityHeaders: { 'X-User': 'subject', 'X-Groups': 'groups' },
    },
  ],
})
const claimer = { connectorId: 'one', tenantId: 'contoso', groupId: 'berlin' }
const registry = createMemoryRegistry()
const record = { ...claimer, id: 'one', name: 'one', standing: 'active', registeredAt: 0 } as const
registry.connector = () => Promise.resolve({ ...record, keyId: '', registeredBy: '' } as never)
let root: Awaited<ReturnType<AuthorityStore['load']>>
const store: AuthorityStore = {
  load: () => Promise.resolve(root),
  save: (made) => Promise.resolve(void (root = made)),
}
const cloud = createCloud({
  ...{ directory, registry, authority: await createCertificateAuthority({ store }) },
  ...{ keyRing: await KeyRing.open(), audit: { write: () => undefined }, instances: () => ({}) },
  // The load of many users comes as that of one.
  shares: { application: 1, user: 1 },
})
const connector = new MemoryConnector(cloud, claimer, {
  ...{ backend, limits: TIME_LIMITS, offers: 200 },
})

const hourMs = 3_600_000
const { setCookie } = await cloud.sessions.start(directory.application('app')!, HOST, {
  ...{ subject: 'alice', issuer: 'https://id.example', name: 'Alice Example' },
  ...{ email: 'alice@contoso.example', groups: ['staff', 'engineering'], roles: ['reader'] },
  ...{ authenticatedAt: Date.now(), expiresAt: Date.now() + hourMs },
})
const wire = [...FIELDS, 'Cookie', setCookie.split(';', 1)[0]!].map((text) => Buffer.from(text))

type Answered = (connection: UserConnection, status: number) => void

/** Asks again as soon as it is answered, on its connection. */
class User implements UserExchange {
  readonly head: UserRequestHead
  readonly connection: UserConnection
  readonly #answered: Answered
  #events: UserEvents | undefined
  #status = 0

  constructor(connection: UserConnection, answered: Answered) {
    this.connection = connection
    this.#answered = answered
    // As a parser makes them: each text is new.
    const headers = wire.map((octets) => octets.toString('latin1'))
    this.head = {
      ...{ method: 'GET', target: '/', headers, authority: headers[1]!, secure: true },
      ...{ httpVersion: '1.1', remoteAddress: '127.0.0.1', upgrade: undefined },
    }
  }

  listen(events: UserEvents): void {
    this.#events = events
  }

  startBody(): void {
    queueMicrotask(() => this.#events!.ended(undefined))
  }

  pauseBody(): void {
    // There is none.
  }

  resumeBody(): void {
    // There is none.
  }

  inform(): void {
    // None comes.
  }

  respond({ status }: { readonly status: number }): void {
    this.#status = status
  }

  upgrade(): void {
    throw new Error('nobody asked for it')
  }

  write(): boolean {
    return true
  }

  end(): void {
    this.#events!.gone(true)
    this.#answered(this.connection, this.#status)
  }

  abort(): void {
    this.#answered(this.connection, 0)
  }
}

/** Resolves when so many were answered. */
function serve(requests: number): Promise<void> {
  let left = requests
  let open = 0
  return new Promise((served, failed) => {
    const ask = (connection: UserConnection): void => {
      left -= 1
      open += 1
      cloud.edge.handle(new User(connection, answered))
    }
    const answered = (connection: UserConnection, status: number): void => {
      open -= 1
      if (status !== 200) failed(new Error(`answered with ${status}`))
      if (left > 0) setImmediate(() => ask(connection))
      else if (open === 0) served()
    }
    for (let i = 0; i < AT_ONCE; i++) ask({ once: () => undefined })
  })
}

/** Processor time of all threads, collecting included. */
async function nanoseconds(): Promise<number> {
  const before = process.cpuUsage()
  await serve(REQUESTS)
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1_000) / REQUESTS
}

async function allocated(): Promise<number> {
  const few = 10 * AT_ONCE
  gc!()
  const before = usedBytes()
  await serve(few)
  return (usedBytes() - before) / few
}

for (let i = 0; i < 3; i++) await serve(REQUESTS)
const samples: number[] = []
for (let i = 0; i < SAMPLES; i++) samples.push(await nanoseconds())
samples.sort((a, b) => a - b)
const figure: MicroFigure = {
  name: `a signed-in request, ${AT_ONCE} at once`,
  nanoseconds: samples[SAMPLES >> 1]!,
  bytes: await allocated(),
}
connector.cut()
done('A whole request in memory', [figure])
process.exit(0)
