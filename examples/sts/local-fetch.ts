/**
 * A `fetch` that finds every `*.localhost` on this machine, whatever its resolver knows.
 */
import { existsSync, readFileSync } from 'node:fs'
import type { LookupFunction } from 'node:net'
import { Agent, fetch as fetchBy, type RequestInit as Init } from 'undici'

/** `caFile`, if it is there when it is needed, is trusted beside nobody else. */
export function localFetch(caFile?: string): typeof fetch {
  let dispatcher: Agent | undefined
  const call = (url: string, options?: Init) => {
    dispatcher ??= new Agent({
      connect: {
        lookup: here,
        ...(caFile !== undefined && existsSync(caFile) && { ca: readFileSync(caFile, 'utf8') }),
      },
    })
    return fetchBy(url, { ...options, dispatcher })
  }
  return call as unknown as typeof fetch
}

const here: LookupFunction = (host, options, found) => {
  if (!/(^|\.)localhost$/.test(host)) return found(new Error(`${host} is elsewhere`), '', 4)
  if (options.all) return found(null, [{ address: '127.0.0.1', family: 4 }])
  found(null, '127.0.0.1', 4)
}
