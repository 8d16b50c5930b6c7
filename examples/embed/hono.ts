/**
 * Published applications beside a site of Hono, on any runtime: `remoteAddress` is what the
 * runtime's adapter says of the connection (`getConnInfo` of `@hono/node-server/conninfo`,
 * `hono/deno` or `hono/bun`). On Node, upgrades are an event of the server: see `node-http.ts`.
 */
import { fetchHandler, type Cloud } from 'app-proxy/cloud'
import { Hono } from 'hono'
import type { GetConnInfo } from 'hono/conninfo'

export function createSite(cloud: Cloud, getConnInfo: GetConnInfo): Hono {
  const published = fetchHandler(cloud.edge)
  const site = new Hono()
  // Before all that reads bodies.
  site.use(async (context, next) => {
    const { host } = new URL(context.req.url)
    if (!cloud.edge.publishes(host)) return next()
    const { address = '' } = getConnInfo(context).remote
    return published(context.req.raw, { remoteAddress: address })
  })
  site.get('/', (context) => context.text('The site that was here before.\n'))
  site.post('/echo', async (context) => context.json(await context.req.json()))
  return site
}
