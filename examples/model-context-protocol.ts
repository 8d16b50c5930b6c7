/**
 * A private server of the Model Context Protocol, to be published: its tools tell who calls, and
 * count aloud.
 *
 *     node --import tsx examples/model-context-protocol.ts [--port N]
 *
 * One line of JSON on stdout says that it is ready: `{"url":"…"}`. It knows its users by the field
 * `X-User`, which only the cloud writes, so it listens on the loopback, where the connector is.
 *
 * - model-context-protocol/sessions.ts  one server for each session, and whose session it is
 * - model-context-protocol/events.ts    what was said on each event stream, to be said again
 */
import { createServer } from 'node:http'
import { Sessions } from './model-context-protocol/sessions.ts'
import { readFlags, readPort } from '#program/flags'
import { listen } from '#program/listen'
import { aborted, runAs, type Surroundings } from '#program/program'

const FLAGS = {
  port: { value: 'N', text: 'the port it listens on (default: a free one)' },
} as const

/** Resolves with the exit code, when it has ended. */
export async function main(surroundings: Surroundings): Promise<number> {
  const { say, log, signal } = surroundings
  const program = 'node --import tsx examples/model-context-protocol.ts'
  const flags = readFlags(surroundings, program, FLAGS)
  if (flags === undefined) return 0
  const sessions = new Sessions()
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    if (request.url !== '/mcp') return void response.writeHead(404).end()
    sessions.serve(request, response).catch((error: Error) => {
      log(error.message)
      response.destroy()
    })
  })
  const wanted = flags.port === undefined ? 0 : readPort(flags.port)
  const port = await listen(server, { port: wanted, host: '127.0.0.1', at: '--' })
  say(JSON.stringify({ url: `http://127.0.0.1:${port}/mcp` }))
  await aborted(signal)
  await new Promise((closed) => {
    server.close(closed)
    server.closeAllConnections()
  })
  return 0
}

await runAs('model-context-protocol', main, import.meta.url)
