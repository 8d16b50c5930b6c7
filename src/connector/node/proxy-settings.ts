/**
 * Which proxy leads to the cloud, and which hosts are reached past it: as curl reads them from the
 * environment.
 *
 * @module
 */
import { BlockList, isIP } from 'node:net'
import type { CertificateInput } from '../../runtime/certificates.ts'
import { ConfigurationInvalid } from '../../protocol/wire/errors.ts'

/**
 * A proxy that speaks CONNECT, on the way to the cloud. Applications are not called through it.
 */
export interface ProxyOptions {
  /**
   * `http://proxy.example:3128`, or `https://…` for TLS to the proxy itself. With `user:password@`
   * before the host it is shown them (Basic), percent-encoded as in any URL.
   */
  readonly url: string
  /**
   * Hosts that are reached past it, separated by commas or spaces, or a list: a name with all below
   * it (`example.com`, `.example.com`), an address or a network (`10.0.0.0/8`, `fd00::/8`), each
   * with a port if only that is meant (`example.com:8443`, `[::1]:8443`); `*` is every host.
   * Default: none.
   */
  readonly except?: string | readonly string[] | undefined
  /** Authorities of the proxy's own certificate, PEM or DER. Default: the runtime's public ones. */
  readonly ca?: CertificateInput | readonly CertificateInput[] | undefined
}

/** A proxy's settings, read. */
export interface Proxy {
  /** Never to be shown: it may hold a password. */
  readonly url: URL
  /** Whether a host is reached past it. */
  readonly spares: (host: string, port: number) => boolean
}

/**
 * The proxy that the environment names: `https_proxy`, `HTTPS_PROXY`, `all_proxy` or `ALL_PROXY`,
 * the first that is set; and `no_proxy` or `NO_PROXY`. `undefined`: none is named.
 */
export function proxyFromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): ProxyOptions | undefined {
  const set = (...names: readonly string[]) => names.map((name) => environment[name]).find(Boolean)
  const url = set('https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY')
  if (url === undefined) return undefined
  return {
    // As in curl, a host alone is enough.
    url: /^[a-z][a-z0-9+.-]*:\/\//i.test(url) ? url : `http://${url}`,
    except: set('no_proxy', 'NO_PROXY'),
  }
}

/** @throws ConfigurationInvalid where a setting means nothing; it quotes no password */
export function readProxy({ url, except = [] }: ProxyOptions): Proxy {
  const hosts = typeof except === 'string' ? except.split(/[\s,]+/) : except
  const rules = hosts.map((host) => host.trim()).filter((host) => host !== '')
  return { url: readUrl(url), spares: sparing(rules.map(readRule)) }
}

function readUrl(text: string): URL {
  const refuse = (detail: string): never => {
    throw new ConfigurationInvalid([{ path: 'proxy.url', detail }])
  }
  if (!URL.canParse(text)) return refuse('must be a URL, such as http://proxy.example:3128')
  const url = new URL(text)
  if (!['http:', 'https:'].includes(url.protocol))
    return refuse(`must begin with http:// or https://: a ${url.protocol} proxy is not spoken to`)
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
    return refuse('must end with the port')
  try {
    decodeURIComponent(url.username + url.password)
  } catch {
    return refuse('has a % in its user or password that must be written %25')
  }
  return url
}

/** What is spared. */
type Rule = (host: string, port: number, family: 0 | 4 | 6) => boolean

function sparing(rules: readonly Rule[]): Proxy['spares'] {
  return (host, port) => {
    const bare = host
      .replace(/^\[|\]$/g, '')
      .replace(/\.$/, '')
      .toLowerCase()
    const family = isIP(bare) as 0 | 4 | 6
    return rules.some((rule) => rule(bare, port, family))
  }
}

function readRule(text: string): Rule {
  if (text === '*') return () => true
  const refuse = (): never => {
    throw new ConfigurationInvalid([
      {
        path: 'proxy.except',
        detail: 'is a list of names, addresses and networks',
        value: JSON.stringify(text),
      },
    ])
  }
  const parts =
    /^(?:\[(?<six>[^\]]+)\]|(?<bare>[\da-f.]*:[\da-f:.]*:[\da-f:.]*)|(?<name>[^:/[\]]+))(?:\/(?<bits>\d{1,3}))?(?::(?<port>\d{1,5}))?$/i.exec(
      text,
    )?.groups
  if (parts === undefined) return refuse()
  const { six, bare = six, name, bits, port } = parts
  const only = port === undefined ? undefined : Number(port)
  const isPort = (asked: number) => only === undefined || only === asked
  const address = bare ?? name!
  const family = isIP(address)
  if (family === 0) {
    if (bare !== undefined || bits !== undefined) return refuse()
    const suffix = address.replace(/^\.+|\.$/g, '').toLowerCase()
    if (suffix === '') return refuse()
    return (host, asked, isAddress) =>
      isAddress === 0 && isPort(asked) && (host === suffix || host.endsWith(`.${suffix}`))
  }
  const widest = family === 4 ? 32 : 128
  const length = bits === undefined ? widest : Number(bits)
  if (length > widest) return refuse()
  const type = family === 4 ? 'ipv4' : 'ipv6'
  const network = new BlockList()
  network.addSubnet(address, length, type)
  return (host, asked, asks) => asks === family && isPort(asked) && network.check(host, type)
}
