/**
 * Published applications beside a site of Express 5. The handler is mounted before all that reads
 * bodies: after `express.json()` it refuses each request with a body by an `ApiMisuse`, which
 * Express hands to its error handlers.
 */
import { createServer, type Server } from 'node:http'
import type { Cloud } from 'app-proxy/cloud'
import { userHandler, userUpgradeHandler } from 'app-proxy/cloud/node'
import express from 'express'

export function createSite(cloud: Cloud): Server {
  const site = express()
  // First: it takes what is for hosts with an application, and lets everything else through.
  site.use(userHandler(cloud.edge))
  site.use(express.json())
  site.get('/', (_request, response) => void response.send('The site that was here before.\n'))
  site.post('/echo', (request, response) => void response.json(request.body))
  // Upgrades do not pass through Express: they are an event of the server under it.
  return createServer(site).on('upgrade', userUpgradeHandler(cloud.edge))
}
