/** What `greeter.proto` says, as `@grpc/grpc-js` wants it. */
import { fileURLToPath } from 'node:url'
import {
  loadPackageDefinition,
  type CallOptions,
  type ChannelCredentials,
  type Client,
  type ClientOptions,
  type ClientReadableStream,
  type Metadata,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

export interface Greeting {
  readonly name: string
}
export interface Span {
  readonly words: number
}
export interface Word {
  readonly text: string
}

export interface GreeterClient extends Client {
  greet(
    greeting: Greeting,
    metadata: Metadata,
    options: CallOptions,
    done: (error: ServiceError | null, word?: Word) => void,
  ): void
  count(span: Span, metadata: Metadata): ClientReadableStream<Word>
}

interface Greeter {
  new (address: string, credentials: ChannelCredentials, options?: ClientOptions): GreeterClient
  readonly service: ServiceDefinition
}

const PROTO = fileURLToPath(new URL('greeter.proto', import.meta.url))

/** The service, and what makes its clients. */
export const Greeter = (
  loadPackageDefinition(loadSync(PROTO)) as unknown as { demo: { Greeter: Greeter } }
).demo.Greeter
