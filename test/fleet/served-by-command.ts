/**
 * An application, and what `app-proxy cloud run` is given to publish it: for tests that run the command line as it is.
 */
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cli } from '../../src/cli/cli.ts'
import { exitCodeOf } from '../../src/cli/program/program.ts'
import { Example } from '../integration/processes.ts'

const PRIVATE = { mode: 0o600 }

export class ServedByCommand {
  readonly path = mkdtempSync(join(tmpdir(), 'app-proxy-served-'))
  /** Paths that the application was asked for. */
  readonly asked: string[] = []
  readonly #application: Server
  readonly #programs: Example[] = []

  private constructor() {
    this.#application = createServer((incoming, response) => {
      this.asked.push(incoming.url!)
      const { searchParams } = new URL(incoming.url!, 'http://application')
      const waitMs = Number(searchParams.get('wait') ?? 0)
      setTimeout(() => response.end(incoming.url), waitMs)
    })
  }

  static async start(): Promise<ServedByCommand> {
    const served = new ServedByCommand()
    served.#application.listen(0, '127.0.0.1')
    await once(served.#application, 'listening')
    return served
  }

  at(...names: readonly string[]): string {
    return join(this.path, ...names)
  }

  /** Writes a configuration of that name; gives its path. */
  configuration(name: string, more: object = {}): string {
    const { port } = this.#application.address() as AddressInfo
    const file = this.at(`${name}.json`)
    const configuration = {
      ...{ stateDir: this.at(name), users: { port: 0 }, connectors: { port: 0 } },
      limits: { drainMs: 5_000 },
      directory: {
        tenants: [
          {
            ...{ id: 'contoso', issuer: 'https://id.contoso.example', enrolmentTickets: true },
            registrars: { audience: 'urn:registration' },
          },
        ],
        groups: [{ id: 'default', tenantId: 'contoso' }],
        applications: [
          {
            ...{ id: 'wiki', groupId: 'default', externalUrl: 'http://wiki.localhost/' },
            ...{ internalUrl: `http://127.0.0.1:${port}/`, preAuthentication: 'passthrough' },
          },
        ],
      },
      ...more,
    }
    writeFileSync(file, JSON.stringify(configuration), PRIVATE)
    return file
  }

  /** As an operator does for one more instance: both authorities, and nothing else. */
  copyAuthorities(from: string, to: string): void {
    mkdirSync(this.at(to), { mode: 0o700 })
    for (const name of ['connector-authority.pem', 'server-authority.pem'])
      copyFileSync(this.at(from, name), this.at(to, name))
  }

  async program<Ready>(words: string, ...argv: readonly string[]): Promise<Example<Ready>> {
    const program = await Example.start<Ready>(words, argv)
    this.#programs.push(program)
    return program
  }

  /** A connector, registered with a ticket that is made by this configuration; `more`: options. */
  async connector(
    name: string,
    { connectorUrl, caFile }: { readonly connectorUrl: string; readonly caFile: string },
    configuration: string,
    ...more: readonly string[]
  ): Promise<Example<{ connectorId: string; bindings: Readonly<Record<string, string>> }>> {
    const ticket = this.at(`${name}.ticket`)
    const made = ['--config', configuration, '--tenant', 'contoso', '--active', '--out', ticket]
    const { code, lines } = await this.run('cloud', 'ticket', ...made)
    if (code !== 0) throw new Error(lines.join('\n'))
    return this.program(
      ...(['connector run', '--url', connectorUrl, '--ca', caFile] as const),
      ...['--state-dir', this.at(name), '--name', name, '--ticket-file', ticket],
      ...more,
    )
  }

  /** A command, in this process. */
  async run(...argv: readonly string[]) {
    const said: string[] = []
    const lines: string[] = []
    const code = await exitCodeOf('app-proxy', cli, {
      ...{ argv, signal: new AbortController().signal, onReload: () => undefined },
      say: (line) => said.push(line),
      log: (line) => lines.push(line),
    })
    return { code, said, lines }
  }

  async close(): Promise<void> {
    for (const program of this.#programs.reverse()) await program.stop()
    this.#application.close()
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** What a user gets: status and body. A connection of its own, unless there is an agent. */
export function get(usersUrl: string, path: string, agent?: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { host: 'wiki.localhost' }
    const asked = request(new URL(path, usersUrl), { headers, agent: agent ?? false })
    asked.on('error', reject)
    asked.on('response', (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text) => (body += text))
      response.on('end', () => resolve(`${response.statusCode} ${body}`))
      response.on('error', reject)
    })
    asked.end()
  })
}
