/**
 * The command line of the demo.
 */
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { DEMO_FLAGS } from '#demo-flags'
import { readFlags, readPort } from '#program/flags'
import { allOf } from '#program/mistakes'
import type { Surroundings } from '#program/program'

export interface Published {
  readonly name: string
  readonly internalUrl: string
  readonly preAuthentication: 'oidc' | 'passthrough'
  /** The `Host` that it is shown. Default: its own. */
  readonly hostHeader?: 'internal' | 'external' | undefined
}

export interface DemoOptions {
  /** Where users come to; absent: the port of last time, else a free one. */
  readonly port: number | undefined
  readonly published: readonly Published[]
  /** Absent: a temporary one, removed at the end. */
  readonly stateDir: string | undefined
  readonly https: boolean
  /** Of the cloud. */
  readonly instances: number
  readonly json: boolean
}

const FLAGS = {
  ...DEMO_FLAGS,
  json: { text: 'print one line of JSON instead of the table; logs go to stderr' },
} as const

/** Names the demo publishes by itself. */
const OWN_NAMES = ['intranet', 'vault', 'headers', 'assertion', 'inject', 'handbook', 'open', 'rpc']

/**
 * `undefined`: help was asked for, and given.
 *
 * @throws ConfigurationInvalid
 */
export async function readOptions(
  surroundings: Pick<Surroundings, 'argv' | 'say'>,
): Promise<DemoOptions | undefined> {
  const flags = readFlags(surroundings, 'npm run demo --', FLAGS)
  if (flags === undefined) return undefined
  const [port, instances, closed, open] = await allOf(
    // 0 is a free one, too.
    () => (flags.port === undefined ? undefined : readPort(flags.port) || undefined),
    () => readInstances(flags.instances),
    () => flags.publish.map((text) => readPublished('--publish', text, 'oidc')),
    () => flags['publish-open'].map((text) => readPublished('--publish-open', text, 'passthrough')),
  )
  const external = flags['external-host']
  const published = [...closed, ...open].map((one): Published => {
    return external.includes(one.name) ? { ...one, hostHeader: 'external' } : one
  })
  const names = [...OWN_NAMES, ...published.map(({ name }) => name)]
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined)
    throw new ConfigurationInvalid('--publish', `${twice}.localhost is published already`)
  const unknown = external.find((name) => !published.some((one) => one.name === name))
  if (unknown !== undefined)
    throw wrong('--external-host', 'must name what --publish or --publish-open does', unknown)
  const { 'state-dir': stateDir, https, json } = flags
  return { port, published, stateDir, https, instances, json }
}

/** More than that show nothing more. */
const MOST_INSTANCES = 8

function readInstances(text = '1'): number {
  const count = /^\d$/.test(text) ? Number(text) : 0
  if (count >= 1 && count <= MOST_INSTANCES) return count
  throw wrong('--instances', `must be a number from 1 to ${MOST_INSTANCES}`, text)
}

function readPublished(
  option: string,
  text: string,
  preAuthentication: Published['preAuthentication'],
): Published {
  const [, name, address] = /^([^=]*)=(.*)$/.exec(text) ?? []
  if (name === undefined || address === undefined) throw wrong(option, 'must be NAME=URL', text)
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name))
    throw wrong(option, 'NAME may hold a-z, 0-9 and "-"', text)
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '')
    throw wrong(option, 'must be an http or https URL without a query', text)
  if (url.username !== '' || url.password !== '')
    throw new ConfigurationInvalid(option, 'must not hold credentials')
  const path = url.pathname.endsWith('/') ? url.pathname : `${url.pathname}/`
  return { name, internalUrl: url.origin + path, preAuthentication }
}

function wrong(path: string, detail: string, text: string): ConfigurationInvalid {
  return new ConfigurationInvalid([{ path, detail, value: JSON.stringify(text) }])
}
