/**
 * A connector as it was packed at an earlier commit beside a cloud of this one, and a connector of this one beside the cloud that was packed then. In short:
 * test/integration/older-connectors.test.ts, where a connector made by hand names what earlier ones named.
 */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort, Workspace } from '../../bench/harness/workspace.ts'
import { CLI, Example } from '../integration/processes.ts'
import { until } from '../until.ts'
import { atMost, exactly, type Campaign, type Figure } from './campaign.ts'
import { EarlierPackage } from './earlier/packed.ts'
import { startEcho, Users } from './earlier/users.ts'

/** The last commit whose connector cannot sign anybody on. */
const BEFORE_SIGN_ON = '164df5e'
/** The last commit whose instances do not share work. */
const BEFORE_FLEET = '423b4a0'
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const INSTANCES = 2
const SOON_MS = 60_000
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

interface CloudReady {
  readonly usersUrl: string
  readonly connectorUrl: string
  readonly caFile: string
}

export const campaign: Campaign = {
  title: `Connectors packed at ${BEFORE_SIGN_ON} and ${BEFORE_FLEET} serve what they can at two instances of this cloud, and are offered nothing else; this connector serves at the clouds packed then, and comes back to them.`,
  async run(say) {
    const figures: Figure[] = []
    for (const ref of [BEFORE_SIGN_ON, BEFORE_FLEET]) {
      const workspace = await Workspace.open()
      try {
        const earlier = await EarlierPackage.at(ref, workspace, say)
        say(`the connector of ${ref}`)
        figures.push(...(await earlierConnector(earlier, await workspace.part())))
        say(`the cloud of ${ref}`)
        figures.push(...(await earlierCloud(earlier, await workspace.part())))
      } finally {
        await workspace.close()
      }
    }
    return figures
  },
}

async function earlierConnector(earlier: EarlierPackage, workspace: Workspace): Promise<Figure[]> {
  const by = `connector of ${earlier.commit}`
  const { url } = await startEcho(workspace)
  const demands = earlier.commit.startsWith(BEFORE_SIGN_ON) ? DEMANDS : {}
  const configuration = workspace.path('cloud.json')
  await writeConfiguration(configuration, cloudOf(workspace, url, demands))
  const cloud = await Example.start<CloudReady>('cloud run', [
    ...['--config', configuration, '--instances', String(INSTANCES)],
  ])
  workspace.onClose(async () => void (await cloud.stop()))
  const { usersUrl, connectorUrl, caFile } = cloud.ready
  const ticket = workspace.path('ticket')
  const order = ['cloud', 'ticket', ...ticketFor(configuration, ticket)]
  await run(process.execPath, ['--import', 'tsx', CLI, ...order], { cwd: ROOT })
  const states = workspace.path('connector')
  const connector = await earlier.startProgram(CONNECTOR, connectorUrl, caFile, states, ticket)

  const users = new Users(usersUrl, 'open')
  const figures = [...(await users.carried(by))]
  for (const [name, [feature]] of Object.entries(demands)) {
    const page = await new Users(usersUrl, name).ask('/')
    figures.push(exactly(`status of what needs ${feature} (${by})`, page.status, 501))
    const isSaid = page.body.includes('connector-too-old')
    figures.push(exactly(`pages that say why, ${feature} (${by})`, Number(isSaid), 1))
    const isTold = (line: string) =>
      ['"connector.too-old"', connector.ready, feature].every((word) => line.includes(word))
    await until(() => cloud.said.some(isTold))
    const told = cloud.said.filter(isTold).length
    // Whichever has looked for somebody tells it once: where the user is, and where it asked.
    figures.push(atMost(`events that name it, ${feature} (${by})`, told, INSTANCES))
  }
  figures.push(...(await polite(by, users, () => connector.stop())))
  figures.push(exactly(`exit code of this cloud (${by})`, (await cloud.stop()) ?? -1, 0))
  return figures
}

async function earlierCloud(earlier: EarlierPackage, workspace: Workspace): Promise<Figure[]> {
  const by = `cloud of ${earlier.commit}`
  const { url } = await startEcho(workspace)
  const configuration = workspace.path('cloud.json')
  // It comes back where it was.
  const ports = { users: await freePort(), connectors: await freePort() }
  await writeConfiguration(configuration, cloudOf(workspace, url, {}, ports))
  const start = async () => {
    const cloud = await earlier.start('cloud-server', '--config', configuration)
    return { ...cloud, ...(JSON.parse(cloud.ready) as CloudReady) }
  }
  const cloud = await start()
  const ticket = workspace.path('ticket')
  await earlier.run('enrolment-ticket', ...ticketFor(configuration, ticket))
  const connector = await Example.start<{ connectorId: string }>('connector run', [
    ...['--url', cloud.connectorUrl, '--ca', cloud.caFile, '--ticket-file', ticket],
    ...['--state-dir', workspace.path('connector'), '--name', 'later', '--log-format', 'json'],
  ])
  workspace.onClose(async () => void (await connector.stop()))

  const users = new Users(cloud.usersUrl, 'open')
  const figures = [...(await users.carried(by))]
  const faults = connector.said.filter((line) => /"level":"(?:warning|error)"/.test(line))
  figures.push(exactly(`warnings and errors of this connector (${by})`, faults.length, 0))
  figures.push(exactly(`exit code of the cloud (${by})`, (await cloud.stop()) ?? -1, 0))
  await start()
  await until(async () => (await users.ask('/')).status === 200, SOON_MS)
  figures.push(...(await users.carried(`${by}, started again`)))
  figures.push(...(await polite(by, users, () => connector.stop())))
  return figures
}

/** A connector that is told to end answers what it has first. */
async function polite(
  by: string,
  users: Users,
  stop: () => Promise<number | null>,
): Promise<readonly Figure[]> {
  const last = Buffer.from('the last of all')
  const asked = users.ask('/echo?wait=2000', last)
  await new Promise((later) => setTimeout(later, 500))
  const code = await stop()
  const { status, body } = await asked
  const isWhole = status === 200 && body.equals(last)
  return [
    exactly(
      `answers that were whole when the connector was told to end (${by})`,
      Number(isWhole),
      1,
    ),
    exactly(`exit code of the connector (${by})`, code ?? -1, 0),
  ]
}

const ticketFor = (configuration: string, ticket: string) => [
  ...['--config', configuration, '--tenant', 'contoso', '--active', '--out', ticket],
]

const writeConfiguration = (file: string, configuration: object) =>
  writeFile(file, JSON.stringify(configuration), { mode: 0o600 })

function cloudOf(
  workspace: Workspace,
  internalUrl: string,
  demands: typeof DEMANDS,
  ports = { users: 0, connectors: 0 },
): object {
  const application = (id: string, settings: object) => ({
    ...{ id, groupId: 'default', preAuthentication: 'passthrough' },
    ...{ externalUrl: `http://${id}.localhost/`, internalUrl: `${internalUrl}/`, ...settings },
  })
  const tenant = { id: 'contoso', issuer: 'https://id.contoso.example', enrolmentTickets: true }
  return {
    stateDir: workspace.path('cloud'),
    users: { host: '127.0.0.1', port: ports.users },
    connectors: { host: '127.0.0.1', port: ports.connectors },
    audit: { to: 'stderr' },
    directory: {
      tenants: [{ ...tenant, registrars: { audience: 'urn:app-proxy:registration' } }],
      groups: [{ id: 'default', tenantId: 'contoso' }],
      applications: [
        application('open', {}),
        ...Object.entries(demands).map(([id, [, settings]]) => application(id, settings)),
      ],
    },
  }
}
