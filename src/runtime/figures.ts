/**
 * Figures in the text format of Prometheus (version 0.0.4): counters and histograms that are kept,
 * gauges that are read when somebody asks.
 *
 * Nothing here makes a series of what users send: labels are ids of the configuration, and words of
 * closed lists.
 *
 * @module
 */

/** One metric, as its table has it. */
export interface MetricRow {
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** One sentence. */
  readonly help: string
  /** Names of its labels. */
  readonly labels: readonly string[]
}

/** Seconds: the upper bounds of every histogram. */
export const BUCKETS: readonly number[] = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
]

/** How often something took how long. Observing allocates nothing. */
export class Histogram {
  /** One for each bucket, and one beyond. */
  readonly counts = new Float64Array(BUCKETS.length + 1)
  sum = 0

  observe(seconds: number): void {
    let bucket = 0
    while (bucket < BUCKETS.length && seconds > BUCKETS[bucket]!) bucket += 1
    this.counts[bucket]! += 1
    this.sum += seconds
  }
}

/** Writes samples below the help of their metric. */
export class Exposition<Name extends string> {
  readonly #rows: Readonly<Record<Name, MetricRow>>
  readonly #lines: string[] = []
  #last: Name | undefined

  constructor(rows: Readonly<Record<Name, MetricRow>>) {
    this.#rows = rows
  }

  /** All samples of one metric follow each other; `labels` in the order of its row. */
  sample(name: Name, labels: readonly string[], value: number): this {
    this.#begin(name)
    this.#line(name, this.#rows[name].labels, labels, value)
    return this
  }

  histogram(name: Name, { counts, sum }: Histogram): this {
    this.#begin(name)
    let count = 0
    for (const [index, bound] of BUCKETS.entries()) {
      count += counts[index]!
      this.#line(`${name}_bucket`, ['le'], [String(bound)], count)
    }
    count += counts[BUCKETS.length]!
    this.#line(`${name}_bucket`, ['le'], ['+Inf'], count)
    this.#line(`${name}_sum`, [], [], sum)
    this.#line(`${name}_count`, [], [], count)
    return this
  }

  toString(): string {
    return `${this.#lines.join('\n')}\n`
  }

  #begin(name: Name): void {
    if (this.#last === name) return
    this.#last = name
    const { type, help } = this.#rows[name]
    this.#lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
  }

  #line(name: string, names: readonly string[], values: readonly string[], value: number): void {
    const pairs = names.map((label, index) => `${label}="${escaped(values[index] ?? '')}"`)
    this.#lines.push(`${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}`)
  }
}

function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (octet) => (octet === '\n' ? '\\n' : `\\${octet}`))
}
