/**
 * One user request of the Fetch API, as the edge's port wants it.
 *
 * @module
 */
import {
  ApiMisuse,
  headerValue,
  withoutHeaders,
  type HeaderList,
  type ResponseHead,
} from '../../protocol/internal.ts'
import type { UserEvents, UserExchange, UserRequestHead } from '../request/user-exchange.ts'
import { FetchExchangeOrder } from './fetch-exchange-table.ts'
import type { FetchHandlerOptions, FetchRequestInfo } from './fetch-handler.ts'
import { PulledBody } from './pulled-body.ts'

/** Octets of an answer that may wait for its reader. */
const MAX_UNREAD_BYTES = 64 * 1024

/** Binds a `Request` to the {@link UserExchange} port, and gives what answers it. */
export class FetchUserExchange implements UserExchange {
  readonly head: UserRequestHead
  /** Resolves with the head of the final answer; never rejects. */
  readonly response: Promise<Response>
  readonly #request: Request
  readonly #upgrade: FetchHandlerOptions['upgrade']
  readonly #order = new FetchExchangeOrder()
  #events: UserEvents | undefined
  #answer!: (response: Response) => void
  #body: PulledBody
  /** Undefined: the answer has no place for octets. */
  #reader: ReadableStreamDefaultController<Uint8Array> | undefined
  /** Somebody waits until all that was written is read. */
  #isAwaited = false

