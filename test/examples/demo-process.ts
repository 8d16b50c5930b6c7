/** The demo as a child process, and a client that finds `*.localhost` on this machine. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import * as http from 'node:http'
import * as https from 'node:https'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { signInWithForms } from '../../examples/registrar-token.ts'
import type { Ready } from '../../examples/demo/report.ts'

const EXAMPLE = fileURLToPath(new URL('../../examples/demo.ts', import.meta.url))

export interface DemoProcess extends Ready {
  readonly child: ChildProcess
  /** All that went to stdout, line by line. */
  readonly lines: readonly string[]
  /** All that it and its processes wrote to stderr so far. */
  readonly errors: string
  /** The external URL of an application, with a path. */
  url(id: string, path?: string): string
  /** Sends `signal` and resolves with the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
  /** The same of Ctrl-C at its terminal: all of its group get it at once. Only where it is a group. */
  interrupt(): Promise<number | null>
}

/** Runs the demo until it ends by itself. */
export async function runDemo(...args: string[]) {
  const child = spawn(process.execPath, ['--import', 'tsx', EXAMPLE, ...args])
  let output = ''
  let errors = ''
  child.stdout.on('data', (text: Buffer) => (output += text.toString()))
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output, errors }
}

/** Another demo than the repository's own, by another Node. */
export interface DemoProgram {
  readonly node: string
  /** What Node is given to start it. */
  readonly args: readonly string[]
  /** From where `tsx` is found. */
  readonly cwd: string
  /** As a shell starts it at a terminal: it and its processes are a group of their own. */
  readonly isGroup?: boolean
}

export const OWN_DEMO: DemoProgram = {
  ...{ node: process.execPath, args: ['--import', 'tsx', EXAMPLE], cwd: process.cwd() },
}

/** Starts the demo with `--json` and waits until everything is ready. */
export const startDemo = (...args: string[]) => startDemoOf(OWN_DEMO, ...args)

/** The same of another program. */
export async function startDemoOf(
  { node, args: program, cwd, isGroup = false }: DemoProgram,
  ...args: string[]
): Promise<DemoProcess> {
  const child = spawn(node, [...program, '--json', ...args], {
    ...{ cwd, detached: isGroup },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let errors = ''
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()))
  const lines: string[] = []
  const ready = new Promise<Ready>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      lines.push(line)
      resolve(JSON.parse(line) as Ready)
    })
    child.once('exit', (code) => reject(new Error(`the demo ended with ${code}: ${errors}`)))
  })
  const report = await ready
  return {
    ...report,
    child,
    lines,
    get errors() {
      return errors
    },
    url(id, path = '/') {
      const application = report.applications.find((one) => one.id === id)!
      return new URL(path, application.externalUrl).href
    },
    async stop(signal = 'SIGINT') {
      if (child.exitCode !== null) return child.exitCode
      const exit = once(child, 'exit')
      child.kill(signal)
      return ((await exit) as [number | null])[0]
    },
    async interrupt() {
      const exit = once(child, 'exit')
      process.kill(-child.pid!, 'SIGINT')
      return ((await exit) as [number | null])[0]
    },
  }
}

/** An access token for the intranet, as the demo's program gets it at the issuer. */
export async function robotToken({ issuer, robot, url }: DemoProcess): Promise<string> {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${robot.id}:${robot.secret}`)}` },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      scope: robot.scope,
      resource: url('intranet'),
    }),
  })
  return ((await response.json()) as { access_token: string }).access_token
}

/** Every process that descends from `pid`, with its command line. Linux only. */
export function descendantsOf(pid: number): { pid: number; command: string }[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const parent = /\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))![1]
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')
        return [{ pid: Number(name), parent: Number(parent), command }]
      } catch {
        return [] // it has ended meanwhile
      }
    })
  const below = (one: number): typeof all =>
    all.filter(({ parent }) => parent === one).flatMap((child) => [child, ...below(child.pid)])
  return below(pid)
}

/** Whether it runs; one that nobody has collected yet does not. Linux only. */
export function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
}

/** A user's program: keeps cookies for one application, follows nothing by itself. */
export class UserAgent {
  readonly #cookies = new Map<string, string>()
  readonly #ca: string | undefined

  constructor(ca?: string) {
    this.#ca = ca
  }

  get cookieNames(): readonly string[] {
    return [...this.#cookies.keys()]
  }

  /** As a `Cookie` field. */
  get cookie(): string {
    return [...this.#cookies].map((pair) => pair.join('=')).join('; ')
  }

  get(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.#ask('GET', url, headers)
  }

  post(url: string, headers: Readonly<Record<string, string>> = {}, body = ''): Promise<Answer> {
    return this.#ask('POST', url, headers, body)
  }

  async #ask(
    method: string,
    url: string,
    headers: Readonly<Record<string, string>>,
    body?: string,
  ): Promise<Answer> {
    const { protocol, host, hostname, port, pathname, search } = new URL(url)
    const request = (protocol === 'https:' ? https : http).request({
      ...{ method, host: '127.0.0.1', port, path: pathname + search, agent: false },
      headers: {
        host,
        accept: 'text/html',
        cookie: this.cookie,
        ...headers,
      },
      ...(this.#ca !== undefined && { ca: this.#ca, servername: hostname }),
    })
    request.end(body)
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    for (const cookie of response.headers['set-cookie'] ?? []) this.#keep(cookie)
    let text = ''
    for await (const part of response.setEncoding('utf8')) text += part
    return { status: response.statusCode!, headers: response.headers, text }
  }

  /** Opens `url`, signs in through the issuer's forms, and opens the address that the issuer sends the user back to. */
  async signIn(
    url: string,
    user: { readonly username: string; readonly password: string },
    headers?: Readonly<Record<string, string>>,
    atIssuer?: Map<string, string>,
  ): Promise<Answer> {
    const sent = await this.get(url)
    const callback = new URL('/.app-proxy/sign-in/callback', url).href
    const back = await signInWithForms(sent.headers.location!, callback, user, atIssuer)
    return this.get(back.href, headers)
  }

  #keep(setCookie: string): void {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(setCookie)!
    if (/;\s*Max-Age=0/i.test(setCookie)) this.#cookies.delete(name!)
    else this.#cookies.set(name!, value!)
  }
}
