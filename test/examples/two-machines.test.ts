/** The guide for two machines, command by command as it is printed, in two directories of this one. */
import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLI, Example } from '../integration/processes.ts'
import { UserAgent } from './demo-process.ts'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const guide = await readFile(join(ROOT, 'docs/two-machines.md'), 'utf8')

let root: string
const running: Example[] = []
beforeAll(async () => void (root = await mkdtemp(join(tmpdir(), 'app-proxy-two-machines-'))))
afterAll(async () => {
  for (const example of running.reverse()) await example.stop()
  await rm(root, { recursive: true, force: true })
})

/** What the guide says to run, without the words of the program; names in it are those of this test. */
function command(name: string, names: Readonly<Record<string, string>>): string[] {
  const program = name.includes(' ')
    ? `npx app-proxy ${name}`
    : `node --import tsx examples/${name}\\.ts`
  const printed = new RegExp(`^${program} (.+)$`, 'm').exec(guide)![1]!
  return printed.split(' ').map((word) => names[word] ?? word)
}

async function start<Ready>(name: string, names: Readonly<Record<string, string>>) {
  const example = await Example.start<Ready>(name, command(name, names))
  running.push(example)
  return example
}

test('a connector joins by a ticket, and serves', { timeout: 60_000 }, async () => {
  const [clouds, connectors] = [join(root, 'cloud'), join(root, 'connector')]
  const [, json] = /```json\n([^]*?)```/.exec(guide)!
  const file = JSON.parse(json!.replaceAll('cloud.example', 'localhost')) as {
    stateDir: string
    users: object
    connectors: object
    directory: { applications: { internalUrl: string }[] }
  }
  const site = await start<{ url: string }>('intranet', { 8081: '0' })
  file.stateDir = clouds
  file.users = { ...file.users, host: '127.0.0.1', port: 0 }
  // Its own address is the one that it is reached by here.
  file.connectors = { host: '127.0.0.1', port: 0 }
  file.directory.applications[0]!.internalUrl = `${site.ready.url}/`
  const configuration = join(root, 'cloud.json')
  await writeFile(configuration, JSON.stringify(file), { mode: 0o600 })
  const cloud = await start<{ usersUrl: string; connectorUrl: string; caFile: string }>(
    'cloud run',
    { 'cloud.json': configuration },
  )

  const ticket = join(root, 'ticket')
  const order = command('cloud ticket', { 'cloud.json': configuration, ticket })
  await run(process.execPath, ['--import', 'tsx', CLI, 'cloud', 'ticket', ...order], {
    cwd: ROOT,
  })
  const ca = join(root, 'server-ca.pem')
  expect(cloud.ready.caFile).toBe(join(clouds, 'server-ca.pem'))
  await copyFile(cloud.ready.caFile, ca)

  const names = {
    'https://cloud.example:8443': cloud.ready.connectorUrl,
    'server-ca.pem': ca,
    'connector-state': connectors,
    ticket,
  }
  const connector = await start<{ bindings: object }>('connector run', names)
  expect(connector.ready.bindings).toEqual({ 'cloud-1': 'link' })

  const user = new UserAgent(await readFile(ca, 'utf8'))
  const page = cloud.ready.usersUrl.replace('127.0.0.1', 'localhost')
  const served = await user.get(page)
  expect([served.status, served.text]).toEqual([
    200,
    expect.stringContaining('This page lives on a private address'),
  ])
  await connector.stop()
  const missed = await user.get(page)
  expect([missed.status, missed.text]).toEqual([
    504,
    expect.stringContaining('Nothing on the private side is connected'),
  ])
})
