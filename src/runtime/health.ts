/**
 * Whether a process lives, whether it is ready, and its figures: `/livez`, `/readyz`, `/metrics`.
 *
 * Neutral to the runtime: a request's method and target in, an answer out. It tells ids of the
 * configuration and numbers, so it belongs on a port that users cannot reach.
 *
 * @module
 */

/** One thing that must be so before work is given to a process. */
export interface HealthCheck {
  /** A word or two: `listeners`, `group contoso/default`. */
  readonly name: string
  readonly isGood: boolean
  /** Why not. */
  readonly detail?: string | undefined
}

/** What {@link Health} asks. */
export interface HealthOptions {
  /** Asked each time; what is not good makes it not ready. */
  readonly checks: () => readonly HealthCheck[]
  /** In the text format of Prometheus. */
  readonly figures: (isReady: boolean) => string
}

/** An answer. */
export interface HealthAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const PLAIN = 'text/plain; charset=utf-8'
/** The format's own media type. */
const EXPOSITION = 'text/plain; version=0.0.4; charset=utf-8'

/** Answers for one process. */
export class Health {
  readonly #options: HealthOptions
  #isDraining = false

  constructor(options: HealthOptions) {
    this.#options = options
  }

  /**
   * From now on it is not ready. To be said before anything is closed: whoever asks needs a while
   * to notice.
   */
  drain(): void {
    this.#isDraining = true
  }

  /** What is not as it must be; empty: it is ready. */
  unready(): readonly HealthCheck[] {
    if (this.#isDraining) return [{ name: 'draining', isGood: false }]
    return this.#checks().filter(({ isGood }) => !isGood)
  }

  answer(method: string, target: string): HealthAnswer {
    const [path = ''] = target.split('?')
    const body = PATHS[path]?.(this)
    if (body === undefined) return plain(404, 'not found\n')
    if (method !== 'GET' && method !== 'HEAD')
      return {
        ...plain(405, 'GET or HEAD\n'),
        headers: { ...plain(405, '').headers, allow: 'GET, HEAD' },
      }
    return method === 'HEAD' ? { ...body, body: '' } : body
  }

  ready(): HealthAnswer {
    const unready = this.unready()
    if (unready.length === 0) return plain(200, 'ok\n')
    const lines = unready.map(
      ({ name, detail }) => `${name}${detail === undefined ? '' : `: ${detail}`}`,
    )
    return plain(503, `not ready\n${lines.join('\n')}\n`)
  }

  metrics(): HealthAnswer {
    try {
      const headers = { ...plain(200, '').headers, 'content-type': EXPOSITION }
      return { status: 200, headers, body: this.#options.figures(this.unready().length === 0) }
    } catch {
      // Whose fault it is was told where it happened.
      return plain(500, 'the figures cannot be read\n')
    }
  }

  #checks(): readonly HealthCheck[] {
    try {
      return this.#options.checks()
    } catch {
      return [{ name: 'checks', isGood: false, detail: 'what is to be checked cannot be read' }]
    }
  }
}

const PATHS: Readonly<Record<string, ((health: Health) => HealthAnswer) | undefined>> = {
  '/livez': () => plain(200, 'ok\n'),
  '/readyz': (health) => health.ready(),
  '/metrics': (health) => health.metrics(),
}

function plain(status: number, body: string): HealthAnswer {
  return { status, headers: { 'content-type': PLAIN, 'cache-control': 'no-store' }, body }
}
