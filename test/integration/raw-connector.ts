import type { ClientRequest, IncomingMessage } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import type { TLSSocket } from 'node:tls'
import {
  decodeOffer,
  encodeClaim,
  encodeFrame,
  encodeResponseHead,
  FrameFlag,
  FrameReader,
  FrameType,
  type Offer,
} from '../../src/protocol/internal.ts'
import { EXCHANGE_TOKEN_HEADER } from '../../src/runtime/node/frame-stream.ts'
import { until } from '../until.ts'

/** How a call ended: an answer, or `'broken'`: the connection was cut before there was a whole one. */
export type Outcome = Answer | 'broken'

export interface Answer {
  readonly status: number
  /** Of a problem+json answer. */
  readonly code: string | undefined
  /** The answer's `Connection` field. */
  readonly connection: string | undefined
  readonly retryAfter: string | undefined
  readonly body: Buffer
}

/** What a client shows at the handshake, PEM. */
export interface Credentials {
  readonly key: string
  readonly cert: string
}

/** A connector that speaks the plain binding by hand, and says whatever a test wants it to. */
export class RawConnector {
  readonly agent: Agent
  readonly #url: string

  constructor(url: string, ca: string, credentials?: Credentials) {
    this.#url = url
    this.agent = new Agent({ ca, ...credentials, keepAlive: true, maxCachedSessions: 0 })
  }

  open(method: string, path: string, headers: Record<string, string> = {}): ClientRequest {
    // Not as a URL: the path may be none.
    const { hostname, port } = new URL(this.#url)
    return httpsRequest({ hostname, port, path, method, headers, agent: this.agent })
  }

  call(
    method: string,
    path: string,
    options: { headers?: Record<string, string>; body?: Uint8Array } = {},
  ): Promise<Outcome> {
    const request = this.open(method, path, {
      ...(options.body !== undefined && { 'content-length': String(options.body.length) }),
      ...options.headers,
    })
    request.end(options.body)
    return outcomeOf(request)
  }

  /** Opens an offers stream and waits for its WELCOME. */
  async link(name = 'raw-0', offers = 10, features = 'plain'): Promise<RawLink> {
    const query = `versions=1&run=raw&index=0&epoch=1&offers=${offers}&granted=${offers}&max-data=65536&features=${features}`
    const request = this.open('GET', `/links/${name}/offers?${query}`)
    const link = new RawLink(request)
    await until(() => link.welcomed || link.isClosed)
    return link
  }

  /** The claim of what is not replayable; with the token that the answer must show. */
  pull(offer: Pick<Offer, 'id' | 'attempt'>): Promise<RawPull> {
    const request = this.open(
      'POST',
      `/exchanges/${offer.id}/body?attempt=${offer.attempt}&max-data=65536`,
    )
    request.end()
    return new Promise((resolve, reject) => {
      request.on('response', (response) => resolve(new RawPull(response)))
      request.on('error', reject)
    })
  }

  /** Opens the answering call. */
  answer(id: string, token?: string): RawAnswer {
    const headers = token === undefined ? {} : { [EXCHANGE_TOKEN_HEADER]: token }
    return new RawAnswer(this.open('POST', `/exchanges/${id}/response?max-data=65536`, headers))
  }

  close(): void {
    this.agent.destroy()
  }
}

export class RawLink {
  readonly offers: Offer[] = []
  /** Told of each offer as it comes. */
  offered: ((offer: Offer) => void) | undefined
  readonly request: ClientRequest
  status = 0
  welcomed = false
  isClosed = false

  constructor(request: ClientRequest) {
    this.request = request
    const reader = new FrameReader({
      frame: (type, _flags, _number, payload) => {
        if (type === FrameType.WELCOME) this.welcomed = true
        if (type !== FrameType.OFFER) return
        const offer = decodeOffer(payload)
        this.offers.push(offer)
        this.offered?.(offer)
      },
      data: () => undefined,
    })
    request.on('response', (response) => {
      this.status = response.statusCode!
      response.on('data', (chunk: Buffer) => this.status === 200 && reader.push(chunk))
      response.on('error', () => undefined)
    })
    request.on('error', () => undefined)
    request.on('close', () => (this.isClosed = true))
    request.end()
  }

  /** The next offer. */
  async offer(): Promise<Offer> {
    await until(() => this.offers.length > 0)
    return this.offers.shift()!
  }
}

export class RawPull {
  readonly status: number
  readonly token: string | undefined
  bytes = 0
  isClosed = false

  constructor(response: IncomingMessage) {
    this.status = response.statusCode!
    this.token = response.headers[EXCHANGE_TOKEN_HEADER] as string | undefined
    response.on('data', (chunk: Buffer) => (this.bytes += chunk.length))
    response.on('error', () => undefined)
    response.on('close', () => (this.isClosed = true))
  }
}

export class RawAnswer {
  readonly request: ClientRequest
  readonly outcome: Promise<Outcome>

  constructor(request: ClientRequest) {
    this.request = request
    this.outcome = outcomeOf(request)
  }

  /** In one write, so that they arrive together. */
  send(...frames: readonly Uint8Array[]): this {
    this.request.write(Buffer.concat(frames))
    return this
  }

  end(...frames: readonly Uint8Array[]): Promise<Outcome> {
    this.request.end(Buffer.concat(frames))
    return this.outcome
  }
}

export const frames = {
  claim: ({ id, attempt }: Pick<Offer, 'id' | 'attempt'>) =>
    encodeFrame(FrameType.CLAIM, 0, 0, encodeClaim({ id, attempt, credit: 0 })),
  response: (status = 200, headers: readonly string[] = [], end = false) =>
    encodeFrame(
      FrameType.RESPONSE,
      end ? FrameFlag.END : 0,
      0,
      encodeResponseHead({ status, headers }),
    ),
  data: (bytes: Uint8Array | string, end = false) =>
    encodeFrame(FrameType.DATA, end ? FrameFlag.END : 0, 0, Buffer.from(bytes)),
  /** A header that says whatever it says. */
  header: (length: number, type: number, flags = 0) =>
    new Uint8Array([length >>> 16, length >>> 8, length, type, flags, 0, 0, 0, 0]),
}

export function outcomeOf(request: ClientRequest): Promise<Outcome> {
  return new Promise((resolve) => {
    request.on('error', () => resolve('broken'))
    request.on('close', () => resolve('broken'))
    request.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', () => resolve('broken'))
      response.on('end', () => {
        const body = Buffer.concat(chunks)
        const isProblem = response.headers['content-type'] === 'application/problem+json'
        resolve({
          status: response.statusCode!,
          code: isProblem ? (JSON.parse(body.toString()) as { code: string }).code : undefined,
          connection: response.headers.connection,
          retryAfter: response.headers['retry-after'],
          body,
        })
      })
    })
  })
}

/** The socket of a call, once there is one. */
export function socketOf(request: ClientRequest): Promise<TLSSocket> {
  return new Promise((resolve) => {
    if (request.socket !== null) resolve(request.socket as TLSSocket)
    else request.once('socket', (socket) => resolve(socket as TLSSocket))
  })
}
