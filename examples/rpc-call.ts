/**
 * Calls the gRPC service of rpc.ts, published or not, with a token as the call's credential.
 *
 *     node --import tsx examples/rpc-call.ts URL NAME [--ca FILE] [--authorization-file FILE]
 *
 * The file holds `Authorization: Bearer …`, as the demo keeps it. What was answered goes to stdout;
 * a call that fails is one line with its status on stderr, and code 1.
 */
import { readFile } from 'node:fs/promises'
import { credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { readSecretFile } from '#program/files'
import { readFlags } from '#program/flags'
import { runAs, type Surroundings } from '#program/program'
import { Greeter, type GreeterClient } from './rpc/greeter.ts'

const FLAGS = {
  ca: { value: 'FILE', text: 'whose certificate it trusts (default: the public ones)' },
  'authorization-file': { value: 'FILE', text: 'the header field with the token, mode 0600' },
} as const

/** Resolves with the exit code. */
export async function main(surroundings: Surroundings): Promise<number> {
  const { say, log } = surroundings
  const program = 'node --import tsx examples/rpc-call.ts'
  const flags = readFlags(surroundings, program, FLAGS, ['URL', 'NAME'])
  if (flags === undefined) return 0
  const [url, name] = flags.given
  const client = clientOf(url!, flags.ca === undefined ? undefined : await readFile(flags.ca))
  const shown = new Metadata()
  const file = flags['authorization-file']
  if (file !== undefined) {
    const field = await readSecretFile(file, { path: '--authorization-file' })
    shown.set('authorization', field.replace(/^authorization:/i, '').trim())
  }
  try {
    say(await greeted(client, name!, shown))
    return 0
  } catch (error) {
    const { code, details } = error as ServiceError
    log(`rpc-call: ${status[code]}: ${details}`)
    return 1
  } finally {
    client.close()
  }
}

function greeted(client: GreeterClient, name: string, shown: Metadata): Promise<string> {
  return new Promise((done, failed) =>
    client.greet({ name }, shown, {}, (error, word) =>
      error === null ? done(word!.text) : failed(error),
    ),
  )
}

/** Names below `localhost` are this machine, also where its resolver does not know them. */
function clientOf(text: string, ca: Buffer | undefined): GreeterClient {
  const { protocol, host, hostname, port } = readUrl(text)
  const isHere = hostname === 'localhost' || hostname.endsWith('.localhost')
  const address = `${isHere ? '127.0.0.1' : hostname}:${port || (protocol === 'https:' ? 443 : 80)}`
  return protocol === 'http:'
    ? new Greeter(address, credentials.createInsecure(), { 'grpc.default_authority': host })
    : new Greeter(address, credentials.createSsl(ca), {
        'grpc.default_authority': host,
        'grpc.ssl_target_name_override': hostname,
      })
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url
  const detail = 'must be an http or https URL'
  throw new ConfigurationInvalid([{ path: 'argument 1', detail, value: JSON.stringify(text) }])
}

await runAs('rpc-call', main, import.meta.url)
