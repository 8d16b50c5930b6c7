/**
 * Published applications beside a site that is a function from `Request` to `Response`:
 *
 *     Deno.serve((request, info) => site(request, info.remoteAddr.hostname))
 *     Bun.serve({ fetch: (request, server) => site(request, server.requestIP(request)?.address) })
 */
import { fetchHandler, type Cloud } from 'app-proxy/cloud'

export function createSite(cloud: Cloud) {
  const published = fetchHandler(cloud.edge)
  return async (request: Request, remoteAddress = ''): Promise<Response> => {
    if (cloud.edge.publishes(new URL(request.url).host))
      return published(request, { remoteAddress })
    return new Response('The site that was here before.\n')
  }
}
