import { execFile } from 'node:child_process'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServerAuthority, type UserExchange } from '../../../src/cloud/index.ts'
import { createUserListener, type UserListenerOptions } from '../../../src/cloud/node/index.ts'
import type { HeaderList } from '../../../src/protocol/internal.ts'
import { memoryAuthorityStore } from '../trust.ts'

/** One request as an edge without anything behind it sees it. */
export class Visit {
  readonly user: UserExchange
  /** The request body, or what came through the tunnel, as octets. */
  body = ''
  bytes = 0
  isEnded = false
  trailers: HeaderList | undefined
  drained = 0
  /** `undefined`: still there; else what the exchange said. */
  gone: boolean | undefined
  onData: (bytes: Uint8Array) => void = () => undefined
  onEnd: () => void = () => undefined
  onDrained: () => void = () => undefined

  constructor(user: UserExchange) {
    this.user = user
    user.listen({
      data: (bytes) => {
        this.bytes += bytes.length
        if (this.bytes < 1 << 20) this.body += Buffer.from(bytes).toString('latin1')
        this.onData(bytes)
      },
      ended: (trailers) => {
        this.isEnded = true
        this.trailers = trailers
        this.onEnd()
      },
      drained: () => {
        this.drained += 1
        this.onDrained()
      },
      gone: (complete) => (this.gone = complete),
    })
  }

  /** Answers with a body of known length. */
  answer(status: number, text: string, headers: HeaderList = [], close = false): void {
    this.user.respond({ status, headers: [...headers, 'Content-Length', `${text.length}`] }, close)
    this.user.write(Buffer.from(text, 'latin1'))
    this.user.end()
  }

  /** Takes the whole body, then answers with it. */
  echo(): void {
    this.onEnd = () => this.answer(200, `${this.user.head.method} ${this.body}`)
    this.user.startBody()
  }
}

/** A listener for users whose edge is a few lines. */
export interface DirectEdge {
  readonly server: Server
  readonly port: number
  readonly visits: readonly Visit[]
  readonly last: Visit
  close(): Promise<void>
}

export async function startDirectEdge(
  answer: (visit: Visit) => void,
  options: UserListenerOptions & { overTls?: boolean } = {},
): Promise<DirectEdge> {
  const visits: Visit[] = []
  const { overTls = false, ...listenerOptions } = options
  const handle = (user: UserExchange): void => {
    const visit = new Visit(user)
    visits.push(visit)
    answer(visit)
  }
  const server = createUserListener(
    { handle },
    { ...listenerOptions, ...(overTls && { tls: await certificate() }) },
  )
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  return {
    server,
    port: (server.address() as AddressInfo).port,
    visits,
    get last() {
      return visits.at(-1)!
    },
    async close() {
      const closed = new Promise((done) => server.close(done))
      server.closeAllConnections()
      await closed
    },
  }
}

let issued: Promise<{ key: string; cert: string }> | undefined

function certificate(): Promise<{ key: string; cert: string }> {
  issued ??= createServerAuthority({ store: memoryAuthorityStore() })
    .then((authority) => authority.issue())
    .then(({ key, certificate: cert }) => ({ key, cert }))
  return issued
}

/** Real curl; resolves with what it printed, whatever its exit code. */
export function curl(...args: string[]): Promise<{ code: number; out: string }> {
  return new Promise((resolve) => {
    const options = { maxBuffer: 64 << 20, encoding: 'latin1' as const }
    const child = execFile('curl', ['-sS', '--max-time', '20', ...args], options, (error, out) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out }),
    )
    child.stdin!.end()
  })
}
