/**
 * The runtime's `fetch`, made safe to point at an issuer: one time limit for head and body, a cap
 * on the body, no redirects.
 *
 * @module
 */
import { abortedAfter, timerOf, type Timer } from '../../runtime/scheduler.ts'
import { SignInDenied } from '../identity/sign-in-errors.ts'

/** What we need of the runtime's `fetch`. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export interface BoundedFetchOptions {
  /** Default: the runtime's. */
  readonly fetch?: Fetch
  /** Default: the runtime's. */
  readonly timer?: Timer | undefined
  /** Head and body together. Milliseconds. */
  readonly timeoutMs: number
  /** Octets of the body. Default 256 KiB. */
  readonly maxBytes?: number
}

/** A `fetch` that answers with the whole body in memory, or fails. */
export function boundedFetch(options: BoundedFetchOptions): Fetch {
  const { timeoutMs, maxBytes = 256 * 1024, timer = timerOf() } = options
  const fetchIt = options.fetch ?? ((url, init) => fetch(url, init))
  const within = async (url: string, init: RequestInit, timeout: AbortSignal) => {
    const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout
    let response: Response
    let body: Blob | null
    try {
      response = await fetchIt(url, { ...init, redirect: 'manual', signal })
      body = response.body === null ? null : await collect(response.body, maxBytes)
    } catch (error) {
      if (error instanceof SignInDenied) throw error
      // Whoever gives a signal of its own gives a time limit.
      throw new SignInDenied(
        signal.aborted ? 'issuer-timeout' : 'issuer-unavailable',
        codeOf(error),
      )
    }
    // A runtime that hides redirects answers with status 0.
    if (response.status === 0 || (response.status >= 300 && response.status < 400))
      throw new SignInDenied('issuer-redirected')
    return new Response(body, { status: response.status, headers: response.headers })
  }
  return (url, init) => abortedAfter(timer, timeoutMs, (timeout) => within(url, init, timeout))
}

async function collect(body: ReadableStream<Uint8Array>, maxBytes: number): Promise<Blob> {
  const parts: BlobPart[] = []
  let length = 0
  const reader = body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return new Blob(parts)
    length += value.length
    if (length > maxBytes) {
      await reader.cancel()
      throw new SignInDenied('issuer-too-large')
    }
    parts.push(value.slice())
  }
}

/** What the operating system called it, where the runtime tells: `ECONNREFUSED`. */
function codeOf(error: unknown): string | undefined {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof Error && 'code' in cause ? String(cause.code) : undefined
}
