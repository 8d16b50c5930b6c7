/**
 * The parts of the benchmark that compute: what they print must be right before anybody believes a figure. Nothing here is timed.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseWrk } from '../bench/load/wrk.ts'
import { readOptions } from '../bench/options.ts'
import { selfTimes } from '../bench/profile/self-times.ts'
import { goalCells } from '../bench/report/goals.ts'
import { isNotWorse, pairedRatio, sayRatio } from '../bench/report/paired.ts'
import { plotRatios } from '../bench/report/plot.ts'
import type { Figures, Row } from '../bench/report/results.ts'
import { COLUMNS, median, percentile, summarise } from '../bench/report/statistics.ts'
import { report, table } from '../bench/report/table.ts'

const BENCH = new URL('../bench/', import.meta.url)

const WRK = `Running 2s test @ http://127.0.0.1:8080/1k
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     5.33ms    1.61ms  31.55ms   88.15%
    Req/Sec    12.10k     1.50k   13.81k    85.00%
  Latency Distribution
     50%  985.00us
     75%    5.72ms
     90%    6.80ms
     99%    1.20s 
  24093 requests in 2.00s, 30.72MB read
Requests/sec:  12025.35
Transfer/sec:     15.33MB
`

describe('what wrk prints', () => {
  test('is read with its units', () =>
    expect(parseWrk(WRK)).toEqual({
      requests: 24093,
      requestsPerSecond: 12025.35,
      p50Ms: 0.985,
      p99Ms: 1200,
      errors: 0,
    }))

  test('counts every kind of error', () =>
    expect(
      parseWrk(
        `${WRK}  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 90\n`,
      ).errors,
    ).toBe(100))

  test('is refused when it is something else', () =>
    expect(() => parseWrk('unable to connect')).toThrow('wrk printed no'))
})

const figures = (requestsPerSecond: number, p99Ms: number): Figures => ({
  ...{ requestsPerSecond, p99Ms, p50Ms: 1, downMBps: 100, upMBps: 100 },
})
const rows: Row[] = [
  {
    name: 'link',
    title: 'ours & <linked>',
    rounds: [figures(300, 9), figures(100, 2), figures(200, 4)],
  },
  { name: 'http-proxy-3', title: 'http-proxy-3', rounds: [figures(90, 8), figures(110, 8)] },
  { name: 'ssh', title: 'ssh -R', rounds: [], failure: 'openssh-server is not installed' },
]
const column = (key: keyof Figures) => COLUMNS.find((one) => one.key === key)!

describe('statistics', () => {
  test('a median is the value in the middle, or between the two', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 2, 3])).toBe(2.5)
    expect(() => median([])).toThrow(TypeError)
  })

  test('a percentile is a value that was there', () => {
    const values = Array.from({ length: 200 }, (_, at) => at + 1)
    expect([percentile(values, 0.5), percentile(values, 0.99)]).toEqual([100, 198])
    expect(percentile([7], 0.99)).toBe(7)
  })

  test('the worst round is the slowest, or the longest; the ratio is that of the medians', () => {
    expect(summarise(rows[0]!, column('requestsPerSecond'), rows)).toEqual({
      ...{ median: 200, worst: 100, ratio: 2 },
    })
    expect(summarise(rows[0]!, column('p99Ms'), rows)).toEqual({ median: 4, worst: 9, ratio: 0.5 })
  })

  test('what was not measured is no zero', () => {
    expect(summarise(rows[2]!, column('p99Ms'), rows)).toBeUndefined()
    expect(summarise(rows[0]!, column('cpuMicroseconds'), rows)).toBeUndefined()
  })
})

describe('the report', () => {
  const results = {
    date: '2031-10-14',
    machine: { processor: 'P', cores: 2, memoryGiB: 4, kernel: 'K', node: 'v20', programs: {} },
    command: 'npm run bench',
    load: rows,
  }

  test('shows median, worst and ratio, and why a row is empty', () => {
    const printed = report(results, 'text')
    expect(printed).toContain('200 (100) ×2.00')
    expect(printed).toContain('ssh -R: not measured to the end: openssh-server is not installed')
  })

  test('says of each goal whether it is met, and nothing of what was not measured', () => {
    const ours = { ...rows[0]!, name: 'link+sign-in' }
    expect(goalCells([ours, rows[1]!, rows[2]!]).slice(1)).toEqual([
      ['requests ≥ 1.3 × http-proxy-3', '2.00', 'met'],
      ['down ≥ 0.8 × http-proxy-3', '1.00', 'met'],
    ])
    expect(goalCells(rows)).toEqual([])
  })

  test('as Markdown has a rule under the head, and as many cells in every line', () => {
    const lines = table(
      [
        ['', 'a'],
        ['row', '1 000'],
      ],
      'markdown',
    ).split('\n')
    expect(lines).toEqual(['|     |     a |', '| --- | ----: |', '| row | 1 000 |'])
    // A column that is empty all the way is one nevertheless.
    expect(table([['', '']], 'markdown')).toBe('|     |     |\n| --- | --: |')
  })
})

describe('the plot', () => {
  const svg = plotRatios(rows)

  test('closes every element it opens', () => {
    const open: string[] = []
    for (const [, closing, name, rest] of svg.matchAll(/<(\/?)([a-z]+)([^>]*)>/g)) {
      if (closing === '/') expect(open.pop()).toBe(name)
      else if (!rest!.endsWith('/')) open.push(name!)
    }
    expect(open).toEqual([])
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" /)
  })

  test('escapes what contenders are called', () => {
    expect(svg).toContain('ours &#38; &#60;linked&#62;')
    expect(svg).not.toMatch(/&(?!#\d+;)/)
  })

  test('has a bar for each figure that can be compared, and none for those that cannot', () => {
    const compared = COLUMNS.filter((one) => summarise(rows[0]!, one, rows) !== undefined)
    expect(svg.match(/<rect class="(?:better|worse|reference)"/g)).toHaveLength(compared.length * 2)
    expect(svg).not.toMatch(/NaN|Infinity|undefined|ssh/)
  })
})

test('a profile is summed by function and file, without the idle time', () => {
  const frame = (id: number, functionName: string, url: string) => ({
    ...{ id, callFrame: { functionName, url } },
  })
  const profile = {
    nodes: [
      frame(1, '(idle)', ''),
      frame(2, 'send', 'file:///somewhere/dist/cloud/index.js'),
      frame(3, 'send', 'file:///somewhere/dist/cloud/index.js'),
      frame(4, 'write', 'file:///somewhere/node_modules/undici/lib/core/util.js'),
    ],
    samples: [1, 2, 3, 4],
    timeDeltas: [1000, 10, 20, 5],
  }
  expect(selfTimes(profile)[0]).toMatchObject({ name: 'send', microseconds: 30 })
  expect(selfTimes(profile, 20)).toEqual([
    { name: 'send', place: 'dist/cloud/index.js', microseconds: 20 },
    { name: 'write', place: 'undici: util.js', microseconds: 5 },
  ])
  expect(selfTimes(profile)).toEqual([
    { name: 'send', place: 'dist/cloud/index.js', microseconds: 30 },
    { name: 'write', place: 'undici: util.js', microseconds: 5 },
  ])
})

describe('the command line', () => {
  test('runs everything five times unless it is told otherwise', () => {
    const options = readOptions([])!
    expect(options).toMatchObject({ runs: 5, connections: 64, bulkMiB: 512 })
    expect([...options.sections]).toEqual(['micro', 'load', 'idle', 'slow'])
    expect([...readOptions(['--only', 'slow,load'])!.sections]).toEqual(['slow', 'load'])
  })

  test.each([['--runs', '0'], ['--seconds', 'x'], ['--only', 'everything'], ['--fast']])(
    'refuses %s %s',
    (...args) => expect(() => readOptions(args)).toThrow(TypeError),
  )
})

test.each(
  readdirSync(BENCH, { recursive: true, encoding: 'utf8' }).filter((path) => /\.m?ts$/.test(path)),
)('bench/%s has at most 400 lines', (path) =>
  expect(readFileSync(new URL(path, BENCH), 'utf8').split('\n').length - 1).toBeLessThanOrEqual(
    400,
  ),
)

describe('pairs against another commit', () => {
  const pairs = (...ratios: number[]) =>
    ratios.map((ratio) => ({ hereMicroseconds: 100 * ratio, referenceMicroseconds: 100 }))
  const eleven = [1.2, 0.9, 1, 1.01, 1.02, 1.03, 1.04, 1.05, 1.06, 1.07, 0.5]

  test('give the median and an interval that leaves out one ratio at either end', () =>
    expect(pairedRatio(pairs(...eleven))).toEqual({
      ...{ pairs: 11, median: 1.03, low: 0.9, high: 1.07 },
    }))

  // Tables of the sign test: the rank k for n pairs, two-sided, 5 %.
  test.each([
    [11, 1],
    [12, 2],
    [15, 3],
    [17, 4],
    [20, 5],
    [25, 7],
    [30, 9],
  ])('of %i pairs %i are outside at either end', (count, outside) => {
    const ratios = Array.from({ length: count }, (_, at) => (at + 1) / 1)
    const { low, high } = pairedRatio(pairs(...ratios))
    expect([low, high]).toEqual([outside + 1, count - outside])
  })

  test('say "not worse" up to a lower end of 1.03', () => {
    const at = (low: number) => ({ pairs: 11, median: 1.1, low, high: 1.2 })
    expect(isNotWorse(at(1.03))).toBe(true)
    expect(isNotWorse(at(1.031))).toBe(false)
    expect(sayRatio('link', 'abc', at(1.031))).toMatch(/^link, .* 11 pairs: WORSE$/)
  })

  test('must be eleven at the least', () =>
    expect(() => pairedRatio(pairs(...eleven.slice(1)))).toThrow('at least 11 pairs'))

  test('are eleven of four seconds unless somebody says otherwise', () => {
    expect(readOptions(['--workers', '2'])).toMatchObject({ workers: 2, runs: 11, seconds: 4 })
    expect(readOptions(['--against', 'HEAD'])).toMatchObject({ runs: 11, seconds: 4 })
    expect(readOptions(['--against', 'HEAD', '--runs', '15'])).toMatchObject({ runs: 15 })
  })
})
