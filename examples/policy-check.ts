/**
 * Tries access policies before they are in force.
 *
 *     node --import tsx examples/policy-check.ts CONFIGURATION CASES
 *
 * CONFIGURATION is cloud-server's file, or a directory alone; CASES a JSON list of who comes from
 * where, when and how, and what must become of them. Says of each case what became of it, and which
 * policies matched; ends with code 1 when one is not as it must be.
 *
 *     [{ "name": "staff, from the office", "application": "vault", "user": { "groups": ["staff"] }, "address": "192.0.2.7", "expect": "step-up" }]
 *
 * @see policies/cases.json for one of each kind
 */
import { readFileSync } from 'node:fs'
import { testPolicies, type MatchedPolicy, type PolicyTestResult } from 'app-proxy/cloud'

const [configurationFile, casesFile] = process.argv.slice(2)
if (configurationFile === undefined || casesFile === undefined)
  throw new Error('usage: policy-check.ts CONFIGURATION CASES')

const configuration = read(configurationFile) as { readonly directory?: unknown }
const results = testPolicies(configuration.directory ?? configuration, read(casesFile), Date.now())
for (const result of results) console.log(told(result))
const failed = results.filter(({ isPassed }) => !isPassed).length
console.log(`${results.length - failed} as expected, ${failed} not`)
process.exitCode = failed === 0 ? 0 : 1

function read(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'))
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
