/**
 * Sites on this machine that a browser takes for different ones: names under `.test`, by https with a certificate of an authority of this module's own.
 *
 * `app.corp.test` and `wiki.corp.test` are one site, `login.idp.test` is another. Names under `localhost` will not do: Chromium takes each of them for a site of its own.
 */
import { createHash, X509Certificate } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { Server as HttpServer, RequestListener } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo, LookupFunction } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type BrowserContext } from 'playwright-core'
import { Agent, fetch as fetchBy, type RequestInit as Init } from 'undici'
import { createServerAuthority } from '../../src/cloud/index.ts'
import { memoryAuthorityStore } from '../cloud/authority/memory-authority-store.ts'
import { BROWSER_ARGUMENTS, CHROMIUM } from './chromium-program.ts'

/** Two registrable domains. One label may stand before each: `app.corp.test`. */
export const SITES = ['corp.test', 'idp.test'] as const

export type ThirdPartyCookies = 'allowed' | 'blocked'

export interface Sites {
  /** PEM, for a TLS listener: good for every name of {@link SITES}. */
  readonly tls: { readonly key: string; readonly cert: string }
  /** PEM: the authority. */
  readonly ca: string
  /** Finds the names on this machine, and trusts the authority. */
  readonly fetch: typeof fetch
  /** An https server of its own on a free port, which ends with the sites. */
  serve(answer?: RequestListener): Promise<{ readonly server: Server; readonly port: number }>
  /** The server listens on a free port of 127.0.0.1, and ends with the sites. */
  listen(server: HttpServer | Server): Promise<number>
  /** A new browser that knows no cookies; it ends with the sites. Chromium blocks third-party cookies unless it is told not to. */
  browse(thirdPartyCookies: ThirdPartyCookies): Promise<BrowserContext>
  close(): Promise<void>
}

export async function startSites(): Promise<Sites> {
  const authority = await createServerAuthority({ store: memoryAuthorityStore() })
  const dnsNames = SITES.flatMap((domain) => [domain, `*.${domain}`])
  const { key, certificate: cert, ca } = await authority.issue({ dnsNames })
  const agent = new Agent({ connect: { ca, lookup: here } })
  const ends: (() => Promise<void>)[] = [() => agent.close()]

  const listen = async (server: HttpServer | Server): Promise<number> => {
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
    ends.push(async () => {
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    })
    return (server.address() as AddressInfo).port
  }
  return {
    tls: { key, cert },
    ca,
    fetch: ((url: string, init?: Init) =>
      fetchBy(url, { ...init, dispatcher: agent })) as unknown as typeof fetch,
    async serve(answer) {
      const server = createServer({ key, cert }, answer)
      return { server, port: await listen(server) }
    },
    listen,
    async browse(thirdPartyCookies) {
      const profile = await mkdtemp(join(tmpdir(), 'app-proxy-browser-'))
      await writePreferences(profile, thirdPartyCookies)
      const context = await chromium.launchPersistentContext(profile, {
        executablePath: CHROMIUM,
        viewport: { width: 900, height: 700 },
        args: [
          ...BROWSER_ARGUMENTS,
          `--ignore-certificate-errors-spki-list=${keyPin(cert)}`,
          '--host-resolver-rules=MAP *.test 127.0.0.1',
        ],
      })
      ends.push(async () => {
        await context.close()
        await rm(profile, { recursive: true, force: true })
      })
      return context
    },
    async close() {
      // A browser first: nobody is to wait for what it keeps open.
      for (const end of ends.reverse()) await end()
    },
  }
}

/** A profile with preferences of its own: contexts made later always block. */
async function writePreferences(profile: string, cookies: ThirdPartyCookies): Promise<void> {
  const isBlocked = cookies === 'blocked'
  const preferences = {
    profile: { block_third_party_cookies: isBlocked, cookie_controls_mode: isBlocked ? 1 : 0 },
  }
  await mkdir(join(profile, 'Default'))
  await writeFile(join(profile, 'Default', 'Preferences'), JSON.stringify(preferences))
}

/** Chromium is told which key to believe, and checks every other certificate as ever. */
function keyPin(cert: string): string {
  const octets = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(octets).digest('base64')
}

const here: LookupFunction = (host, options, found) => {
  if (!/(^|\.)(corp|idp)\.test$/.test(host)) return found(new Error(`${host} is elsewhere`), '', 4)
  if (options.all) return found(null, [{ address: '127.0.0.1', family: 4 }])
  found(null, '127.0.0.1', 4)
}
