/**
 * The way to a real application: a user listener with and without TLS, a cloud, a connector, and
 * one application that is published as a test says.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startTunnel, type Tunnel } from '../integration/tunnel.ts'

const AUDIENCE = 'a'
/** Hosts of applications that must not take their users for their neighbours. */
export const NOTES = 'notes.localhost'
export const WIKI = 'wiki.localhost'

/** What a program needs that shows its token as Basic's password, or as Bearer. */
export const BEHIND_SIGN_IN = {
  preAuthentication: 'oidc',
  client: { id: 'application' },
  bearer: { audiences: [AUDIENCE], basicToken: true },
} as const

export class Publication {
  readonly tunnel: Tunnel

  private constructor(tunnel: Tunnel) {
    this.tunnel = tunnel
  }

  static async start(): Promise<Publication> {
    const names = ['localhost', NOTES, WIKI]
    return new Publication(await startTunnel({ backend: (_, response) => response.end(), names }))
  }

  /**
   * Publishes what serves there in the place of what was published before. Its external URL.
   *
   * @param name what users call its host. Default: `localhost`, which every program finds
   */
  publish(
    scheme: 'http' | 'https',
    internalUrl: string,
    settings: object = {},
    name = 'localhost',
  ): string {
    const { tunnel } = this
    const externalUrl = `${scheme}://${name}:${scheme === 'http' ? tunnel.port : tunnel.tlsPort}/`
    tunnel.directory.replace({
      tenants: [{ id: 'contoso', issuer: tunnel.issuer.url, registrars: { audience: 'urn:r' } }],
      groups: [{ id: 'default', tenantId: 'contoso' }],
      applications: [
        {
          ...{ id: 'application', groupId: 'default', externalUrl, internalUrl },
          ...{ preAuthentication: 'passthrough', ...settings },
        },
      ],
    })
    return externalUrl
  }

  /** A user's token; as short as one can be, for programs that keep no more of a password. */
  token(subject = 'u'): Promise<string> {
    const unsaid: { kid?: string } = { kid: undefined as never }
    return this.tunnel.issuer.sign({ sub: subject, aud: AUDIENCE }, unsaid)
  }

  /** A file with the root of the user listener's certificate. */
  caFile(folder: string): string {
    const file = join(folder, 'ca.pem')
    writeFileSync(file, this.tunnel.ca)
    return file
  }

  close(): Promise<void> {
    return this.tunnel.close()
  }
}
