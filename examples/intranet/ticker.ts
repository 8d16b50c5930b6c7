/**
 * Server-sent events: a number that grows by one each time.
 *
 * `every` is the time between two in milliseconds (default 1000), `times` ends the answer after so
 * many. A browser then comes back by itself, tells the last number it saw in `Last-Event-ID`, and
 * the count goes on from there.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
import type { IncomingMessage, ServerResponse } from 'node:http'

const RETRY_MS = 500
const EVERY_MS = { least: 20, usual: 1000, most: 60_000 }

export class Ticker {
  #connected = 0

  get connected(): number {
    return this.#connected
  }

  answer(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): void {
    const asked = Number(query.get('every') ?? EVERY_MS.usual) || EVERY_MS.usual
    const every = Math.min(Math.max(asked, EVERY_MS.least), EVERY_MS.most)
    const seen = Math.trunc(Number(request.headers['last-event-id'])) || 0
    const last = seen + (Number(query.get('times')) || Infinity)
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
    if (request.method === 'HEAD') return void response.end()
    response.write(`retry: ${RETRY_MS}\n\n`)

    let number = seen
    const tick = () => {
      const data = JSON.stringify({ number: ++number, sent: Date.now() })
      response.write(`id: ${number}\nevent: tick\ndata: ${data}\n\n`)
      if (number >= last) response.end()
    }
    this.#connected += 1
    const timer = setInterval(tick, every)
    response.once('close', () => {
      clearInterval(timer)
      this.#connected -= 1
    })
    tick()
  }
}
