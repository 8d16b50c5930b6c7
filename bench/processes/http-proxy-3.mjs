/** One hop of http-proxy-3, with connections kept open to the application. */
import { Agent, createServer } from 'node:http'
import httpProxy from 'http-proxy-3'
import { listen, processOptions, say } from './process-options.mjs'

const { pages, uploads } = await processOptions()
const agent = new Agent({ keepAlive: true, maxFreeSockets: 1024 })
const proxy = httpProxy.createProxyServer({ agent, xfwd: true })
proxy.on('error', (error, _request, response) => {
  console.error(error.message)
  if ('writeHead' in response && !response.headersSent) response.writeHead(502)
  response.end()
})
const server = createServer({ requestTimeout: 0, keepAliveTimeout: 0 }, (request, response) => {
  const port = request.method === 'GET' ? pages : uploads
  proxy.web(request, response, { target: `http://127.0.0.1:${port}` })
})
say({ port: await listen(server) })
