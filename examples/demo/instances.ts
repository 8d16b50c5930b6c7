/**
 * What the demo needs for several instances: a broker on this machine, and what the cloud is told
 * of it.
 */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { preparePrivateDirectory } from 'app-proxy/cloud/node'
import type { CloudServerInput } from '#cloud-configuration'
import { CommandFailed } from '#program/exit-codes'
import { writePrivate } from './configurations.ts'
import type { DemoState } from './state.ts'

const PROGRAM = 'nats-server'
/** Where Debian has it; only root looks there by itself. */
const FURTHER = ['/usr/sbin', '/usr/local/sbin']

/** @throws CommandFailed when it is not installed */
export function findBroker(path = process.env['PATH'] ?? '', further = FURTHER): string {
  const files = [...path.split(delimiter), ...further].map((folder) => join(folder, PROGRAM))
  const found = files.find(isProgram)
  if (found !== undefined) return found
  throw new CommandFailed(
    'failed',
    `--instances: needs ${PROGRAM}, which is not on this machine (Debian: apt install ${PROGRAM})`,
  )
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** What it stores is of the demo's own directory, and gone with it. */
export async function writeBrokerConfiguration({ dir, ports, broker }: DemoState): Promise<string> {
  const store = join(dir, 'broker')
  await preparePrivateDirectory(store)
  const lines = [
    `listen: "127.0.0.1:${ports.broker}"`,
    `authorization { token: "${broker.token}" }`,
    `jetstream { store_dir: ${JSON.stringify(store)}, max_file_store: 1GB, max_memory_store: 64MB }`,
  ]
  return writePrivate(join(dir, 'broker.conf'), `${lines.join('\n')}\n`)
}

/** What the cloud's configuration has beside that of one instance. */
export async function sharedByInstances({
  dir,
  ports,
  broker,
}: DemoState): Promise<Partial<CloudServerInput>> {
  const [deploymentKeyFile, tokenFile] = await Promise.all([
    writePrivate(join(dir, 'deployment.key'), `${broker.deploymentKey}\n`),
    writePrivate(join(dir, 'broker-token'), `${broker.token}\n`),
  ])
  return {
    instance: 'cloud',
    // Each has one of its own, and an operator is shown all of them.
    connectors: { port: 0 },
    admin: {},
    nats: {
      ...{ servers: [`127.0.0.1:${ports.broker}`], deploymentKeyFile },
      credentials: { tokenFile },
    },
  }
}
