/** What tests with real issuers share: a cloud made of the configuration that a page of the documentation shows, and a client that follows addresses as a browser does. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request as ask, type IncomingMessage } from 'node:http'
import {
  createCertificateAuthority,
  createCloud,
  createDirectory,
  createMemoryRegistry,
  defaultCryptoProvider,
  KeyRing,
  type AuditEvent,
} from '../../src/cloud/index.ts'
import { createUserListener } from '../../src/cloud/node/index.ts'
import { memoryAuthorityStore } from '../cloud/trust.ts'

/** The configuration that a page shows, with the ports of this run. */
export function shownConfiguration(page: string, ports: ReadonlyMap<number, number>): unknown {
  const text = readFileSync(new URL(`../../docs/issuers/${page}`, import.meta.url), 'utf8')
  let block = /<!-- configuration -->\s*```json\n([^]*?)```/.exec(text)![1]!
  for (const [shown, port] of ports)
    block = block.replaceAll(new RegExp(`:${shown}\\b`, 'g'), `:${port}`)
  return JSON.parse(block)
}

/** A cloud without connectors: whoever is let in reads that nobody serves the application. */
export async function startCloud(configuration: unknown, port: number) {
  const crypto = await defaultCryptoProvider()
  const clocks = { now: () => performance.now(), wallClock: () => Date.now() }
  // Issuers name users by random texts, which the watch over secrets would take for some.
  const audit: AuditEvent[] = []
  const cloud = createCloud({
    directory: createDirectory(configuration as never),
    registry: createMemoryRegistry(),
    authority: await createCertificateAuthority({ crypto, clocks, store: memoryAuthorityStore() }),
    keyRing: await KeyRing.open({ wallClock: clocks.wallClock }),
    audit: { write: (event) => void audit.push(event) },
    instances: () => ({}),
    cloudAuthorities: [],
    limits: { queueWaitMs: 10 },
  })
  const listener = createUserListener(cloud.edge, undefined)
  await new Promise<void>((resolve) => listener.listen(port, '127.0.0.1', resolve))
  return {
    audit,
    close: () => void listener.close(),
  }
}

export interface Page {
  readonly url: URL
  readonly status: number
  readonly location: URL | undefined
  readonly body: string
}

/** Keeps cookies by host name and path, finds every `*.localhost` on this machine, and goes where it is told. */
export class Client {
  readonly #cookies = new Map<string, { host: string; path: string; pair: string }>()

  async go(
    to: URL | string,
    body?: string | URLSearchParams,
    {
      method = body === undefined ? 'GET' : 'POST',
      type = 'application/x-www-form-urlencoded',
    } = {},
  ): Promise<Page> {
    const url = new URL(to)
    const cookie = [...this.#cookies.values()]
      .filter(({ host, path }) => host === url.hostname && url.pathname.startsWith(path))
      .map(({ pair }) => pair)
      .join('; ')
    const request = ask({
      ...{ host: '127.0.0.1', port: url.port, path: url.pathname + url.search, method },
      headers: {
        ...{ host: url.host, accept: 'text/html', origin: url.origin },
        ...(cookie !== '' && { cookie }),
        ...(body !== undefined && { 'content-type': type }),
      },
    })
    request.end(body === undefined ? undefined : String(body))
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) text += String(chunk)
    for (const set of response.headers['set-cookie'] ?? []) this.#keep(url.hostname, set)
    const { location } = response.headers
    return {
      ...{ url, status: response.statusCode!, body: text },
      location: location === undefined ? undefined : new URL(location, url),
    }
  }

  /** Follows redirects until an answer is none, or leads to where `until` says. */
  async follow(page: Page, until: (location: URL) => boolean = () => false): Promise<Page> {
    let at = page
    for (let i = 0; i < 12; i++) {
      if (at.location === undefined || until(at.location)) return at
      at = await this.go(at.location)
    }
    throw new Error(`redirects without end: ${at.url.href}`)
  }

  #keep(host: string, set: string): void {
    const [pair = '', ...attributes] = set.split(/;\s*/)
    const name = pair.slice(0, pair.indexOf('='))
    const path = attributes.find((one) => /^path=/i.test(one))?.slice(5) ?? '/'
    const key = JSON.stringify([host, path, name])
    const isOver = attributes.some((one) => /^max-age=0$|^expires=.* (1970|2015) /i.test(one))
    if (isOver) this.#cookies.delete(key)
    else this.#cookies.set(key, { host, path, pair })
  }
}
