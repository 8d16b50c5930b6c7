/**
 * nginx on loopback, unprivileged, with everything it writes in the run's directory: as the application, and as a contender, one reverse-proxy hop
 * with connections kept open.
 *
 * @module
 */
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { Child } from '../harness/child.ts'
import { needProgram } from '../harness/machine.ts'
import { freePort, type Workspace } from '../harness/workspace.ts'
import { plainTargets, type Contender } from './contender.ts'

export const nginx: Contender = {
  name: 'nginx',
  title: 'nginx, one hop',
  async start({ pages, uploads }, workspace) {
    const upstream = (name: string, port: number) =>
      `upstream ${name} { server 127.0.0.1:${port}; keepalive 256; keepalive_requests 1000000000; }`
    const { child, port } = await startNginx(
      workspace,
      `
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
      client_max_body_size 0;
      location / { proxy_pass http://pages; }
      location /upload/ { proxy_pass http://uploads; }`,
      `${upstream('pages', pages)} ${upstream('uploads', uploads)}`,
    )
    return { ...plainTargets(port), processes: [child] }
  },
}

/** Starts one worker that serves what `server` (and `http`) says. */
export async function startNginx(
  workspace: Workspace,
  server: string,
  http = '',
): Promise<{ child: Child; port: number }> {
  const program = needProgram('nginx')
  const port = await freePort()
  const inside = workspace.path('nginx')
  await mkdir(inside, { recursive: true })
  // The worker of an nginx that root starts is somebody else, who must get to the files.
  await chmod(workspace.directory, 0o755)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${inside}/${name};`)
    .join(' ')
  await writeFile(
    `${inside}/nginx.conf`,
    `daemon off; worker_processes 1; pid ${inside}/pid; error_log stderr error;
    events { worker_connections 4096; }
    http {
      access_log off; sendfile on; tcp_nodelay on; ${temporary}
      default_type application/octet-stream;
      keepalive_requests 1000000000; keepalive_timeout 1h;
      ${http}
      server { listen 127.0.0.1:${port} backlog=4096; ${server} }
    }`,
  )
  const child = new Child(workspace, 'nginx', program, [
    ...['-e', 'stderr', '-p', inside, '-c', `${inside}/nginx.conf`],
  ])
  await child.listening(port)
  return { child, port }
}
