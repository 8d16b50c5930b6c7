import {
  connect,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2'
import type { UserListenerOptions } from '../../../src/cloud/node/index.ts'
import { until } from '../../integration/tunnel.ts'
import { startDirectEdge, type DirectEdge, type Visit } from './direct-edge.ts'

export let edge: DirectEdge
export let session: ClientHttp2Session
/** How the last connection ended. */
export let ended: { code?: number; closed: boolean }
export async function stop(): Promise<void> {
  session?.destroy()
  await edge.close()
}

/** A listener, and a client of `node:http2` that is connected to it; one at a time. */
export async function start(answer: (visit: Visit) => void, options: UserListenerOptions = {}) {
  edge = await startDirectEdge(answer, { ...options, overTls: true })
  session = connectHttp2()
}

function connectHttp2(): ClientHttp2Session {
  const client = connect(`https://127.0.0.1:${edge.port}`, { rejectUnauthorized: false })
  const state: typeof ended = { closed: false }
  ended = state
  client.on('error', () => undefined).on('close', () => (state.closed = true))
  client.on('goaway', (code) => (state.code = code))
  return client
}

/** One request of the real client, and all it was told. */
export class Asked {
  readonly stream: ClientHttp2Stream
  readonly interim: IncomingHttpHeaders[] = []
  head: IncomingHttpHeaders | undefined
  trailers: string[] | undefined
  body = ''
  isEnded = false
  isClosed = false

  constructor(headers: OutgoingHttpHeaders, endStream = true) {
    this.stream = session.request({ ':authority': 'a.example', ...headers }, { endStream })
    this.stream.on('error', () => undefined)
    this.stream.on('headers', (head) => this.interim.push(head))
    this.stream.on('response', (head) => (this.head = head))
    this.stream.on('trailers', (_fields, _flags, ...[raw]: unknown[]) => {
      this.trailers = raw as string[]
    })
    this.stream.on('data', (bytes: Buffer) => (this.body += bytes.toString('latin1')))
    this.stream.on('end', () => (this.isEnded = true))
    this.stream.on('close', () => (this.isClosed = true))
  }

  async closed(): Promise<number | undefined> {
    await until(() => this.isClosed)
    return this.stream.rstCode
  }
}
