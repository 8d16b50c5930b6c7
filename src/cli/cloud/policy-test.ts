/**
 * Tries access policies before they are in force.
 *
 * @see examples/policies/cases.json for a case of each kind
 */
import {
  parseJson,
  readDirectory,
  readPolicyCases,
  testPolicies,
  type MatchedPolicy,
  type PolicyTestResult,
} from 'app-proxy/cloud'
import { readPlainFile } from '../program/files.ts'
import { withoutComments } from '../program/json-comments.ts'
import type { PolicyTestGiven } from './flags.ts'
import type { Surroundings } from '../program/program.ts'

const NAMES = ['CONFIGURATION', 'CASES'] as const

/** Resolves with the exit code. */
export async function testPolicyCases(
  { given, json }: PolicyTestGiven,
  { say }: Surroundings,
): Promise<number> {
  const [configurationFile = '', casesFile = ''] = given
  const read = await readJson(configurationFile, NAMES[0])
  const isServer = typeof read === 'object' && read !== null && 'directory' in read
  const directory = isServer
    ? readDirectory(read.directory, { file: configurationFile, at: 'directory' })
    : readDirectory(read, { file: configurationFile })
  const written = await readJson(casesFile, NAMES[1])
  const cases = readPolicyCases(directory, written, { file: casesFile })
  const results = testPolicies(directory, cases, Date.now())
  const failed = results.filter(({ isPassed }) => !isPassed).length
  if (json) {
    say(JSON.stringify({ passed: results.length - failed, failed, results }))
    return failed === 0 ? 0 : 1
  }
  for (const result of results) say(told(result))
  say(`${results.length - failed} as expected, ${failed} not`)
  return failed === 0 ? 0 : 1
}

async function readJson(file: string, path: string): Promise<unknown> {
  return parseJson(withoutComments((await readPlainFile(file, { path })).toString()), file)
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
