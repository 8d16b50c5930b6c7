/**
 * What a cloud is asked by connectors, users and an operator: one call each, over its own listeners. Answered means: every octet of the answer has come.
 */
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import type { ConnectorIdentity } from '../../src/connector/index.ts'
import { createCertificateRequest } from '../../src/connector/certificate-request.ts'
import { HttpsControlChannel } from '../../src/connector/node/index.ts'
import { PROTOCOL_VERSION, type RegisteredReply } from '../../src/protocol/internal.ts'

/** What `app-proxy cloud run` says when it is ready. */
export interface CloudReady {
  readonly usersUrl: string
  readonly connectorUrl: string
  readonly adminUrl: string
  readonly caFile: string
}

/** Of which host its user asks. */
export const HOST = 'wiki.localhost'

/** By a registrar's token, or by a ticket. */
export type Shown = { readonly token: string } | { readonly ticket: string }

/** A cloud that runs. */
export class CloudCalls {
  readonly #ready: CloudReady
  readonly #ca: string
  readonly #operator: string

  constructor(ready: CloudReady, stateDirectory: string) {
    this.#ready = ready
    this.#ca = readFileSync(ready.caFile, 'utf8')
    this.#operator = readFileSync(join(stateDirectory, 'admin-token'), 'utf8').trim()
  }

  /** @throws what the connection says, or an error with the reason of the refusal */
  async register(keys: CryptoKeyPair, name: string, shown: Shown): Promise<RegisteredReply> {
    const request = await createCertificateRequest(keys, crypto)
    const features = 'ticket' in shown ? ['enrolment-ticket'] : []
    const reply = await this.#connector((channel, signal) =>
      channel.register(
        {
          ...{ v: PROTOCOL_VERSION, type: 'registration', ...shown, request, features },
          instance: { name, version: '1.0.0' },
        },
        { signal },
      ),
    )
    if (reply.type === 'registered') return reply
    throw Object.assign(new Error(`refused: ${reply.reason}`), { reason: reply.reason })
  }

  /** A pull; with `keys` the next certificate is asked for. */
  async configuration(identity: ConnectorIdentity, keys?: CryptoKeyPair) {
    const request = keys && (await createCertificateRequest(keys, crypto))
    return this.#connector((channel, signal) =>
      channel.configuration(
        { v: PROTOCOL_VERSION, type: 'configuration', request },
        { signal, identity },
      ),
    )
  }

  /** What a page's script asks in its user's name: the status. */
  user(method: 'GET' | 'POST', path: string, cookie: string): Promise<number> {
    const { port } = new URL(this.#ready.usersUrl)
    const ours = { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' }
    const headers = { host: HOST, accept: 'application/json', cookie, ...ours }
    const target = { host: '127.0.0.1', port, path, method, headers, agent: false }
    return new Promise((answered, failed) => {
      request(target, (response) => {
        response.on('end', () => answered(response.statusCode!)).on('error', failed)
        response.resume()
      })
        .on('error', failed)
        .end()
    })
  }

  /** @throws an error with the status, where the operator is told no */
  async operator<T>(method: 'GET' | 'POST', path: string, body?: object): Promise<T> {
    const answer = await fetch(new URL(path, this.#ready.adminUrl), {
      method,
      headers: {
        ...{ authorization: `Bearer ${this.#operator}`, 'content-type': 'application/json' },
        'if-match': '*',
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (!answer.ok) throw Object.assign(new Error(`${path}: ${text}`), { reason: text })
    return (text === '' ? undefined : JSON.parse(text)) as T
  }

  async #connector<T>(
    call: (channel: HttpsControlChannel, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const channel = new HttpsControlChannel({ url: this.#ready.connectorUrl, ca: this.#ca })
    try {
      return await call(channel, AbortSignal.timeout(30_000))
    } finally {
      await channel.close()
    }
  }
}
