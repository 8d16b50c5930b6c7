/**
 * A small request body for ourselves: a form, whole, within a limit of size and time.
 *
 * @module
 */
import { headerValue, type HeaderList } from '../../protocol/internal.ts'
import { inTime, timerOf } from '../../runtime/scheduler.ts'
import type { EdgeRequest, RequestReader } from './edge-request.ts'

const MAX_FORM_BYTES = 32 * 1024
const FORM_MS = 10_000

/**
 * The parameters of an `application/x-www-form-urlencoded` body as text; `undefined` when it is too
 * large, too slow, or broken off.
 */
export async function readForm(
  request: EdgeRequest,
  timer = timerOf(),
): Promise<string | undefined> {
  const reader = new FormReader()
  request.hand(reader)
  request.user.startBody()
  return inTime(timer, FORM_MS, reader.whole, () => undefined)
}

/** Whether a request says that its body is a form. */
export function isForm(headers: HeaderList): boolean {
  const type = headerValue(headers, 'content-type') ?? ''
  return /^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type)
}

class FormReader implements RequestReader {
  readonly whole: Promise<string | undefined>
  readonly #parts: Uint8Array[] = []
  #length = 0
  #resolve!: (text: string | undefined) => void

  constructor() {
    this.whole = new Promise((resolve) => (this.#resolve = resolve))
  }

  userData(bytes: Uint8Array): void {
    this.#length += bytes.length
    if (this.#length > MAX_FORM_BYTES) return this.#resolve(undefined)
    this.#parts.push(bytes.slice())
  }

  userEnded(): void {
    const decoder = new TextDecoder()
    const texts = this.#parts.map((part) => decoder.decode(part, { stream: true }))
    this.#resolve(texts.join('') + decoder.decode())
  }

  userDrained(): void {}

  userGone(): void {
    this.#resolve(undefined)
  }
}
