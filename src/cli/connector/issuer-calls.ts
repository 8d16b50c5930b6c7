/**
 * Calls to an issuer, through the proxy that leads out of here.
 */
import { Agent, buildConnector, fetch as fetchOver, type RequestInit } from 'undici'
import { proxyDial, type ProxyOptions } from 'app-proxy/connector/node'

/** As the runtime's own; what is kept open for further calls is ended by `close`. */
export interface IssuerCalls {
  readonly fetch: (url: string, init: object) => Promise<Response>
  close(): Promise<void>
}

/** One on this machine, by http, is called past the proxy: the proxy is for https. */
export function issuerCalls(proxy: ProxyOptions | undefined): IssuerCalls {
  const agent = proxy === undefined ? new Agent() : new Agent({ connect: connectorOver(proxy) })
  return {
    fetch: async (url, init) => {
      const answer = await fetchOver(url, { ...(init as RequestInit), dispatcher: agent })
      // The runtime's own is another class of the same form.
      return new Response(await answer.arrayBuffer(), {
        status: answer.status,
        headers: [...answer.headers],
      })
    },
    close: () => agent.close(),
  }
}

function connectorOver(proxy: ProxyOptions): buildConnector.connector {
  const dial = proxyDial(proxy)
  const secure = buildConnector({})
  return (target, done) => {
    if (target.protocol !== 'https:') return void secure(target, done)
    const host = target.hostname.replace(/^\[|\]$/g, '')
    const port = target.port === '' ? 443 : Number(target.port)
    Promise.resolve(dial({ host, port, signal: AbortSignal.timeout(CONNECT_MS) })).then(
      (httpSocket) => secure({ ...target, httpSocket: httpSocket as never }, done),
      (error: Error) => done(error, null),
    )
  }
}

const CONNECT_MS = 10_000
