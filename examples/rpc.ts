/**
 * A small private gRPC service, to be published: it tells its callers what it knows of them.
 *
 *     node --import tsx examples/rpc.ts [--port N]
 *
 * One line of JSON on stdout says that it is ready: `{"url":"…"}`. It speaks HTTP/2 in the clear
 * (`"backendProtocol": "h2c"`), and knows its users by the field `X-User`, which only the cloud
 * writes, so it listens on the loopback, where the connector is.
 *
 * - rpc/greeter.proto  what can be called
 * - rpc-call.ts        calls it
 */
import {
  Server,
  ServerCredentials,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Metadata,
} from '@grpc/grpc-js'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { readFlags, readPort } from '#program/flags'
import { aborted, runAs, type Surroundings } from '#program/program'
import { Greeter, type Greeting, type Span, type Word } from './rpc/greeter.ts'

const FLAGS = {
  port: { value: 'N', text: 'the port it listens on (default: a free one)' },
} as const

/** Resolves with the exit code, when it has ended. */
export async function main(surroundings: Surroundings): Promise<number> {
  const { say, signal } = surroundings
  const flags = readFlags(surroundings, 'node --import tsx examples/rpc.ts', FLAGS)
  if (flags === undefined) return 0
  const server = new Server()
  server.addService(Greeter.service, { greet, count })
  const port = await listen(server, flags.port === undefined ? 0 : readPort(flags.port))
  say(JSON.stringify({ url: `http://127.0.0.1:${port}` }))
  await aborted(signal)
  server.forceShutdown()
  return 0
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((ready, failed) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (cause, bound) => {
      if (cause === null) return ready(bound)
      const detail = `cannot be listened on: ${cause.message}`
      failed(new ConfigurationInvalid([{ path: '--port', detail, value: String(port) }], { cause }))
    })
  })
}

const greet: handleUnaryCall<Greeting, Word> = ({ metadata, request }, done) =>
  done(null, { text: `Hello ${request.name}, you came as ${userOf(metadata)}.` })

const count: handleServerStreamingCall<Span, Word> = (call) => {
  for (let n = 1; n <= call.request.words; n++) call.write({ text: String(n) })
  call.end()
}

const userOf = (metadata: Metadata) => String(metadata.get('x-user')[0] ?? 'nobody')

await runAs('rpc', main, import.meta.url)
