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
  /**
   * What it means that it is not good: `required`, not ready; `any`, not ready where none of those
   * is good; `told`, nothing. Default `required`.
   */
  readonly need?: 'required' | 'any' | 'told' | undefined
}

/** What {@link Health} asks. */
export interface HealthOptions {
  /** Asked each time. */
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
/** So many lines of an answer tell what is not good; whoever asks may do so each second. */
const MOST_LINES = 100
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

  /** What keeps it from being ready; empty: it is. */
  unready(): readonly HealthCheck[] {
    return this.#judge().against
  }

  answer(method: string, target: string): HealthAnswer {
    const [path = '', query] = target.split('?', 2)
    const body = PATHS[path]?.(this, new URLSearchParams(query))
    if (body === undefined) return plain(404, 'not found\n')
    if (method !== 'GET' && method !== 'HEAD')
      return {
        ...plain(405, 'GET or HEAD\n'),
        headers: { ...plain(405, '').headers, allow: 'GET, HEAD' },
      }
    return method === 'HEAD' ? { ...body, body: '' } : body
  }

  /** `all`: everything that is told must be good. `verbose`: what is good is told as well. */
  ready(query: URLSearchParams): HealthAnswer {
    const { checks, against } = this.#judge()
    const bad = checks.filter(({ isGood }) => !isGood)
    const isReady = (query.has('all') ? bad : against).length === 0
    const lines = [
      ...(isReady ? ['ok'] : ['not ready']),
      ...bad.slice(0, MOST_LINES).map(lineOf),
      ...(bad.length > MOST_LINES ? [`and ${bad.length - MOST_LINES} more`] : []),
      ...(query.has('verbose') ? checks.filter(({ isGood }) => isGood).map(lineOf) : []),
    ]
    return plain(isReady ? 200 : 503, `${lines.join('\n')}\n`)
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

  #judge(): { readonly checks: readonly HealthCheck[]; readonly against: readonly HealthCheck[] } {
    const checks = this.#checks()
    const isAnyGood = checks.some(({ need, isGood }) => need === 'any' && isGood)
    const against = checks.filter(
      ({ isGood, need = 'required' }) =>
        !isGood && (need === 'required' || (need === 'any' && !isAnyGood)),
    )
    return { checks, against }
  }

  #checks(): readonly HealthCheck[] {
    if (this.#isDraining) return [{ name: 'draining', isGood: false }]
    try {
      return this.#options.checks()
    } catch {
      return [{ name: 'checks', isGood: false, detail: 'what is to be checked cannot be read' }]
    }
  }
}

type Answering = (health: Health, query: URLSearchParams) => HealthAnswer
const PATHS: Readonly<Record<string, Answering | undefined>> = {
  '/livez': () => plain(200, 'ok\n'),
  '/readyz': (health, query) => health.ready(query),
  '/metrics': (health) => health.metrics(),
}

function lineOf({ name, isGood, detail }: HealthCheck): string {
  const told = isGood ? 'good' : detail
  return (told === undefined ? name : `${name}: ${told}`).replace(/\p{Cc}/gu, '?')
}

function plain(status: number, body: string): HealthAnswer {
  return { status, headers: { 'content-type': PLAIN, 'cache-control': 'no-store' }, body }
}
