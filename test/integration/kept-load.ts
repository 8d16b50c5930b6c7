import { Agent, request as httpRequest } from 'node:http'

/**
 * Requests without a pause over kept connections, until none can be made any more: whether each was answered, and with
 * what it asked for. The application answers `of <path>`.
 */
export class KeptLoad {
  /** What was not answered as it should be. */
  readonly lost: unknown[] = []
  answered = 0
  /** Every connection was refused before a request was sent. */
  readonly ended: Promise<void>
  readonly #agent: Agent
  readonly #to: { readonly port: number; readonly host: string }

  constructor(port: number, host: string, connections: number) {
    this.#to = { port, host }
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections })
    const workers = Array.from({ length: connections }, (_, worker) => this.#work(worker))
    this.ended = Promise.all(workers).then(() => this.#agent.destroy())
  }

  async #work(worker: number): Promise<void> {
    for (let i = 0; ; i++) {
      const path = `/${worker}/${i}`
      try {
        const told = await this.#ask(path)
        if (told !== `200 of ${path}`) this.lost.push(told)
        this.answered += 1
      } catch (error) {
        // Refused before anything was sent.
        if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') this.lost.push(error)
        return
      }
    }
  }

  #ask(path: string): Promise<string> {
    const { port, host } = this.#to
    return new Promise((resolve, reject) => {
      const headers = { host }
      const request = httpRequest({ port, host: '127.0.0.1', path, agent: this.#agent, headers })
      request.on('error', reject)
      request.on('response', (response) => {
        let body = ''
        response.setEncoding('latin1').on('data', (text: string) => (body += text))
        response.on('error', reject).on('end', () => resolve(`${response.statusCode} ${body}`))
      })
      request.end()
    })
  }
}
