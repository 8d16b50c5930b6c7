/**
 * A WebSocket that sends back what it receives, in the sub-protocol agreed on.
 *
 * - `echo`, or none: as it came; `shout`: text in capitals; `reverse`: text from its end
 * - the text `/close CODE REASON` makes this side close
 * - with `?greet` it first tells the request that opened it, as `/headers` does
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import { pairsOf } from './answers.ts'

const VOICES: Readonly<Record<string, (text: string) => string>> = {
  echo: (text) => text,
  shout: (text) => text.toUpperCase(),
  reverse: (text) => [...text].reverse().join(''),
}
const MAX_MESSAGE_BYTES = 32 * 1024 * 1024

export class Echo {
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: true,
    maxPayload: MAX_MESSAGE_BYTES,
    // The client says what it would rather have, in its order.
    handleProtocols: (offered) => [...offered].find((name) => Object.hasOwn(VOICES, name)) ?? false,
  })

  get connected(): number {
    return this.#server.clients.size
  }

  accept(request: IncomingMessage, socket: Duplex, head: Buffer, query: URLSearchParams): void {
    this.#server.handleUpgrade(request, socket, head, (client) => {
      if (query.has('greet')) client.send(greeting(request, client))
      serve(client)
    })
  }

  close(): void {
    for (const client of this.#server.clients) client.terminate()
  }
}

function greeting(request: IncomingMessage, { protocol }: WebSocket): string {
  const { method, url: target } = request
  return JSON.stringify({ protocol, method, target, rawHeaders: pairsOf(request) })
}

function serve(client: WebSocket): void {
  const voice = VOICES[client.protocol] ?? VOICES['echo']!
  client.on('error', (error) => console.error('echo', error.message))
  client.on('message', (data, isBinary) => {
    const [, code, reason] = (!isBinary && CLOSE.exec(String(data))) || []
    if (code !== undefined) return client.close(Number(code), reason)
    // Who does not read what comes back is not read from either.
    client.pause()
    client.send(isBinary ? data : voice(String(data)), { binary: isBinary }, () => client.resume())
  })
}

/** Codes that an application may choose (RFC 6455 §7.4.2), and "normal". */
const CLOSE = /^\/close (1000|[34]\d{3})(?: (.{0,100}))?$/
