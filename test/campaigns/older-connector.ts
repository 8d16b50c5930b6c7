/**
 * A connector as it was packed at an earlier commit, beside a cloud of this one. In short: test/integration/older-connectors.test.ts, where a connector made by
 * hand names what earlier ones named.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { buildReference } from '../../bench/harness/reference-build.ts'
import { Workspace } from '../../bench/harness/workspace.ts'
import { CLI, Example } from '../integration/processes.ts'
import { UserAgent } from '../examples/demo-process.ts'
import { until } from '../until.ts'
import { exactly, type Campaign, type Figure } from './campaign.ts'

/** The last commit whose connector cannot sign anybody on. */
const EARLIER = '164df5e'
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

/** What an application demands of its connector, and the feature by which one says that it can. */
const DEMANDS: Readonly<Record<string, readonly [feature: string, settings: object]>> = {
  inject: ['sign-on/inject', { signOn: { kind: 'inject' } }],
  bound: ['affinity', { signOn: { kind: 'connection-bound' } }],
  http2: ['h2', { backendProtocol: 'h2c' }],
  silent: ['idle-limits', { limits: { responseIdleMs: 600_000 } }],
  device: ['lenient/space-before-colon', { lenient: ['space-before-colon'] }],
}

const CONNECTOR = `
import { readFile } from 'node:fs/promises'
import { startConnector } from 'app-proxy/connector/node'
const [url, ca, stateDirectory, ticket] = process.argv.slice(2)
const connector = await startConnector({
  url, stateDirectory,
  ca: await readFile(ca, 'utf8'),
  ticket: async () => (await readFile(ticket, 'utf8')).trim(),
})
while (!connector.isReady) await new Promise((later) => setTimeout(later, 20))
console.log(connector.identity.connectorId)
process.on('SIGTERM', async () => { await connector.stop(); process.exit(0) })
`

export const campaign: Campaign = {
  title: `A connector packed at ${EARLIER} serves what it can, and is offered nothing else; users and operators are told why.`,
  async run(say) {
    const workspace = await Workspace.open()
    try {
      return await figuresOf(workspace, say)
    } finally {
      await workspace.close()
    }
  },
}

async function figuresOf(workspace: Workspace, say: (line: string) => void): Promise<Figure[]> {
  const project = await earlierPackage(workspace, say)
  const site = await Example.start<{ url: string }>('intranet', ['--port', '0'])
  workspace.onClose(async () => void (await site.stop()))
  const configuration = workspace.path('cloud.json')
  await writeFile(configuration, JSON.stringify(cloudOf(workspace, site.ready.url)), {
    mode: 0o600,
  })
  const cloud = await Example.start<{ usersUrl: string; connectorUrl: string; caFile: string }>(
    'cloud run',
    ['--config', configuration],
  )
  workspace.onClose(async () => void (await cloud.stop()))
  const { usersUrl, connectorUrl, caFile } = cloud.ready

  const ticket = workspace.path('ticket')
  const order = ['--config', configuration, '--tenant', 'contoso', '--active', '--out', ticket]
  await run(process.execPath, ['--import', 'tsx', CLI, 'cloud', 'ticket', ...order], {
    cwd: ROOT,
  })
  const program = join(project, 'connector.mjs')
  await writeFile(program, CONNECTOR)
  const states = workspace.path('connector')
  const child = spawn(process.execPath, [program, connectorUrl, caFile, states, ticket], {
    cwd: project,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  workspace.onClose(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill()
    await exit
  })
  const [connectorId] = (await once(createInterface(child.stdout), 'line')) as [string]
  say(`the earlier connector is ${connectorId}`)

  const user = new UserAgent(await readFile(caFile, 'utf8'))
  const at = (host: string) => usersUrl.replace(/\/\/[^:/]+/, `//${host}.localhost`)
  const figures = [exactly('status of what it can serve', (await user.get(at('open'))).status, 200)]
  for (const [name, [feature]] of Object.entries(DEMANDS)) {
    const page = await user.get(at(name))
    figures.push(exactly(`status of what needs ${feature}`, page.status, 501))
    const isSaid = page.text.includes('connector-too-old')
    figures.push(exactly(`pages that say why (${feature})`, Number(isSaid), 1))
    const isTold = (line: string) =>
      line.includes('"connector.too-old"') && line.includes(connectorId) && line.includes(feature)
    await until(() => cloud.said.some(isTold))
    figures.push(exactly(`events that name it (${feature})`, cloud.said.filter(isTold).length, 1))
  }
  figures.push(
    exactly('status of what it can serve, after', (await user.get(at('open'))).status, 200),
  )
  return figures
}

/** A project with the package as it was packed then. */
async function earlierPackage(workspace: Workspace, say: (line: string) => void): Promise<string> {
  const { root } = await buildReference(EARLIER, workspace, say)
  const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', workspace.directory]
  const { stdout } = await run('npm', pack, { cwd: root })
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
  const project = workspace.path('project')
  await mkdir(project)
  await writeFile(join(project, 'package.json'), '{ "private": true, "type": "module" }')
  const quietly = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']
  await run('npm', ['install', ...quietly, workspace.path(filename)], { cwd: project })
  return project
}

function cloudOf(workspace: Workspace, internalUrl: string): object {
  const application = (id: string, settings: object) => ({
    ...{ id, groupId: 'default', preAuthentication: 'passthrough' },
    ...{ externalUrl: `https://${id}.localhost/`, internalUrl: `${internalUrl}/`, ...settings },
  })
  const tenant = { id: 'contoso', issuer: 'https://id.contoso.example', enrolmentTickets: true }
  return {
    stateDir: workspace.path('cloud'),
    users: { host: '127.0.0.1', port: 0, tls: 'generated' },
    connectors: { host: '127.0.0.1', port: 0 },
    audit: { to: 'stderr' },
    directory: {
      tenants: [{ ...tenant, registrars: { audience: 'urn:app-proxy:registration' } }],
      groups: [{ id: 'default', tenantId: 'contoso' }],
      applications: [
        application('open', {}),
        ...Object.entries(DEMANDS).map(([id, [, settings]]) => application(id, settings)),
      ],
    },
  }
}
