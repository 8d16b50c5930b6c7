/**
 * The port on which a process says whether it lives, whether it is ready, and its figures.
 */
import type { Server as HttpServer } from 'node:http'
import { Server } from 'node:net'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import type { Findings } from './findings.ts'
import { listen, urlAt, type ListenOptions } from './listen.ts'

/**
 * Resolves with its URL; what ends it goes into `closing`.
 *
 * @throws ConfigurationInvalid where nobody may listen there
 */
export async function openHealth(
  server: HttpServer,
  options: ListenOptions,
  closing: (() => unknown)[],
): Promise<string> {
  const port = await listen(server, options)
  closing.push(async () => {
    const closed = new Promise((ended) => server.close(ended))
    server.closeAllConnections()
    await closed
  })
  return urlAt('http', options.host, port)
}

const ANSWER_MS = 2_000

/** What answers at such a port, or whether the port is free. */
export async function checkHealthPort(options: ListenOptions, findings: Findings): Promise<void> {
  const { host, port } = options
  const [what, where] = ['health', `${host}:${port}`]
  const answer = await askReady(urlAt('http', host, port)).catch(() => undefined)
  if (answer === undefined) return checkPort(what, options, findings)
  const [first = '', ...lines] = answer.text.trim().split('\n')
  if (answer.status === 200 && first === 'ok')
    findings.good(what, [`${where} says that it is ready`, ...lines].join(', but '))
  else if (answer.status === 503 && first === 'not ready')
    findings.warn(what, `${where} says that it is not ready: ${lines.join(', ')}`)
  else findings.wrong(what, `${where} is in use by another program: choose another`)
}

/** The port is taken for a moment: only so it is known whether it can be. */
export async function checkPort(
  what: string,
  options: ListenOptions,
  findings: Findings,
): Promise<void> {
  const where = `${options.host}:${options.port}`
  if (options.port === 0) return findings.good(what, 'any free port is taken')
  const probe = new Server()
  try {
    await listen(probe, options)
    findings.good(what, `${where} is free`)
  } catch (error) {
    if (!(error instanceof ConfigurationInvalid)) throw error
    const { path, detail } = error.mistakes[0]!
    const remedy = path.endsWith('port') ? 'choose another, or end what has it' : 'mend it'
    findings.wrong(path, `${where} ${detail}: ${remedy}`)
  } finally {
    await new Promise((closed) => probe.close(closed))
  }
}

async function askReady(url: string): Promise<{ readonly status: number; readonly text: string }> {
  const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(ANSWER_MS) })
  return { status: answer.status, text: await answer.text() }
}
