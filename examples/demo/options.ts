/**
 * The command line of the demo.
 */
import { parseArgs } from 'node:util'

export interface Published {
  readonly name: string
  readonly internalUrl: string
  readonly preAuthentication: 'oidc' | 'passthrough'
}

export interface DemoOptions {
  /** Where users come to; absent: the port of last time, else a free one. */
  readonly port: number | undefined
  readonly published: readonly Published[]
  /** Absent: a temporary one, removed at the end. */
  readonly stateDir: string | undefined
  readonly https: boolean
  readonly json: boolean
}

/** What is wrong with the arguments, in words. */
export class UsageError extends Error {}

export const USAGE = `usage: npm run demo -- [options]

  --port N                  the port users come to (default: a free one)
  --publish NAME=URL        publish your own local application as NAME.localhost, behind sign-in
  --publish-open NAME=URL   the same, open to everyone
  --state-dir DIR           keep keys, certificates and passwords there (default: a temporary directory)
  --https                   serve users over TLS, under a generated certificate authority
  --json                    print one line of JSON instead of the table; logs go to stderr
  --help                    print this`

/** Names the demo publishes by itself. */
const OWN_NAMES = ['intranet', 'vault', 'open']

/** @throws UsageError */
export function readOptions(args: readonly string[]): DemoOptions | 'help' {
  const values = parse(args)
  if (values.help) return 'help'
  const { publish = [], 'publish-open': open = [] } = values
  const published = [
    ...publish.map((text) => readPublished('--publish', text, 'oidc')),
    ...open.map((text) => readPublished('--publish-open', text, 'passthrough')),
  ]
  const names = [...OWN_NAMES, ...published.map(({ name }) => name)]
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new UsageError(`${twice}.localhost is published already`)
  return {
    port: values.port === undefined ? undefined : readPort(values.port),
    published,
    stateDir: values['state-dir'],
    https: values.https,
    json: values.json,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        port: { type: 'string' },
        publish: { type: 'string', multiple: true },
        'publish-open': { type: 'string', multiple: true },
        'state-dir': { type: 'string' },
        https: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function readPort(text: string): number | undefined {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw new UsageError(`--port ${text}: a number from 0 to 65535 is needed`)
  return port === 0 ? undefined : port
}

function readPublished(
  option: string,
  text: string,
  preAuthentication: Published['preAuthentication'],
): Published {
  const [, name, address] = /^([^=]*)=(.*)$/.exec(text) ?? []
  if (name === undefined || address === undefined)
    throw new UsageError(`${option} ${text}: NAME=URL is needed`)
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name))
    throw new UsageError(`${option} ${text}: NAME may hold a-z, 0-9 and "-"`)
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '')
    throw new UsageError(`${option} ${text}: an http or https URL without a query is needed`)
  const path = url.pathname.endsWith('/') ? url.pathname : `${url.pathname}/`
  return { name, internalUrl: url.origin + path, preAuthentication }
}
