/** Git's own server for smart HTTP (`git http-backend`, a CGI program) as the private application. */
import { spawn } from 'node:child_process'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { fileOf } from '../debian-packages.ts'

/** Serves the repositories in `root`; each user may push whom the edge names in `X-User`. */
export function gitServer(root: string): Server {
  return createServer((request, response) => runBackend(root, request, response))
}

function runBackend(root: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(request.url!, 'http://git.test')
  const { headers } = request
  const child = spawn(fileOf('git'), ['http-backend'], {
    env: {
      ...{ GIT_PROJECT_ROOT: root, GIT_HTTP_EXPORT_ALL: '1', PATH: process.env['PATH'] },
      ...{ PATH_INFO: pathname, QUERY_STRING: searchParams.toString() },
      ...{ REQUEST_METHOD: request.method, REMOTE_USER: headers['x-user'] as string },
      ...{ CONTENT_TYPE: headers['content-type'], CONTENT_LENGTH: headers['content-length'] },
      HTTP_CONTENT_ENCODING: headers['content-encoding'],
      GIT_PROTOCOL: headers['git-protocol'] as string,
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  // It may end before it has read everything.
  child.stdin.on('error', () => undefined)
  request.pipe(child.stdin)
  let head = ''
  const readHead = (chunk: Buffer) => {
    head += chunk.toString('latin1')
    const end = head.indexOf('\r\n\r\n')
    if (end === -1) return
    child.stdout.off('data', readHead)
    for (const line of head.slice(0, end).split('\r\n')) {
      const [name, value] = line.split(': ', 2) as [string, string]
      if (name.toLowerCase() === 'status') response.statusCode = Number(value.slice(0, 3))
      else response.setHeader(name, value)
    }
    response.write(Buffer.from(head.slice(end + 4), 'latin1'))
    child.stdout.pipe(response)
  }
  child.stdout.on('data', readHead)
  child.once('close', () => response.end())
}
