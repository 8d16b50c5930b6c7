/**
 * A cloud as the example server assembles it, of the built package. It also signs a user in, without the issuer: the session cookies of its two
 * applications are in its first line. It says when a connector has opened a multiplexed link.
 */
import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  createCertificateAuthority,
  createCloud,
  createDirectory,
  createServerAuthority,
  jsonLinesAudit,
  KeyRing,
} from 'app-proxy/cloud'
import { openLmdbRegistry } from 'app-proxy/cloud/lmdb'
import { authorityFile, createConnectorListener, createUserListener } from 'app-proxy/cloud/node'
import { listen, processOptions, say } from './process-options.mjs'

const ONE_HOUR_MS = 3_600_000

const { stateDirectory, directory: configuration } = await processOptions()
const inState = (name) => join(stateDirectory, name)
await mkdir(stateDirectory, { recursive: true, mode: 0o700 })

const directory = createDirectory(configuration)
const keyRing = await KeyRing.open()
const servers = await createServerAuthority({ store: authorityFile(inState('servers.pem')) })
const instances = {}
const cloud = createCloud({
  directory,
  registry: openLmdbRegistry({ path: inState('registry.lmdb') }),
  authority: await createCertificateAuthority({ store: authorityFile(inState('connectors.pem')) }),
  keyRing,
  audit: jsonLinesAudit((line) => console.error(line)),
  instances: () => instances,
  cloudAuthorities: [servers.certificate],
  // The load of many users comes as that of one.
  shares: { application: 1, user: 1 },
})
const { key, certificate: cert, ca } = await servers.issue()
const connectors = createConnectorListener(cloud, { key, cert, grease: false })
connectors.server.prependListener('upgrade', () => say({ linked: true }))
const connectorUrl = `https://127.0.0.1:${await listen(connectors.server)}`
instances['cloud-1'] = connectorUrl
const port = await listen(createUserListener(cloud.edge))
say({ port, connectorUrl, ca, cookies: await signIn() })

/** Application id → what a signed-in browser would send. */
async function signIn() {
  const { sessions } = cloud
  const identity = {
    subject: randomUUID(),
    issuer: configuration.tenants[0].issuer,
    name: 'Alice Example',
    email: 'alice@contoso.example',
    groups: ['staff', 'engineering', 'everybody'],
    roles: ['reader'],
    authenticatedAt: Date.now(),
    expiresAt: Date.now() + ONE_HOUR_MS,
  }
  const protectedOnes = directory
    .applications()
    .filter(({ preAuthentication }) => preAuthentication === 'oidc')
  return Object.fromEntries(
    await Promise.all(
      protectedOnes.map(async (application) => {
        const { host } = new URL(application.externalUrl)
        const { setCookie } = await sessions.start(application, host, identity)
        return [application.id, setCookie.split(';', 1)[0]]
      }),
    ),
  )
}
