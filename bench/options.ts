/**
 * The command line.
 *
 * @module
 */
import { parseArgs } from 'node:util'
import { FEWEST_PAIRS } from './report/paired.ts'

export const SECTIONS = ['micro', 'load', 'idle', 'slow'] as const
export type Section = (typeof SECTIONS)[number]

export interface BenchOptions {
  readonly sections: ReadonlySet<Section>
  readonly contenders: ReadonlySet<string> | undefined
  readonly runs: number
  /** Of each load measurement. */
  readonly seconds: number
  /** Before each: a process that has just started still compiles its code. */
  readonly warmUpSeconds: number
  readonly connections: number
  readonly bulkMiB: number
  readonly quick: boolean
  readonly profile: boolean
  /** The git ref that this tree is compared with. */
  readonly against: string | undefined
  /** So many instances are compared with one. */
  readonly workers: number | undefined
  readonly markdown: boolean
  readonly build: boolean
  /** The JSON of an earlier run. */
  readonly show: string | undefined
  /** Where the JSON goes; the plot goes beside it. */
  readonly out: string
}

export const USAGE = `usage: npm run bench -- [options]

  --only LIST         of micro, load, idle, slow, separated by commas; default: all of them
  --contenders LIST   of link+sign-in, link, plain+sign-in, plain, http-proxy-3, nginx, ssh, direct; default: all of them
  --runs N            rounds, or pairs; default 5
  --seconds N         of each load measurement; default 8, and 4 with --against and --workers
  --warm-up N         seconds of load before anything is measured; default 3, and 10 with --against and --workers
  --connections N     of the load generator; default 64
  --bulk MIB          size of the bulk bodies; default 512
  --quick             a short smoke run: 1 round, 2 seconds, 64 MiB
  --against REF       instead: CPU/request of this tree and of that git ref, in pairs; default: 11 pairs of link+sign-in and of link
  --workers N         instead: CPU/request of a cloud of N instances and of one, in 11 pairs
  --profile           instead: where our cloud and connector spend their time under load
  --markdown          print tables for bench/README.md
  --show FILE         instead: print the tables of an earlier run
  --no-build          take dist as it is; default: build it when it is older than src
  --out FILE          default bench/results/latest.json`

/** @throws TypeError when an argument is not as {@link USAGE} says */
export function readOptions(args: readonly string[]): BenchOptions | undefined {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{ only: text, contenders: text, runs: text, seconds: text, connections: text },
      ...{ bulk: text, out: text, show: text, against: text, 'warm-up': text },
      workers: text,
      ...{ quick: flag, profile: flag, markdown: flag, 'no-build': flag, help: flag },
    },
  })
  if (values.help) return undefined
  const { quick, against, workers } = values
  const inPairs = against !== undefined || workers !== undefined
  return {
    sections: new Set(sectionsOf(values.only)),
    contenders: values.contenders === undefined ? undefined : new Set(listOf(values.contenders)),
    runs: count('runs', values.runs, inPairs ? FEWEST_PAIRS : quick ? 1 : 5),
    seconds: count('seconds', values.seconds, quick ? 2 : inPairs ? 4 : 8),
    warmUpSeconds: count('warm-up', values['warm-up'], quick ? 1 : inPairs ? 10 : 3),
    connections: count('connections', values.connections, 64),
    bulkMiB: count('bulk', values.bulk, quick ? 64 : 512),
    quick,
    profile: values.profile,
    against,
    workers: workers === undefined ? undefined : count('workers', workers, 1),
    markdown: values.markdown,
    build: !values['no-build'],
    show: values.show,
    out: values.out ?? 'bench/results/latest.json',
  }
}

function sectionsOf(only: string | undefined): readonly Section[] {
  if (only === undefined) return SECTIONS
  return listOf(only).map((name) => {
    const section = SECTIONS.find((one) => one === name)
    if (section === undefined) throw new TypeError(`--only knows ${SECTIONS.join(', ')}`)
    return section
  })
}

const listOf = (text: string) => text.split(',').filter((name) => name !== '')

function count(name: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text)
  if (!Number.isInteger(value) || value < 1) throw new TypeError(`--${name} takes a whole number`)
  return value
}
