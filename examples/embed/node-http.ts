/** Published applications beside a site of `node:http`. */
import { createServer, type Server } from 'node:http'
import type { Cloud } from 'app-proxy/cloud'
import { userHandler, userUpgradeHandler } from 'app-proxy/cloud/node'

export function createSite(cloud: Cloud): Server {
  const published = userHandler(cloud.edge)
  const server = createServer((request, response) => {
    // Hosts without an application are the site's, as before.
    published(request, response, () => response.end('The site that was here before.\n'))
  })
  // Programs that ask before they upload are answered once a connector wants the body.
  server.on('checkContinue', userHandler(cloud.edge, {}, { expectsContinue: true }))
  server.on('upgrade', userUpgradeHandler(cloud.edge))
  return server
}
