/**
 * The connection to the broker that instances share, and the engines behind it.
 */
import type { NatsCredentials, NatsEngineOptions, NatsTls } from 'app-proxy/cloud/nats'
import type { OnError } from 'app-proxy/cloud'
import { ConfigurationInvalid, PortFailed } from 'app-proxy/protocol'
import { CommandFailed } from '../program/exit-codes.ts'
import { readAuthorities, readServerCertificate } from '../program/certificates.ts'
import { readSecretFile } from '../program/files.ts'
import { allOf, named } from '../program/mistakes.ts'
import type { NatsSettings } from './nats-configuration.ts'

const PACKAGES = ['@nats-io/transport-node', '@nats-io/jetstream', '@nats-io/kv']
/** A log of many connectors takes its time to be read. */
const FRESH_MS = 60_000

type NatsModule = typeof import('app-proxy/cloud/nats')

/** What engines are opened with, and what opens them. */
export interface OpenNats {
  readonly nats: NatsModule
  readonly shared: NatsEngineOptions
}

/**
 * Resolves once the broker has answered.
 *
 * @throws ConfigurationInvalid for what the file names; CommandFailed where a package is missing
 *   (code 1), or the broker cannot be reached (code 5)
 */
export async function openNats(
  file: string,
  settings: NatsSettings,
  name: string,
  onError: OnError | undefined,
  closing: (() => unknown)[],
): Promise<OpenNats> {
  const nats = await natsModule()
  const settingOf = (path: string) => ({ file, path: `nats.${path}` })
  const [deploymentKeys, tls, credentials] = await allOf(
    () =>
      named(settingOf('deploymentKeyFile'), () =>
        nats.deploymentKeyFile(settings.deploymentKeyFile),
      ),
    () => readTls(settings.tls, settingOf),
    () => readCredentials(settings.credentials, settingOf),
  )
  const connection = await reached(file, () =>
    nats.openNatsConnection({
      ...{ servers: settings.servers, tls, name: `app-proxy ${name}`, onError },
      ...(credentials && { credentials: () => credentials }),
    }),
  )
  closing.push(() => connection.close())
  await reached(file, () => fresh(connection))
  return { nats, shared: { connection, deploymentKeys, ...(onError && { onError }) } }
}

/** What it is asked for fails with the words of an operator. */
export async function reached<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof ConfigurationInvalid)
      throw new ConfigurationInvalid(
        cause.mistakes.map((one) => ({ ...one, file, path: `nats.${one.path}` })),
        { cause },
      )
    if (!(cause instanceof Error)) throw cause
    if (cause.message.includes('was not sealed under a key of this deployment')) {
      const detail = 'is not the key of the other instances: the broker holds what it does not open'
      throw new ConfigurationInvalid([{ file, path: 'nats.deploymentKeyFile', detail }], { cause })
    }
    const said = cause instanceof PortFailed ? cause.message : `nats failed: ${cause.message}`
    const remedy = 'is it up, with "jetstream", and may this service use it? See docs/nats.md'
    throw new CommandFailed('unreachable', `${said}: ${remedy}`, { cause })
  }
}

async function natsModule(): Promise<NatsModule> {
  try {
    return await import('app-proxy/cloud/nats')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    const words = `packages that are not installed are needed for "nats": npm install ${PACKAGES.join(' ')}`
    throw new CommandFailed('failed', words, { cause })
  }
}

/** An engine that changes something now must know all that is so. */
async function fresh(connection: NatsEngineOptions['connection']): Promise<void> {
  if (connection.isFresh) return
  let isLate: NodeJS.Timeout | undefined
  let end: () => void = () => undefined
  try {
    await new Promise<void>((resolve, reject) => {
      end = connection.onChange(() => connection.isFresh && resolve())
      const late = new PortFailed('nats', { detail: 'no answer in time' })
      isLate = setTimeout(() => reject(late), FRESH_MS)
      if (connection.isFresh) resolve()
    })
  } finally {
    clearTimeout(isLate)
    end()
  }
}

type SettingOf = (path: string) => { readonly file: string; readonly path: string }

async function readTls(
  tls: NatsSettings['tls'],
  settingOf: SettingOf,
): Promise<NatsTls | undefined> {
  if (tls === undefined) return undefined
  const { caFile, certFile, keyFile } = tls
  const [ca, own] = await allOf(
    () => caFile && readAuthorities(caFile, settingOf('tls.caFile')),
    () =>
      certFile !== undefined && keyFile !== undefined
        ? readServerCertificate({ certFile, keyFile }, settingOf('tls'))
        : undefined,
  )
  return {
    ...(ca && { ca: ca.join('\n') }),
    ...(own && { cert: own.cert.toString(), key: own.key }),
  }
}

async function readCredentials(
  given: NatsSettings['credentials'],
  settingOf: SettingOf,
): Promise<NatsCredentials | undefined> {
  if (given === undefined) return undefined
  const read = async (name: 'passwordFile' | 'tokenFile' | 'seedFile' | 'credsFile') => {
    const text = await readSecretFile(given[name]!, settingOf(`credentials.${name}`))
    return name === 'credsFile' ? text : text.trim()
  }
  const { user } = given
  if (user !== undefined) return { user, password: await read('passwordFile') }
  if (given.tokenFile !== undefined) return { token: await read('tokenFile') }
  if (given.seedFile !== undefined) return { seed: await read('seedFile') }
  return { creds: await read('credsFile') }
}
