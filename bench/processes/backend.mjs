/** The application: `/1k` answers 1 KiB, `/bytes/N` answers N zero bytes, an upload is read, thrown away and counted. */
import { createServer } from 'node:http'
import { listen, processOptions, say } from './process-options.mjs'

await processOptions()
const page = Buffer.alloc(1024, 'x')
const chunk = Buffer.alloc(64 * 1024)

const server = createServer({ requestTimeout: 0, keepAliveTimeout: 0 }, (request, response) => {
  const bytes = /^\/bytes\/(\d+)$/.exec(/** @type {string} */ (request.url))?.[1]
  if (request.method !== 'GET') return discard(request, response)
  if (bytes !== undefined) return send(Number(bytes), response)
  response.writeHead(200, { 'content-type': 'text/plain', 'content-length': page.length })
  response.end(page)
})
say({ port: await listen(server) })

function discard(request, response) {
  let bytes = 0
  request.on('data', (piece) => (bytes += piece.length))
  request.on('end', () => response.end(String(bytes)))
}

function send(bytes, response) {
  response.writeHead(200, { 'content-length': bytes })
  let left = bytes
  const more = () => {
    while (left > 0) {
      const piece = left < chunk.length ? chunk.subarray(0, left) : chunk
      left -= piece.length
      if (!response.write(piece)) return
    }
    response.end()
  }
  response.on('drain', more)
  more()
}
