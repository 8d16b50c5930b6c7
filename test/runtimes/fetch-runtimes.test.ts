/** A fetch handler, of the package as packed, on runtimes that are not Node: bodies both ways, at the reader's pace, until the user leaves. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, writeFile } from 'node:fs/promises'
import { request, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { packedProject, type PackedProject } from '../packed-project.ts'
import { installRuntimes, runtimeProgram } from './runtimes.ts'

const HERE = fileURLToPath(new URL('.', import.meta.url))

interface Runtime {
  readonly name: 'workerd' | 'bun' | 'deno'
  /** The program, which imports `openGateway`. */
  readonly program: string
  readonly args: readonly string[]
  /** How it says that it listens. */
  readonly ready: RegExp
}

const RUNTIMES: readonly Runtime[] = [
  {
    name: 'deno',
    program: `
      const gateway = await openGateway()
      Deno.serve({ hostname: '127.0.0.1', port: 0, onListen: ({ port }) => console.log(port) },
        (request, { remoteAddr }) => gateway(request, remoteAddr.hostname))`,
    args: ['run', '--no-config', '--allow-net=127.0.0.1', 'deno.js'],
    ready: /^(\d+)$/,
  },
  {
    name: 'bun',
    program: `
      const gateway = await openGateway()
      const server = Bun.serve({ hostname: '127.0.0.1', port: 0,
        fetch: (request, server) => gateway(request, server.requestIP(request).address) })
      console.log(server.port)`,
    args: ['run', 'bun.js'],
    ready: /^(\d+)$/,
  },
  {
    // What a worker makes lives as long as a request. One that stays is a durable object.
    name: 'workerd',
    program: `
      export class Gateway {
        #gateway = openGateway()
        async fetch(request) {
          return (await this.#gateway)(request, '127.0.0.1')
        }
      }
      export default {
        fetch: (request, { GATEWAY }) => GATEWAY.get(GATEWAY.idFromName('only')).fetch(request),
      }`,
    args: ['serve', '--control-fd=1', 'workerd.capnp'],
    ready: /"event":"listen","socket":"http","port":(\d+)/,
  },
]

const WORKERD = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [(name = "workerd.js", esModule = embed "workerd.js")],
  compatibilityDate = "2026-01-01",
  durableObjectNamespaces = [(className = "Gateway", uniqueKey = "gateway")],
  durableObjectStorage = (inMemory = void),
  bindings = [(name = "GATEWAY", durableObjectNamespace = "Gateway")],
);
`

let project: PackedProject
beforeAll(async () => {
  ;[project] = await Promise.all([packedProject(), installRuntimes()])
  const { directory } = project
  await copyFile(join(HERE, 'gateway.ts'), join(directory, 'gateway.ts'))
  await writeFile(join(directory, 'workerd.capnp'), WORKERD)
  await Promise.all(
    RUNTIMES.map(({ name, program }) =>
      build({
        stdin: {
          contents: `import { openGateway } from './gateway.ts'\n${program}`,
          resolveDir: directory,
        },
        ...{ bundle: true, format: 'esm', target: 'es2022', platform: 'neutral' },
        ...{ mainFields: ['module', 'main'], logLevel: 'error' },
        // Asked for only where a runtime has no Web Crypto.
        external: ['@peculiar/webcrypto'],
        outfile: join(directory, `${name}.js`),
      }),
    ),
  )
}, 180_000)
afterAll(() => project?.remove())

describe.each(RUNTIMES)('$name', ({ name, args, ready }) => {
  let child: ChildProcess
  let port: number
  beforeAll(async () => {
    const { directory: cwd } = project
    child = spawn(runtimeProgram(name), args, {
      ...{ cwd, stdio: ['ignore', 'pipe', 'inherit'] },
      env: { ...process.env, DENO_NO_UPDATE_CHECK: '1' },
    })
    port = await new Promise<number>((resolve, reject) => {
      child.on('error', reject)
      child.on('exit', (code) => reject(new Error(`${name} ended with ${code}`)))
      createInterface(child.stdout!).on('line', (line) => {
        const said = ready.exec(line)
        if (said !== null) resolve(Number(said[1]))
      })
    })
  }, 60_000)
  afterAll(async () => {
    if (child?.exitCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })

  async function ask(path: string, sent?: Buffer): Promise<IncomingMessage> {
    const method = sent === undefined ? 'GET' : 'POST'
    const headers = { host: 'wiki.localhost' }
    const asked = request({ host: '127.0.0.1', port, path, method, headers })
    asked.on('error', () => undefined)
    asked.end(sent)
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    return response
  }
  const answerTo = async (path: string, sent?: Buffer) =>
    JSON.parse(await text(await ask(path, sent))) as Record<string, unknown>

  test('a request is answered by a connector', async () => {
    expect(await answerTo('/deep?week=7')).toMatchObject({
      ...{ method: 'GET', target: '/deep?week=7', from: '127.0.0.1' },
    })
  })

  test('an upload arrives whole', async () => {
    expect(await answerTo('/', Buffer.alloc(3_000_000))).toMatchObject({ received: 3_000_000 })
  })

  test('who reads slowly is not written to, and one who leaves is noticed', async () => {
    const response = await ask('/endless')
    await once(response, 'readable')
    // Nobody reads on: what was said settles.
    let [before, { sent }] = [-1, await answerTo('/count')]
    while (before !== sent) [before, { sent }] = [sent as number, await answerTo('/count')]
    expect(sent).toBeLessThan(32 * 1024 * 1024)
    response.destroy()
    while ((await answerTo('/count'))['aborted'] !== 1);
  })
})
