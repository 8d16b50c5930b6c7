/**
 * Tries access policies before they are in force.
 *
 *     node --import tsx examples/policy-check.ts CONFIGURATION CASES
 *
 * CONFIGURATION is cloud-server's file, or a directory alone; CASES a JSON list of who comes from
 * where, when and how, and what must become of them. Says of each case what became of it, and which
 * policies matched; ends with code 1 when one is not as it must be, with 2 for a mistake in a file.
 *
 *     [{ "name": "staff, from the office", "application": "vault", "user": { "groups": ["staff"] }, "address": "192.0.2.7", "expect": "step-up" }]
 *
 * @see policies/cases.json for one of each kind
 */
import {
  parseJson,
  readDirectory,
  readPolicyCases,
  testPolicies,
  type MatchedPolicy,
  type PolicyTestResult,
} from 'app-proxy/cloud'
import { readPlainFile } from './program/files.ts'
import { readFlags } from './program/flags.ts'
import { runAs, type Surroundings } from './program/program.ts'

const NAMES = ['CONFIGURATION', 'CASES'] as const

/** Resolves with the exit code. */
export async function main(surroundings: Surroundings): Promise<number> {
  const flags = readFlags(surroundings, 'node --import tsx examples/policy-check.ts', {}, NAMES)
  if (flags === undefined) return 0
  const [configurationFile = '', casesFile = ''] = flags.given
  const read = await readJson(configurationFile, NAMES[0])
  const isServer = typeof read === 'object' && read !== null && 'directory' in read
  const directory = isServer
    ? readDirectory(read.directory, { file: configurationFile, at: 'directory' })
    : readDirectory(read, { file: configurationFile })
  const written = await readJson(casesFile, NAMES[1])
  const cases = readPolicyCases(directory, written, { file: casesFile })
  const results = testPolicies(directory, cases, Date.now())
  for (const result of results) surroundings.say(told(result))
  const failed = results.filter(({ isPassed }) => !isPassed).length
  surroundings.say(`${results.length - failed} as expected, ${failed} not`)
  return failed === 0 ? 0 : 1
}

async function readJson(file: string, path: string): Promise<unknown> {
  return parseJson((await readPlainFile(file, { path })).toString(), file)
}

function told({ name, isPassed, expected, matched, reason, ...actual }: PolicyTestResult): string {
  return [
    `${isPassed ? '✓' : '✗'} ${name}: ${outcome(actual)}`,
    ...(isPassed ? [] : [`    expected ${outcome(expected)}`]),
    ...matched.map((one) => `    ${matchedLine(one)}`),
    ...(reason === undefined ? [] : [`    the user is told: ${reason}`]),
  ].join('\n')
}

function outcome(one: Pick<PolicyTestResult['expected'], 'effect' | 'policy' | 'code'>): string {
  const code = one.code === undefined ? '' : ` (${one.code})`
  return `${one.effect}${code}${one.policy === undefined ? '' : ` by ${one.policy}`}`
}

function matchedLine({ policy, effect, mode, isMet, unknown }: MatchedPolicy): string {
  return [
    `${policy}: ${effect}`,
    ...(isMet === undefined ? [] : [isMet ? 'met' : 'not met']),
    ...(mode === 'report-only' ? ['only reports'] : []),
    ...(unknown === undefined ? [] : [`perhaps: not known is ${unknown.join(', ')}`]),
  ].join(', ')
}

await runAs('policy-check', main, import.meta.url)
