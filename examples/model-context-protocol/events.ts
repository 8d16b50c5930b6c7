/**
 * What was said on each event stream of a session, so that a client whose stream broke off gets
 * what it has missed: it names the last event that it has.
 */
import type { EventStore } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'

const MOST_EVENTS = 1000

export class Events implements EventStore {
  readonly #said: { readonly stream: string; readonly message: JSONRPCMessage }[] = []
  /** Of the first that is kept. */
  #first = 0

  async storeEvent(stream: string, message: JSONRPCMessage): Promise<string> {
    this.#said.push({ stream, message })
    if (this.#said.length > MOST_EVENTS) {
      this.#said.shift()
      this.#first += 1
    }
    return String(this.#first + this.#said.length - 1)
  }

  async getStreamIdForEventId(id: string): Promise<string | undefined> {
    return this.#said[Number(id) - this.#first]?.stream
  }

  async replayEventsAfter(
    id: string,
    { send }: { readonly send: (id: string, message: JSONRPCMessage) => Promise<void> },
  ): Promise<string> {
    const at = Number(id) - this.#first
    const stream = this.#said[at]?.stream
    if (stream === undefined) throw new Error('an event that is not kept')
    for (const [i, event] of this.#said.slice(at + 1).entries())
      if (event.stream === stream) await send(String(Number(id) + 1 + i), event.message)
    return stream
  }
}
