import type {
  Backend,
  BackendCall,
  BackendEvents,
  BackendRequest,
} from '../../../src/connector/index.ts'
import {
  ResetCode,
  type ApplicationDetails,
  type HeaderList,
  type NotSentCause,
  type ResponseHead,
} from '../../../src/protocol/internal.ts'
import { BACKEND_ORDER, type BackendState } from '../../../src/connector/backend-order.ts'
import { until } from '../../until.ts'

/** A backend call, and all that was told of it. */
export class ObservedCall implements BackendEvents {
  readonly call: BackendCall
  readonly interim: ResponseHead[] = []
  head: ResponseHead | undefined
  isUpgraded = false
  body = ''
  bytes = 0
  pieces = 0
  trailers: HeaderList | undefined
  isEnded = false
  code: ResetCode | undefined
  cause: unknown
  /** It said so: nothing of the request has left. */
  isNotSent = false
  drains = 0
  /** What {@link BackendCall.write} said, if the test notes it. */
  readonly takes: boolean[] = []
  /** Events out of turn. */
  misplaced = 0
  #state: BackendState = 'calling'

  constructor(backend: Backend, request: BackendRequest) {
    this.call = backend.call(request, this)
    this.#state = 'waiting'
  }

  informational(head: ResponseHead): void {
    this.#event('informational')
    this.interim.push(head)
  }

  responded(head: ResponseHead): void {
    this.#event('responded')
    this.head = head
  }

  upgraded(head: ResponseHead): void {
    this.#event('upgraded')
    this.head = head
    this.isUpgraded = true
  }

  data(bytes: Uint8Array): void {
    this.#event('data')
    this.pieces += 1
    this.bytes += bytes.length
    if (this.bytes < 1 << 20) this.body += Buffer.from(bytes).toString('latin1')
  }

  ended(trailers: HeaderList | undefined): void {
    this.#event('ended')
    this.isEnded = true
    this.trailers = trailers
  }

  drained(): void {
    this.drains += 1
  }

  failed(code: ResetCode, cause: unknown): void {
    this.#event('failed')
    this.code = code
    this.cause = cause
  }

  notSent(cause: NotSentCause, error: unknown): void {
    this.#event('notSent')
    this.code = cause
    this.cause = error
    this.isNotSent = true
  }

  /** It is over, one way or the other. */
  async settled(): Promise<this> {
    await until(() => this.isEnded || this.code !== undefined)
    return this
  }

  async responding(): Promise<this> {
    await until(() => this.head !== undefined || this.code !== undefined)
    return this
  }

  /** `done`, or the name of the code it failed with; `not sent:` before it if the backend says so. */
  get outcome(): string {
    if (this.code === undefined) return this.isEnded ? 'done' : 'open'
    const [name] = Object.entries(ResetCode).find(([, code]) => code === this.code)!
    return this.isNotSent ? `not sent: ${name}` : name
  }

  #event(event: keyof BackendEvents): void {
    const next = BACKEND_ORDER[this.#state][event]
    if (next === 'violation' || next === 'ignored') this.misplaced += 1
    else this.#state = next
  }
}

/** A request to an application on loopback; a GET unless said otherwise. */
export function requestTo(
  application: number | ApplicationDetails,
  parts: Partial<BackendRequest> = {},
): BackendRequest {
  const details = typeof application === 'number' ? detailsAt(application) : application
  const request = { method: 'GET', body: { kind: 'none' } as const, ...parts }
  return {
    application: details,
    target: '/',
    headers: ['Host', 'internal.example'],
    upgrade: undefined,
    exchangeId: '0'.repeat(32),
    requestNumber: '0000-0000',
    user: undefined,
    answerMs: 85_000,
    replayable:
      request.method === 'GET' && request.body.kind === 'none' && parts.upgrade === undefined,
    ...request,
  }
}

/** One object per application: connectors keep them. */
export function detailsAt(
  port: number,
  parts: Partial<ApplicationDetails> = {},
): ApplicationDetails {
  return {
    id: 'wiki',
    version: 'v1',
    internalUrl: `http://127.0.0.1:${port}/`,
    externalUrl: 'https://wiki.example/',
    hostHeader: 'internal',
    verifyCertificate: true,
    responseHeadMs: 85_000,
    ...parts,
  }
}
