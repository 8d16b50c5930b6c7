/**
 * Servers that take connections where a setting says.
 */
import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'
import { ConfigurationInvalid } from 'app-proxy/protocol'

export interface ListenOptions {
  readonly port: number
  readonly host: string
  /** The file that says so, and what stands before `port` and `host` there; for mistakes. */
  readonly file?: string | undefined
  readonly at: string
  /** Processes that one process started share the port. Default: it is this process's own. */
  readonly isShared?: boolean | undefined
}

/**
 * Resolves with the port.
 *
 * @throws ConfigurationInvalid where nobody may listen there
 */
export async function listen(
  server: Server,
  { port, host, file, at, isShared = false }: ListenOptions,
): Promise<number> {
  server.listen({ port, host, exclusive: !isShared })
  try {
    await once(server, 'listening')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const fault = FAULTS[code ?? '']
    if (fault === undefined) throw cause
    const [member, detail] = fault
    const value = member === 'port' ? String(port) : JSON.stringify(host)
    throw new ConfigurationInvalid([{ file, path: `${at}${member}`, detail, value }], { cause })
  }
  return (server.address() as AddressInfo).port
}

/** Where a server is called that listens there. */
export function urlAt(scheme: 'http' | 'https', host: string, port: number): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

const FAULTS: Readonly<Record<string, readonly [member: string, detail: string]>> = {
  EADDRINUSE: ['port', 'is in use by another process'],
  EACCES: ['port', 'may not be used by this process'],
  EADDRNOTAVAIL: ['host', 'is no address of this machine'],
  ENOTFOUND: ['host', 'is no name that leads to an address'],
  EAI_AGAIN: ['host', 'is no name that leads to an address'],
  EAFNOSUPPORT: ['host', 'is of a kind of address that this machine has not'],
}