  constructor(
    request: Request,
    info: FetchRequestInfo,
    upgrade: FetchHandlerOptions['upgrade'] = undefined,
  ) {
    this.#request = request
    this.#upgrade = upgrade
    this.head = requestHead(request, info, upgrade !== undefined)
    const length = headerValue(this.head.headers, 'content-length')
    // What is no number the edge refuses.
    this.#body = this.#bodyOf(request.body, length === undefined ? NaN : Number(length))
    this.response = new Promise((resolve) => (this.#answer = resolve))
  }

  listen(events: UserEvents): void {
    if (this.#events !== undefined) throw new ApiMisuse('listen() was called before')
    this.#events = events
    const { signal } = this.#request
    if (signal.aborted) queueMicrotask(() => this.#left())
    else signal.addEventListener('abort', () => this.#left(), { once: true })
  }

  startBody(): void {
    this.#body.start()
  }

  pauseBody(): void {
    this.#body.pause()
  }

  resumeBody(): void {
    this.#body.start()
  }

  /** The Fetch API has no place for one. */
  inform(): void {}

  respond({ status, headers }: ResponseHead): void {
    if (this.#order.state !== 'asked') return
    const hasBody = this.head.method !== 'HEAD' && ![204, 205, 304].includes(status)
    const body = hasBody ? this.#stream() : null
    // A head that cannot be said throws here, and another may be said instead.
    const response = new Response(body, { status, headers: fieldsOf(headers) })
    this.#order.respond()
    this.#answer(response)
  }

  upgrade(head: ResponseHead): void {
    if (this.#upgrade === undefined) throw new ApiMisuse('head.upgrade is undefined')
    if (this.#order.state !== 'asked') return
    const { response, readable, writable } = this.#upgrade(this.#request, head)
    this.#order.switch()
    this.#body = this.#bodyOf(readable)
    // Whoever reads the other end has left when it cannot be written to.
    this.#stream()
      .pipeTo(writable)
      .catch(() => this.#left())
    this.#answer(response)
  }

  write(bytes: Uint8Array): boolean {
    if (!this.#order.write() || this.#reader === undefined) return true
    this.#reader.enqueue(bytes)
    this.#isAwaited = unreadBytes(this.#reader) >= MAX_UNREAD_BYTES
    return !this.#isAwaited
  }

  /** The Fetch API knows no trailers. */
  end(): void {
    if (!this.#order.end()) return
    if (this.#reader === undefined || unreadBytes(this.#reader) === 0) this.#readWhole()
  }

  abort(): void {
    if (this.#order.state === 'asked') this.#answer(new Response(null, { status: 500 }))
    // An error, not an end: nobody must take it for complete.
    else this.#reader?.error(new DOMException('the answer broke off', 'AbortError'))
    this.#left()
  }

  /** A stream without a queue of its own: each call of `pull` says that all before was read. */
  #stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => void (this.#reader = controller),
        pull: () => this.#pulled(),
        cancel: () => this.#left(),
      },
      { highWaterMark: 0, size: (bytes) => bytes.length },
    )
  }

  #pulled(): void {
    if (this.#order.isEnding) return this.#readWhole()
    if (!this.#isAwaited) return
    this.#isAwaited = false
    queueMicrotask(() => {
      if (!this.#order.isOver) this.#events!.drained()
    })
  }

  #readWhole(): void {
    this.#reader?.close()
    if (this.#order.readWhole()) this.#gone(true)
  }

  #bodyOf(stream: ReadableStream<Uint8Array> | null, length?: number): PulledBody {
    const events = {
      data: (bytes: Uint8Array) => {
        if (!this.#order.isOver) this.#events!.data(bytes)
      },
      ended: () => {
        if (this.#order.isOver) return
        this.#events!.ended(undefined)
        if (this.#order.close()) this.#gone(true)
      },
      broke: () => this.#left(),
    }
    return new PulledBody(stream, events, length)
  }

  #left(): void {
    const isUnanswered = this.#order.state === 'asked'
    if (!this.#order.leave()) return
    // Nobody reads it; whoever waits for it goes on.
    if (isUnanswered) this.#answer(new Response(null, { status: 499 }))
    this.#gone(false)
  }

  /** Told later, never from inside what asks for it. */
  #gone(complete: boolean): void {
    this.#body.discard()
    queueMicrotask(() => this.#events?.gone(complete))
  }
}

function unreadBytes({ desiredSize }: ReadableStreamDefaultController<Uint8Array>): number {
  return Math.max(0, -(desiredSize ?? 0))
}

/** What frames a message on a connection is its runtime's to say. */
const OF_THE_CONNECTION = ['connection', 'keep-alive', 'transfer-encoding', 'trailer'] as const

function fieldsOf(headers: HeaderList): Headers {
  const fields = new Headers()
  const list = withoutHeaders(headers, ...OF_THE_CONNECTION)
  for (let i = 0; i < list.length; i += 2) fields.append(list[i]!, list[i + 1]!)
  return fields
}

function requestHead(
  request: Request,
  { remoteAddress, secure, httpVersion = '1.1' }: FetchRequestInfo,
  mayUpgrade: boolean,
): UserRequestHead {
  const { origin, host, protocol } = new URL(request.url)
  const headers = framed([...request.headers].flat(), request.body !== null)
  const upgrade = headerValue(headers, 'upgrade')
  // Nor what a connection is asked for beside it.
  if (upgrade !== undefined && headerValue(headers, 'connection') === undefined)
    headers.push('connection', 'Upgrade')
  return {
    method: request.method,
    target: request.url.slice(origin.length) || '/',
    headers,
    authority: headerValue(headers, 'host') ?? host,
    secure: secure ?? protocol === 'https:',
    httpVersion,
    remoteAddress,
    upgrade: mayUpgrade && request.body === null ? upgrade : undefined,
  }
}

/**
 * Edges read framing in HTTP/1.1's words. Some runtimes do not show them, and some withhold a body
 * (that of a GET): nobody must wait for it.
 */
function framed(headers: readonly string[], hasBody: boolean): string[] {
  const length = headerValue(headers, 'content-length')
  if (!hasBody) return [...withoutHeaders(headers, 'content-length', 'transfer-encoding')]
  const isFramed = (length ?? headerValue(headers, 'transfer-encoding')) !== undefined
  return isFramed ? [...headers] : [...headers, 'transfer-encoding', 'chunked']
}
