/**
 * Published applications beside a site of Fastify 5. The hook `onRequest` comes before Fastify parses
 * bodies; `hijack` tells it that somebody else answers.
 */
import type { Cloud } from 'app-proxy/cloud'
import { userHandler, userUpgradeHandler } from 'app-proxy/cloud/node'
import { fastify, type FastifyInstance } from 'fastify'

export function createSite(cloud: Cloud): FastifyInstance {
  const published = userHandler(cloud.edge)
  const site = fastify()
  site.addHook('onRequest', (request, reply, next) => {
    if (!cloud.edge.publishes(request.headers.host)) return next()
    reply.hijack()
    published(request.raw, reply.raw)
  })
  site.get('/', () => 'The site that was here before.\n')
  site.post('/echo', (request) => request.body)
  site.server.on('upgrade', userUpgradeHandler(cloud.edge))
  return site
}
