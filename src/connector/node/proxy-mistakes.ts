/**
 * From what a proxy on the way to the cloud did to what a person has to put right.
 *
 * @module
 */
import type { ProxyFailed } from './proxy-dial.ts'
import { codeOf, isNotTls, isUnresolved } from './failure-codes.ts'
import type { Mistake, MistakeKind } from './told-mistakes.ts'

const WHERE = '"proxy" (HTTPS_PROXY of the environment)'

/** What has to be put right. */
export function proxyMistake(failed: ProxyFailed): Mistake {
  const { proxy, target, status, isNamed, cause } = failed
  const mistake = (kind: MistakeKind, message: string): Mistake => ({
    kind,
    owner: 'connector',
    setting: 'proxy',
    message,
  })
  // Some say 401, which is for servers.
  if (status === 407 || status === 401)
    return mistake(
      'proxy-credentials',
      isNamed
        ? `The proxy ${proxy} does not take the user and password in ${WHERE}. Correct them; what is special in a URL is percent-encoded. Only Basic authentication is spoken.`
        : `The proxy ${proxy} wants to know who asks. Put user and password into ${WHERE}: http://USER:PASSWORD@${proxy}.`,
    )
  if (status !== undefined && status >= 500)
    return mistake(
      'proxy-target',
      `The proxy ${proxy} does not reach ${target}: it says ${status}. Check the cloud’s address, and whether it can be reached from the proxy.`,
    )
  if (status !== undefined)
    return mistake(
      'proxy-refuses',
      `The proxy ${proxy} does not let this machine through to ${target}: it says ${status}. Whoever runs it must allow CONNECT to that host and port; or name the host in NO_PROXY, if it can be reached without.`,
    )
  const code = codeOf(cause)
  if (isUnresolved(code))
    return mistake(
      'proxy-unreachable',
      `The name of the proxy ${proxy} cannot be resolved. Check its spelling in ${WHERE}, or the name servers of this machine.`,
    )
  if (failed.isUntrusted)
    return mistake(
      'proxy-certificate',
      `The certificate of the proxy ${proxy} is not trusted here, or is for another name (${code}). Correct the host in ${WHERE}, or give its authority as "proxy.ca".`,
    )
  if (isNotTls(code))
    return mistake(
      'proxy-unreachable',
      `The proxy ${proxy} speaks no TLS. Write http:// in ${WHERE}: what goes through it carries TLS of its own.`,
    )
  return mistake(
    'proxy-unreachable',
    `The proxy ${proxy} gives no connection to ${target} (${code === '' || code === 'ABORT_ERR' ? 'no answer in time' : code}). Check host and port in ${WHERE}, that the proxy runs, and firewalls between here and there.`,
  )
}
