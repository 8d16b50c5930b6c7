/**
 * Ourselves as an operator runs us: `app-proxy cloud run` of the built package with so many
 * instances, and a connector. Processor time is that of the cloud alone.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { startIssuer } from '../../test/issuer.ts'
import { Child } from '../harness/child.ts'
import type { Workspace } from '../harness/workspace.ts'
import { REGISTRAR_AUDIENCE, startConnectorOf } from './connector.ts'
import type { Backends, Contender, Running, Target } from './contender.ts'

const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

interface Ready {
  readonly usersUrl: string
  readonly connectorUrl: string
  readonly caFile: string
}

export function cloudRun(instances: number): Contender {
  return {
    name: `cloud-run-${instances}`,
    title: `app-proxy cloud run --instances ${instances}`,
    start: (backends, workspace) => start(instances, backends, workspace),
  }
}

async function start(
  instances: number,
  { pages, uploads }: Backends,
  workspace: Workspace,
): Promise<Running> {
  const issuer = await startIssuer()
  workspace.onClose(() => issuer.close())
  const published = (id: string, path: string, port: number) => ({
    ...{ id, groupId: 'default', preAuthentication: 'passthrough' },
    externalUrl: `http://open.localhost${path}`,
    internalUrl: `http://127.0.0.1:${port}${path}`,
  })
  const file = workspace.path('cloud.json')
  const configuration = {
    ...{ stateDir: workspace.path('cloud'), users: { port: 0 }, connectors: { port: 0 } },
    audit: { to: { file: '/dev/null' } },
    // The load of many users comes as that of one.
    shares: { application: 1, user: 1 },
    directory: {
      tenants: [
        { id: 'contoso', issuer: issuer.url, registrars: { audience: REGISTRAR_AUDIENCE } },
      ],
      groups: [{ id: 'default', tenantId: 'contoso' }],
      applications: [published('open', '/', pages), published('sink', '/upload/', uploads)],
    },
  }
  await writeFile(file, JSON.stringify(configuration), { mode: 0o600 })
  const run = ['cloud', 'run', '--config', file, '--json', '--instances', String(instances)]
  const cloud = new Child(workspace, 'cloud', process.execPath, [PROGRAM, ...run])
  const { usersUrl, connectorUrl, caFile } = await cloud.line<Ready>('usersUrl')
  const ca = readFileSync(caFile, 'utf8')
  await startConnectorOf(workspace, issuer, { url: connectorUrl, ca, binding: 'link' })
  const target = (path: string): Target => ({
    ...{ port: Number(new URL(usersUrl).port), host: 'open.localhost', path },
  })
  return {
    page: target('/1k'),
    download: (bytes) => target(`/bytes/${bytes}`),
    upload: target('/upload/'),
    processes: [cloud],
  }
}
