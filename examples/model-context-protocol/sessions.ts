/**
 * A server for each session. A session is its user's: whoever else names it is told that there is
 * none.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { Events } from './events.ts'

interface Session {
  readonly user: string
  readonly transport: StreamableHTTPServerTransport
}

export class Sessions {
  readonly #open = new Map<string, Session>()

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const user = request.headers['x-user']
    const id = request.headers['mcp-session-id']
    // Without the cloud before it nobody would have said who calls.
    if (typeof user !== 'string') return void response.writeHead(403).end()
    if (typeof id !== 'string') return this.#begin(user, request, response)
    const session = this.#open.get(id)
    if (session?.user !== user) return void response.writeHead(404).end()
    return session.transport.handleRequest(request, response)
  }

  /** A session that stays open if its client says what it can. */
  async #begin(user: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const id = randomUUID()
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => id,
      onsessionclosed: () => void this.#open.delete(id),
      eventStore: new Events(),
      // How soon a client comes again whose stream broke off. Milliseconds.
      retryInterval: 100,
    })
    // Its optional members are written without `undefined`.
    await serverFor(user).connect(transport as Transport)
    this.#open.set(id, { user, transport })
    await transport.handleRequest(request, response)
    if (transport.sessionId === undefined) this.#open.delete(id)
  }
}

function serverFor(user: string): McpServer {
  const server = new McpServer(
    { name: 'app-proxy-example', version: '1.0.0' },
    { capabilities: { logging: {} } },
  )
  server.registerTool('who', { description: 'Tells who calls.' }, () => ({
    content: [{ type: 'text', text: user }],
  }))
  server.registerTool(
    'count',
    { description: 'Counts to ten, aloud, a number each tenth of a second.' },
    async ({ sendNotification }) => {
      for (let number = 1; number <= 10; number++) {
        await sendNotification({
          method: 'notifications/message',
          params: { level: 'info', data: number },
        })
        await wait(100)
      }
      return { content: [{ type: 'text', text: 'ten' }] }
    },
  )
  return server
}
