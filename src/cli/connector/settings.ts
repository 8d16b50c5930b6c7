/**
 * Options of a connector, looked at before anything is asked of the cloud, and what the cloud says
 * no to.
 */
import {
  proxyDial,
  proxyFromEnvironment,
  type Mistake,
  type MistakeKind,
  type ProxyOptions,
} from 'app-proxy/connector/node'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { CommandFailed } from '../program/exit-codes.ts'

/** What a cloud says no to for good, and the option that it is about. */
const ENDING: Partial<Record<MistakeKind, string>> = {
  'token-refused': '--token-file',
  'ticket-refused': '--ticket-file',
  'connector-limit': '--url',
  'cloud-path': '--url',
}

export const isEnding = ({ kind }: Mistake) => kind in ENDING

/** What is told where the cloud says no for good. */
export const refusedBy = ({ kind, message }: Mistake, cause: unknown) =>
  new CommandFailed('refused', `${ENDING[kind]}: ${message}`, { cause })

export const STATE_DIR = { path: '--state-dir' }

/** @throws ConfigurationInvalid */
export function refuseUrl(url: string): void {
  const refuse = (detail: string, value?: string) => {
    throw new ConfigurationInvalid([{ path: '--url', detail, value }])
  }
  const value = JSON.stringify(url)
  if (!URL.canParse(url))
    return refuse('must be an https URL, such as https://cloud.example:8444', value)
  const { protocol, username, password, search, hash } = new URL(url)
  if (username !== '' || password !== '') return refuse('must not hold credentials')
  if (protocol !== 'https:') return refuse('must be an https URL', value)
  if (search !== '' || hash !== '') return refuse('must not have a query or a fragment', value)
}

/** The cloud takes no longer one. */
const MOST_CHARACTERS = 1024

/** @throws ConfigurationInvalid */
export function refuseName(name: string | undefined): void {
  if (name !== undefined && name.length > MOST_CHARACTERS)
    throw new ConfigurationInvalid('--name', `must have at most ${MOST_CHARACTERS} characters`)
}

/** The variable that each setting of a proxy comes from. */
const VARIABLES: Readonly<Record<string, string>> = {
  'proxy.url': 'HTTPS_PROXY',
  'proxy.except': 'NO_PROXY',
}

/**
 * The proxy that the environment names; `undefined`: none.
 *
 * @throws ConfigurationInvalid that names the variable
 */
export function readProxySettings(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ProxyOptions | undefined {
  const proxy = proxyFromEnvironment(environment)
  try {
    if (proxy !== undefined) proxyDial(proxy)
  } catch (error) {
    if (!(error instanceof ConfigurationInvalid)) throw error
    throw new ConfigurationInvalid(
      error.mistakes.map((one) => ({ ...one, path: VARIABLES[one.path] ?? one.path })),
    )
  }
  return proxy
}
