/**
 * Ourselves: a cloud process and a connector process of the built package, joined by mutual TLS.
 *
 * @module
 */
import { startIssuer } from '../../test/issuer.ts'
import { startProgram, type Child } from '../harness/child.ts'
import type { Workspace } from '../harness/workspace.ts'
import { REGISTRAR_AUDIENCE, startConnectorOf } from './connector.ts'
import type { Backends, Contender, Running, Target } from './contender.ts'

/** The connector is ready: the cloud's word of it can only be on its way. */
const LINKED_WITHIN_MS = 2_000

export type Binding = 'link' | 'plain'

/** What `--cpu-prof` and the like are given to. */
export interface Flags {
  readonly cloud?: readonly string[]
  readonly connector?: readonly string[]
}

/** Both processes, apart. */
export interface RunningAppProxy extends Running {
  readonly cloud: Child
  readonly connector: Child
}

export function appProxy(binding: Binding, signIn: boolean): Contender {
  return {
    name: `${binding}${signIn ? '+sign-in' : ''}`,
    title: `app-proxy, ${binding}${signIn ? ', signed in' : ''}`,
    start: (backends, workspace) => startAppProxy(binding, signIn, backends, workspace),
  }
}

export async function startAppProxy(
  binding: Binding,
  signIn: boolean,
  backends: Backends,
  workspace: Workspace,
  flags: Flags = {},
): Promise<RunningAppProxy> {
  const issuer = await startIssuer()
  workspace.onClose(() => issuer.close())
  const cloud = startProgram(
    workspace,
    'cloud',
    { stateDirectory: workspace.path('cloud'), directory: directory(issuer.url, backends) },
    flags.cloud,
  )
  const { port, connectorUrl, ca, cookies } = await cloud.line<{
    port: number
    connectorUrl: string
    ca: string
    cookies: Record<string, string>
  }>('port')
  const way = { url: connectorUrl, ca, binding }
  const connector = await startConnectorOf(workspace, issuer, way, flags.connector)
  // What is measured must be what the row says: a connector may fall back to plain.
  const isLinked = await cloud.line('linked', binding === 'link' ? LINKED_WITHIN_MS : 0).then(
    () => true,
    () => false,
  )
  if (isLinked !== (binding === 'link')) {
    throw new Error(`the connector came by the ${isLinked ? 'link' : 'plain'} binding`)
  }
  const prefix = signIn ? 'secure' : 'open'
  const target = (path: string, application: string): Target => ({
    port,
    host: `${prefix}.localhost`,
    path,
    ...(signIn && { cookie: cookies[application]! }),
  })
  return {
    page: target('/1k', 'secure'),
    download: (bytes) => target(`/bytes/${bytes}`, 'secure'),
    upload: target('/upload/', 'secure-upload'),
    processes: [cloud, connector],
    cloud,
    connector,
  }
}

/** The application twice, with and without sign-in; uploads go elsewhere, so they are applications of their own. */
function directory(issuer: string, { pages, uploads }: Backends): object {
  const inside = (port: number, path: string) => `http://127.0.0.1:${port}${path}`
  const open = { groupId: 'default', preAuthentication: 'passthrough' }
  const secure = {
    groupId: 'default',
    preAuthentication: 'oidc',
    client: { id: 'secure' },
    identityHeaders: { 'X-User': 'subject', 'X-Groups': 'groups' },
  }
  const applications = [
    { id: 'open', ...open, externalUrl: 'http://open.localhost/', internalUrl: inside(pages, '/') },
    {
      ...{ id: 'open-upload', ...open, externalUrl: 'http://open.localhost/upload/' },
      internalUrl: inside(uploads, '/upload/'),
    },
    {
      ...{ id: 'secure', ...secure, externalUrl: 'http://secure.localhost/' },
      internalUrl: inside(pages, '/'),
    },
    {
      ...{ id: 'secure-upload', ...secure, externalUrl: 'http://secure.localhost/upload/' },
      internalUrl: inside(uploads, '/upload/'),
    },
  ]
  return {
    tenants: [{ id: 'contoso', issuer, registrars: { audience: REGISTRAR_AUDIENCE } }],
    groups: [{ id: 'default', tenantId: 'contoso' }],
    applications,
  }
}
