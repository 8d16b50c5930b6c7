/**
 * What the demo remembers between two starts with one state directory: ports, passwords, client
 * secrets.
 */
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { preparePrivateDirectory, readPrivateFile, replacePrivateFile } from 'app-proxy/cloud/node'
import { ROBOT } from './configurations.ts'
import type { DemoOptions } from './options.ts'

type DemoPort = 'users' | 'connectors' | 'sts' | 'intranet' | 'rpc' | 'broker'

export interface DemoState {
  readonly dir: string
  readonly isTemporary: boolean
  readonly ports: Readonly<Record<DemoPort, number>>
  /** By user name. */
  readonly passwords: Readonly<Record<'alice' | 'bob' | 'carol', string>>
  /** What the connector shows the application `inject`. */
  readonly gatewayPassword: string
  /** The second factor, of those who have one. */
  readonly pins: Readonly<Record<'alice' | 'carol', string>>
  /** Application id → the secret of its client at the issuer. */
  readonly clientSecrets: Readonly<Record<string, string>>
  /** Where there are several instances: who they are there, and what they seal under. */
  readonly broker: { readonly token: string; readonly deploymentKey: string }
}

/** The demo's own applications behind sign-in. */
const WITH_CLIENT = ['intranet', 'vault', 'headers', 'assertion', 'inject', 'rpc']

type Remembered = Pick<
  DemoState,
  'ports' | 'passwords' | 'gatewayPassword' | 'pins' | 'clientSecrets' | 'broker'
>

/** Opens the directory given, or a temporary one; what is missing is made. */
export async function openState({ stateDir, port, published }: DemoOptions): Promise<DemoState> {
  const isTemporary = stateDir === undefined
  const dir = isTemporary ? mkdtempSync(join(tmpdir(), 'app-proxy-demo-')) : resolve(stateDir)
  await preparePrivateDirectory(dir)
  const file = join(dir, 'demo.json')
  const text = await readPrivateFile(file)
  const before: Partial<Remembered> = text === undefined ? {} : JSON.parse(text)
  const remembered: Remembered = {
    ports: {
      users: port ?? (await freePort(before.ports?.users)),
      connectors: await freePort(before.ports?.connectors),
      sts: await freePort(before.ports?.sts),
      intranet: await freePort(before.ports?.intranet),
      rpc: await freePort(before.ports?.rpc),
      broker: await freePort(before.ports?.broker),
    },
    passwords: { alice: secret(9), bob: secret(9), carol: secret(9), ...before.passwords },
    gatewayPassword: before.gatewayPassword ?? secret(9),
    pins: before.pins ?? { alice: pin(), carol: pin() },
    clientSecrets: {
      ...Object.fromEntries(
        [...WITH_CLIENT, ROBOT, ...published.map(({ name }) => name)].map((id) => [id, secret(32)]),
      ),
      ...before.clientSecrets,
    },
    broker: before.broker ?? { token: secret(24), deploymentKey: secret(32) },
  }
  await replacePrivateFile(file, JSON.stringify(remembered, undefined, 2))
  return { dir, isTemporary, ...remembered }
}

/** Whether nobody listens there. */
export async function isFree(port: number): Promise<boolean> {
  return (await probe(port)) !== undefined
}

/** The port of last time, else one the system picks. */
async function freePort(before = 0): Promise<number> {
  return (await probe(before)) ?? (await probe(0))!
}

async function probe(port: number): Promise<number | undefined> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return undefined
  }
  const { port: found } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return found
}

const secret = (bytes: number) => randomBytes(bytes).toString('base64url')
const pin = () => String(randomInt(10_000)).padStart(4, '0')
