/**
 * The plain binding, cloud side: the HTTP of a stream of offers.
 *
 * @see spec/PROTOCOL.md, "The plain binding"
 * @module
 */
import type { ServerResponse } from 'node:http'
import type { OfferStreamPort } from '../../protocol/internal.ts'
import type { Flushed, TurnEnd } from '../../runtime/node/frame-stream.ts'

/** Answers `GET /links/{link}/offers`. */
export class OfferStream implements OfferStreamPort, Flushed {
  readonly #response: ServerResponse
  readonly #turnEnd: TurnEnd
  #frames: Uint8Array[] = []
  #ends = false

  constructor(response: ServerResponse, turnEnd: TurnEnd) {
    this.#response = response
    this.#turnEnd = turnEnd
  }

  /** From now on it is a stream, whose end is told to `gone`. */
  open(gone: () => void): void {
    this.#response.on('close', gone)
  }

  write(frame: Uint8Array): void {
    this.#frames.push(frame)
    this.#turnEnd.wake(this)
  }

  end(): void {
    this.#ends = true
    this.#turnEnd.wake(this)
  }

  cut(): void {
    this.#response.destroy()
  }

  flush(): void {
    const response = this.#response
    if (response.destroyed || response.writableEnded) return
    if (!response.headersSent) response.writeHead(200, STREAM_HEADERS)
    const frames = this.#frames
    this.#frames = []
    if (frames.length > 0) response.write(frames.length === 1 ? frames[0]! : Buffer.concat(frames))
    if (this.#ends) response.end()
  }
}

const STREAM_HEADERS = {
  'content-type': 'application/octet-stream',
  'cache-control': 'no-store',
} as const
